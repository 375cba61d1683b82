import * as Schema from "effect/Schema"
import { Count, Fraction, Natural } from "./measure.ts"

/**
 * How models are trained. `folds` is K of the purged K-fold; `purge_bars` is raised to `label_horizon_bars` where that
 * is longer; walk-forward starts after `initial_days` and moves on by `step_days`. `max_class_weight` bounds the weight
 * of the rarer class against the other's 1. `feature_builder`: shares of a partition's rows above which it is not used
 * (missing, outlier) or flagged (spike); `allow_warning` lets flagged and WARNED data through.
 */
export const TrainingSection = Schema.Struct({
  splits: Schema.Struct({
    folds: Schema.Int.check(Schema.isGreaterThanOrEqualTo(2)),
    purge_bars: Natural,
    embargo_bars: Natural,
    min_block_bars: Count,
    walk_forward: Schema.Struct({ initial_days: Count, step_days: Count }),
  }),
  label_horizon_bars: Count,
  max_class_weight: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(1)),
  feature_builder: Schema.Struct({
    missing: Fraction,
    outlier: Fraction,
    spike: Fraction,
    allow_warning: Schema.Boolean,
  }),
})
export type TrainingSection = typeof TrainingSection.Type
