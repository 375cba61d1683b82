import * as Schema from "effect/Schema"
import { Symbol } from "../names.ts"
import { ClockTime, NonNegative, Positive, Weekday } from "./measure.ts"

/** Rates in basis points (1 bp = 0.0001) of a leg's notional. Swap is per night; negative is a credit. */
const Rates = Schema.Struct({
  spread_bps: NonNegative,
  slippage_bps: NonNegative,
  commission_bps: NonNegative,
  swap_long_bps: Schema.Finite,
  swap_short_bps: Schema.Finite,
})

/**
 * What trading costs. A symbol's own rates go over the defaults. `spread_bps` is the full spread, of which each fill
 * crosses half; slippage and commission are paid by each fill. Slippage is multiplied by `factor` from `from` (included)
 * to `to` (excluded), UTC, possibly across midnight. Swap is charged daily at `rollover.time` UTC, threefold on `triple`.
 */
export const CostTableSection = Schema.Struct({
  defaults: Rates,
  symbols: Schema.Record(
    Symbol,
    Schema.Struct({
      spread_bps: Schema.optionalKey(NonNegative),
      slippage_bps: Schema.optionalKey(NonNegative),
      commission_bps: Schema.optionalKey(NonNegative),
      swap_long_bps: Schema.optionalKey(Schema.Finite),
      swap_short_bps: Schema.optionalKey(Schema.Finite),
    }),
  ),
  slippage_windows: Schema.Array(Schema.Struct({ from: ClockTime, to: ClockTime, factor: Positive })),
  rollover: Schema.Struct({ time: ClockTime, triple: Weekday }),
})
export type CostTableSection = typeof CostTableSection.Type
