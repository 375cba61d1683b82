import * as Schema from "effect/Schema"
import { Duration } from "../quantity.ts"
import { Count, Fraction, Positive } from "./measure.ts"

/**
 * Data quality. `flags`: the shares of a partition's rows above which it is flagged, in their order: missing, outlier,
 * spike (a warning). `checks`: `max_gap` between bars; a spike is |Δclose| > `spike_factor` × the median of |Δclose| over
 * `spike_window_bars`; an outlier is a return beyond `outlier_sigma` standard deviations; `failing_rows` is how many rows
 * a report shows. With `strict` a warning fails.
 */
export const DqSection = Schema.Struct({
  strict: Schema.Boolean,
  flags: Schema.Struct({ missing: Fraction, outlier: Fraction, spike: Fraction }),
  checks: Schema.Struct({
    max_gap: Duration,
    spike_factor: Positive,
    spike_window_bars: Count,
    outlier_sigma: Positive,
    failing_rows: Count,
  }),
})
export type DqSection = typeof DqSection.Type
