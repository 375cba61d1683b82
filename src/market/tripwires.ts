/** Signs that a backtest knows the future (design 05, backtest, leakage tripwires), as criteria of the gate. */
import { criterion } from "./backtest-gate.ts"
import type { Criterion } from "./backtest-gate.ts"
import type { Performance } from "./performance.ts"
import type { Signals } from "./simulator.ts"

const later = (column: Float64Array): Float64Array => {
  const moved = new Float64Array(column.length).fill(Number.NaN)
  moved.set(column.subarray(0, -1), Math.min(1, column.length))
  return moved
}

/** The signals as they would be if each arrived one bar later; the first row is not known. */
export const oneBarLater = (signals: Signals): Signals => ({
  z: later(signals.z),
  beta: later(signals.beta),
  returnProb: later(signals.returnProb),
  riskScore: later(signals.riskScore),
})

/** What the tripwires look at. */
export interface Evidence {
  /** Performance as backtested, and with `oneBarLater`'s signals. */
  readonly base: Performance
  readonly shifted: Performance
  /** Least share of the Sharpe ratio that must be left when signals come one bar later. */
  readonly leastRatio: number
  /** Starts of all bars used (epoch milliseconds, ascending), their length, and the time of the run. */
  readonly timestamp: Float64Array
  readonly barMillis: number
  readonly now: number
  /** Bars left out between training and test: as the model's provenance records it (null when it does not), and required. */
  readonly embargo: number | null
  readonly requiredEmbargo: number
}

/** Sharpe with signals one bar later over Sharpe as backtested; null unless the latter is positive and both are defined. */
export const shiftRatio = (base: Performance, shifted: Performance): number | null =>
  base.sharpe === null || shifted.sharpe === null || base.sharpe <= 0 ? null : shifted.sharpe / base.sharpe

/**
 * The tripwires: an edge that vanishes when features come one bar later was taken from the bar itself; bars that end
 * after `now`, or do not ascend, cannot have been seen; an embargo that is missing or too short lets labels overlap.
 */
export const tripwires = (evidence: Evidence): ReadonlyArray<Criterion> => {
  const { timestamp, barMillis, now } = evidence
  let future = 0
  let disordered = 0
  for (let row = 0; row < timestamp.length; row++) {
    if (!(timestamp[row] + barMillis <= now)) future++
    if (row > 0 && !(timestamp[row] > timestamp[row - 1])) disordered++
  }
  return [
    criterion("shifted_sharpe_ratio", shiftRatio(evidence.base, evidence.shifted), ">=", evidence.leastRatio),
    criterion("future_timestamps", future, "=", 0),
    criterion("disordered_timestamps", disordered, "=", 0),
    criterion("embargo_bars", evidence.embargo, ">=", evidence.requiredEmbargo),
  ]
}
