import * as Option from "effect/Option"
import type { BacktestPolicySection } from "../../src/domain/config/backtest-policy.ts"
import type { Verdict } from "../../src/domain/gate.ts"
import type { ModelRow } from "../../src/domain/registry.ts"
import * as BacktestGate from "../../src/market/backtest-gate.ts"
import { backtestPrefix } from "../../src/market/model-claims.ts"
import type { Performance } from "../../src/market/performance.ts"
import * as Tripwires from "../../src/market/tripwires.ts"
import type { Candidate } from "./candidate.ts"
import type { Evaluation } from "./evaluation.ts"
import type { NonInferiority } from "./schema.ts"

/** Least share of the Sharpe ratio that must be left when every signal comes one bar later. */
export const leastShiftedShare = 0.5

/** The verdict with all that it rests on; `reasons` is empty when it is PASSED. */
export interface Judgement {
  readonly verdict: Verdict
  readonly criteria: ReadonlyArray<BacktestGate.Criterion>
  readonly nonInferiority: NonInferiority
  readonly reasons: ReadonlyArray<string>
}

/** The names under which a backtest's numbers are kept in a model's metrics, so that the next backtest finds them. */
export const metricNames = {
  sharpe: "bt_sharpe",
  maxDrawdown: "bt_max_drawdown",
  annualReturn: "bt_annual_return",
  tradesPerYear: "bt_trades_per_year",
  haltRate: "bt_halt_rate",
  winRate: "bt_win_rate",
  profitFactor: "bt_profit_factor",
  exposure: "bt_exposure",
} as const satisfies { readonly [K in keyof Performance]?: string }

/** A model's metrics with those of its backtest, and of no other; what is not defined is left out. */
export const withMetrics = (
  metrics: Readonly<Record<string, number>>,
  performance: Performance,
  rows: number,
): Readonly<Record<string, number>> => {
  const own = Object.entries(metricNames).flatMap(([key, name]) => {
    const value = performance[key as keyof typeof metricNames]
    return value === null ? [] : [[name, value] as const]
  })
  const trained = Object.entries(metrics).filter(([name]) => !name.startsWith(backtestPrefix))
  return { ...Object.fromEntries([...trained, ...own]), bt_trades: performance.trades, bt_out_of_sample_rows: rows }
}

/** What the deployed model has to be compared with: its backtest's numbers in its registry row. */
export const deployedNumbers = (champion: Option.Option<ModelRow>): NonInferiority => {
  if (Option.isNone(champion)) return { compared: false, reason: "no model is deployed in this slot" }
  const { metrics, version } = champion.value
  const sharpe = metrics[metricNames.sharpe]
  const maxDrawdown = metrics[metricNames.maxDrawdown]
  return sharpe === undefined || maxDrawdown === undefined
    ? { compared: false, reason: `the deployed model ${version} has no backtest numbers in the registry` }
    : { compared: true, version, sharpe, maxDrawdown }
}

const policyOf = ({ gate, non_inferiority }: BacktestPolicySection): BacktestGate.Policy => ({
  ...gate,
  non_inferiority: { sharpe_ratio: non_inferiority.sharpe_ratio, drawdown_slack: non_inferiority.drawdown_margin },
})

const number = (value: number | null) => (value === null ? "missing" : String(Number(value.toPrecision(4))))

/** A criterion that is not met, as a sentence. */
const reasonOf = ({ comparison, name, observed, threshold }: BacktestGate.Criterion): string =>
  `${name} is ${number(observed)}, must be ${comparison} ${number(threshold)}`

/**
 * Judges what was found. A slot without a deployed model has nothing to be inferior to; a deployed model whose backtest
 * nobody knows is a warning. With a strict policy a warning fails.
 */
export const judge = (
  { bundle, file }: Candidate,
  { intervals, performance, shifted, simulation }: Evaluation,
  policy: BacktestPolicySection,
  evidence: { readonly champion: Option.Option<ModelRow>; readonly now: number },
): Judgement => {
  const nonInferiority = deployedNumbers(evidence.champion)
  const tripwires = Tripwires.tripwires({
    base: performance,
    shifted,
    leastRatio: leastShiftedShare,
    timestamp: simulation.timestamp,
    barMillis: simulation.barMillis,
    now: evidence.now,
    embargo: file.gapBars,
    requiredEmbargo: bundle.featureSchema.labels.horizon,
  })
  const unknown =
    Option.isSome(evidence.champion) && !nonInferiority.compared
      ? [
          BacktestGate.criterion("sharpe_vs_deployed", performance.sharpe, ">=", null, "warn"),
          BacktestGate.criterion("max_drawdown_vs_deployed", performance.maxDrawdown, "<=", null, "warn"),
        ]
      : []
  const judged = BacktestGate.judge(performance, policyOf(policy), {
    intervals,
    deployed: nonInferiority.compared
      ? { ...performance, sharpe: nonInferiority.sharpe, maxDrawdown: nonInferiority.maxDrawdown }
      : undefined,
    tripwires: [...tripwires, ...unknown],
  })
  const failsByStrictness = judged.verdict === "WARNED" && policy.gate.strict
  return {
    verdict: failsByStrictness ? "FAILED" : judged.verdict,
    criteria: judged.criteria,
    nonInferiority,
    reasons: [
      ...judged.criteria.filter((each) => !each.passed).map(reasonOf),
      ...(failsByStrictness ? ["the policy is strict: a warning fails"] : []),
    ],
  }
}
