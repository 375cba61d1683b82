/** The backtest itself: pure, and the same for the same candidate, configuration and seed. */
import type { BacktestPolicySection } from "../../src/domain/config/backtest-policy.ts"
import type { CostTableSection } from "../../src/domain/config/cost-table.ts"
import type { Ohlcv, PairBars } from "../../src/market/bars.ts"
import * as Bootstrap from "../../src/market/bootstrap.ts"
import * as DailyEquity from "../../src/market/daily-equity.ts"
import * as Features from "../../src/market/features.ts"
import * as Labels from "../../src/market/labels.ts"
import * as Matrix from "../../src/market/matrix.ts"
import * as Metrics from "../../src/market/metrics.ts"
import * as Bundle from "../../src/market/model-bundle.ts"
import * as Performance from "../../src/market/performance.ts"
import * as Simulator from "../../src/market/simulator.ts"
import * as Stress from "../../src/market/stress.ts"
import * as Tripwires from "../../src/market/tripwires.ts"
import type { Candidate } from "./candidate.ts"
import type { StressOutcome } from "./schema.ts"

/** What a backtest found. All performances are over the same bars, from the first to the last out-of-sample one. */
export interface Evaluation {
  readonly simulation: Simulator.Simulation
  readonly performance: Performance.Performance
  readonly shifted: Performance.Performance
  readonly baseline: Performance.Performance
  readonly inSample: Performance.Performance
  readonly classifiers: { readonly ai1: Metrics.Report; readonly ai2: Metrics.Report }
  readonly intervals: Bootstrap.Intervals
  /** The stress scenarios one by one, in the policy's order: each is as long a work as all of the above. */
  readonly stress: ReadonlyArray<() => StressOutcome>
}

/** How it is traded, and the seed of everything that is drawn. */
export interface Conditions {
  readonly policy: BacktestPolicySection
  readonly costs: CostTableSection
  readonly seed: number
}

const mapLeg = (leg: Ohlcv, change: (column: Float64Array, name: keyof Ohlcv) => Float64Array): Ohlcv => ({
  open: change(leg.open, "open"),
  high: change(leg.high, "high"),
  low: change(leg.low, "low"),
  close: change(leg.close, "close"),
  volume: change(leg.volume, "volume"),
})

const slicePair = (pair: PairBars, from: number, until: number): PairBars => ({
  timeframe: pair.timeframe,
  timestamp: pair.timestamp.subarray(from, until),
  a: mapLeg(pair.a, (column) => column.subarray(from, until)),
  b: mapLeg(pair.b, (column) => column.subarray(from, until)),
})

const joined = (head: Float64Array, tail: Float64Array): Float64Array => {
  const column = new Float64Array(head.length + tail.length)
  column.set(head)
  column.set(tail, head.length)
  return column
}

/** The bars before the judged ones, so that windows are full, and then these. */
const after = (history: PairBars, pair: PairBars): PairBars => ({
  timeframe: pair.timeframe,
  timestamp: joined(history.timestamp, pair.timestamp),
  a: mapLeg(pair.a, (column, name) => joined(history.a[name], column)),
  b: mapLeg(pair.b, (column, name) => joined(history.b[name], column)),
})

const tail = (signals: Simulator.Signals, from: number): Simulator.Signals => ({
  z: signals.z.subarray(from),
  beta: signals.beta.subarray(from),
  returnProb: signals.returnProb.subarray(from),
  riskScore: signals.riskScore.subarray(from),
})

/** Both classifiers on the labelled ones of the out-of-sample bars; "predicted" is beyond θ. */
const classifiersOf = ({ bundle, pair, placed }: Candidate): Evaluation["classifiers"] => {
  const { labels: spec, spec: windows } = bundle.featureSchema
  const table = Features.features(pair, windows)
  const report = (labels: Labels.Labels, probabilities: Float64Array, threshold: number) => {
    const known = Int32Array.from(labels.rows.keys()).filter((i) => !Number.isNaN(probabilities[labels.rows[i]]))
    const rows = Matrix.takeColumn(labels.rows, known)
    return Metrics.report(
      Matrix.takeColumn(labels.values, known),
      rows.map((row) => probabilities[row]),
      threshold,
    )
  }
  return {
    ai1: report(Labels.reversion(table, spec), placed.returnProb, bundle.theta.theta1),
    ai2: report(Labels.risk(table, spec), placed.riskScore, bundle.theta.theta2),
  }
}

const signalsUsed = (kind: keyof Stress.Policy): StressOutcome["signals"] =>
  kind === "cost_bps" || kind === "latency_bars" ? "out_of_sample" : "final_model"

const none: Stress.Policy = { volatility: [], correlation: [], cost_bps: [], latency_bars: [], gap_percent: [] }

const stressOf = (
  input: Simulator.Input,
  policy: Stress.Policy,
  options: Parameters<typeof Stress.run>[2],
): Evaluation["stress"] =>
  (["volatility", "correlation", "cost_bps", "latency_bars", "gap_percent"] as const).flatMap((kind) =>
    policy[kind].map((value) => () => {
      const [outcome] = Stress.run(input, { ...none, [kind]: [value] }, options)
      return { ...outcome, signals: signalsUsed(kind) }
    }),
  )

/**
 * Trades the out-of-sample signals, and the same bars under every condition that the gate and the report need. On
 * stressed bars the final model is asked again, so their measure is the final model on the unchanged bars, which is the
 * first of the stress outcomes.
 */
export const evaluate = (candidate: Candidate, { costs, policy, seed }: Conditions): Evaluation => {
  const { bundle, instruments, pair, placed } = candidate
  const { from, until } = placed
  const judged = slicePair(pair, from, until)
  const history = slicePair(pair, 0, from)
  const respond = (bars: PairBars) => tail(Bundle.signals(bundle, after(history, bars)), from)
  const fitted = respond(judged)
  const returnProb = placed.returnProb.subarray(from, until)
  const riskScore = placed.riskScore.subarray(from, until)
  const signals = { z: fitted.z, beta: fitted.beta, returnProb, riskScore }
  const input: Simulator.Input = {
    ...signals,
    pair: judged,
    theta1: bundle.theta.theta1,
    theta2: bundle.theta.theta2,
    policy: policy.trading,
    costs,
    instruments,
    capital: policy.capital_usd,
    leverage: policy.leverage,
  }
  const measured = (changed: Simulator.Signals) => Performance.measure(Simulator.simulate({ ...input, ...changed }))
  const simulation = Simulator.simulate(input)
  const certain = returnProb.map((value, row) => (Number.isNaN(value) || Number.isNaN(riskScore[row]) ? Number.NaN : 1))
  const inSample = measured(fitted)
  return {
    simulation,
    performance: Performance.measure(simulation),
    shifted: measured(Tripwires.oneBarLater(signals)),
    baseline: measured({ ...signals, returnProb: certain, riskScore: certain.map((value) => value - 1) }),
    inSample,
    classifiers: classifiersOf(candidate),
    intervals: Bootstrap.intervals(DailyEquity.returns(simulation.daily, simulation.capital), {
      seed,
      samples: policy.bootstrap.samples,
      level: policy.bootstrap.confidence,
      blockLength: policy.bootstrap.block_days,
    }),
    stress: [
      () => ({ name: "unchanged bars", kind: "unchanged", value: 0, signals: "final_model", performance: inSample }),
      ...stressOf(input, policy.stress, { seed, respond }),
    ],
  }
}
