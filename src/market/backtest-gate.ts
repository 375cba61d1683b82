/** Judges a backtest against the policy's gate (design 05, backtest). What is missing fails. */
import type { Intervals } from "./bootstrap.ts"
import type { Performance } from "./performance.ts"

/** Thresholds of `backtest_policy.yaml`. */
export interface Policy {
  /** Sharpe must be above. */
  readonly sharpe: number
  /** Maximum drawdown must be below. */
  readonly max_drawdown: number
  /** At least so many. */
  readonly trades_per_year: number
  /** At most. */
  readonly halt_rate: number
  /** Against the deployed model: Sharpe at least `sharpe_ratio` × its Sharpe, drawdown at most `drawdown_slack` more. */
  readonly non_inferiority: { readonly sharpe_ratio: number; readonly drawdown_slack: number }
}

/** How `observed` is compared with `threshold`. */
export type Comparison = ">" | ">=" | "<" | "<=" | "="

/** One judged number; null is missing and never passes. A failed `warn` does not fail the gate. */
export interface Criterion {
  readonly name: string
  readonly observed: number | null
  readonly threshold: number | null
  readonly comparison: Comparison
  readonly severity: "error" | "warn"
  readonly passed: boolean
}

/** The verdict with everything that it rests on. */
export interface Judgement {
  readonly verdict: "PASSED" | "WARNED" | "FAILED"
  readonly criteria: ReadonlyArray<Criterion>
}

const holds: Record<Comparison, (observed: number, threshold: number) => boolean> = {
  ">": (observed, threshold) => observed > threshold,
  ">=": (observed, threshold) => observed >= threshold,
  "<": (observed, threshold) => observed < threshold,
  "<=": (observed, threshold) => observed <= threshold,
  "=": (observed, threshold) => observed === threshold,
}

const present = (value: number | null | undefined): number | null =>
  value === null || value === undefined || !Number.isFinite(value) ? null : value

/** Compares one number; missing, NaN or infinite on either side does not pass. */
export const criterion = (
  name: string,
  observed: number | null | undefined,
  comparison: Comparison,
  threshold: number | null | undefined,
  severity: Criterion["severity"] = "error",
): Criterion => {
  const left = present(observed)
  const right = present(threshold)
  const passed = left !== null && right !== null && holds[comparison](left, right)
  return { name, observed: left, threshold: right, comparison, severity, passed }
}

const notInferior = (performance: Performance, deployed: Performance, policy: Policy): ReadonlyArray<Criterion> => {
  const { sharpe_ratio, drawdown_slack } = policy.non_inferiority
  const old = present(deployed.sharpe)
  const leastSharpe = old === null ? null : old - (1 - sharpe_ratio) * Math.abs(old)
  const oldDrawdown = present(deployed.maxDrawdown)
  const mostDrawdown = oldDrawdown === null ? null : oldDrawdown + drawdown_slack
  return [
    criterion("sharpe_vs_deployed", performance.sharpe, ">=", leastSharpe),
    criterion("max_drawdown_vs_deployed", performance.maxDrawdown, "<=", mostDrawdown),
  ]
}

/**
 * Judges a performance. `deployed` is the deployed model's over the same bars, where there is one; for a negative Sharpe
 * "0.95 × old" is read as 5 % of its size below it. With `intervals`, a Sharpe whose lower bound is not above 0 warns.
 * `tripwires` (see `tripwires.ts`) are judged with the rest.
 */
export const judge = (
  performance: Performance,
  policy: Policy,
  evidence: {
    readonly deployed?: Performance | undefined
    readonly intervals?: Intervals | undefined
    readonly tripwires?: ReadonlyArray<Criterion> | undefined
  } = {},
): Judgement => {
  const { deployed, intervals, tripwires = [] } = evidence
  const criteria = [
    criterion("sharpe", performance.sharpe, ">", policy.sharpe),
    criterion("max_drawdown", performance.maxDrawdown, "<", policy.max_drawdown),
    criterion("trades_per_year", performance.tradesPerYear, ">=", policy.trades_per_year),
    criterion("halt_rate", performance.haltRate, "<=", policy.halt_rate),
    ...(deployed === undefined ? [] : notInferior(performance, deployed, policy)),
    ...(intervals === undefined ? [] : [criterion("sharpe_lower_bound", intervals.sharpe?.low, ">", 0, "warn")]),
    ...tripwires,
  ]
  const failed = criteria.filter((one) => !one.passed)
  const verdict = failed.some((one) => one.severity === "error") ? "FAILED" : failed.length > 0 ? "WARNED" : "PASSED"
  return { verdict, criteria }
}
