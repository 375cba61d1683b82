import * as Schema from "effect/Schema"
import { Count, Fraction, NonNegative, Positive, Range } from "./measure.ts"

/**
 * How θ is chosen. θ1 is the least return probability of an entry, θ2 the risk score that an entry stays below.
 * A coarse grid of `grid_step` comes first, then `trials_min` to `trials_max` trials, over after `early_stop_trials`
 * without improvement. An update moves each θ by at most `max_step`, smoothed as previous × old + candidate × new;
 * θ stays as it is below `min_out_of_sample_trades`. `objective`: what is taken off the annual return per unit of drawdown
 * above a fraction, per trade a year that is missing, and per unit of AI2's false-positive rate.
 */
export const CorePolicySection = Schema.Struct({
  theta: Schema.Struct({
    initial: Schema.Struct({ theta1: Fraction, theta2: Fraction }),
    ranges: Schema.Struct({ theta1: Range, theta2: Range }),
    grid_step: Positive,
    trials_min: Count,
    trials_max: Count,
    early_stop_trials: Count,
    max_step: Positive,
    ewma: Schema.Struct({ previous: Fraction, candidate: Fraction }).check(
      Schema.makeFilter(
        (w) => Math.abs(w.previous + w.candidate - 1) < 1e-9 || "previous and candidate must add up to 1",
      ),
    ),
    min_out_of_sample_trades: Count,
  }).check(
    Schema.makeFilter((theta) => theta.trials_min <= theta.trials_max || "trials_min must not be above trials_max"),
  ),
  objective: Schema.Struct({
    max_drawdown: Schema.Struct({ weight: NonNegative, above: Fraction }),
    trades_per_year: Schema.Struct({ weight: NonNegative, below: NonNegative }),
    ai2_false_positives: Schema.Struct({ weight: NonNegative }),
  }),
})
export type CorePolicySection = typeof CorePolicySection.Type
