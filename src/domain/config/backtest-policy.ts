import * as Schema from "effect/Schema"
import { Count, Fraction, NonNegative, Positive } from "./measure.ts"

/**
 * How a model is backtested and what lets it through.
 *
 * `trading`: enter at |z| ≥ `entry_z`; leave at |z| ≤ `exit_z`, after more than `max_bars` bars, or at risk ≥
 * `theta_stop`. `capital_usd` in dollars; `leverage` is the notional of both legs as a multiple of it.
 * `gate`: Sharpe ratio (annual) above `sharpe`, drawdown below the fraction `max_drawdown`, at least `trades_per_year`,
 * at most the fraction `halt_rate` of signals vetoed by risk; with `strict` a warning fails too.
 * `non_inferiority` to the deployed model: Sharpe ≥ `sharpe_ratio` × old, drawdown ≤ old + `drawdown_margin`.
 * `bootstrap`: block bootstrap of the daily returns. `stress`: factors on ATR noise, correlations of a breakdown, basis
 * points of additional cost, bars of latency, gaps in percent of the price.
 */
export const BacktestPolicySection = Schema.Struct({
  trading: Schema.Struct({ entry_z: Positive, exit_z: NonNegative, max_bars: Count, theta_stop: Fraction }),
  capital_usd: Positive,
  leverage: Positive,
  gate: Schema.Struct({
    sharpe: Schema.Finite,
    max_drawdown: Fraction,
    trades_per_year: NonNegative,
    halt_rate: Fraction,
    strict: Schema.Boolean,
  }),
  non_inferiority: Schema.Struct({ sharpe_ratio: NonNegative, drawdown_margin: Fraction }),
  bootstrap: Schema.Struct({ samples: Count, block_days: Count, confidence: Fraction }),
  stress: Schema.Struct({
    volatility: Schema.Array(Positive),
    correlation: Schema.Array(Schema.Finite.check(Schema.isBetween({ minimum: -1, maximum: 1 }))),
    cost_bps: Schema.Array(NonNegative),
    latency_bars: Schema.Array(Count),
    gap_percent: Schema.Array(Positive),
  }),
})
export type BacktestPolicySection = typeof BacktestPolicySection.Type
