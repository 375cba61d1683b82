import * as Schema from "effect/Schema"
import { Artifact } from "../../src/domain/artifact.ts"
import { GateResult, Verdict } from "../../src/domain/gate.ts"
import { GatedModel, Model } from "../../src/domain/model.ts"
import { Report } from "../../src/market/metrics.ts"

/** A model with its data. `seed` is of the bootstrap and of the stress scenarios. */
export const BacktestInput = Schema.Struct({
  model: Model.annotate({ description: "the model that is tried, with its data: the output of a train task" }),
  seed: Schema.optionalKey(Schema.Int).annotate({ description: "of bootstrap and stress; default 0" }),
}).annotate({ identifier: "BacktestInput" })
export type BacktestInput = typeof BacktestInput.Type

const measured = (description: string) => Schema.NullOr(Schema.Finite).annotate({ description })

/** What a simulation amounts to. Null is "not defined", never 0. */
export const PerformanceNumbers = Schema.Struct({
  annualReturn: measured("compound return per year, a fraction"),
  sharpe: measured("annual Sharpe ratio of daily returns, no risk-free rate"),
  maxDrawdown: measured("largest fall below the highest equity before it, by bar, a fraction"),
  tradesPerYear: measured("closed trades per year"),
  winRate: measured("share of trades with a net profit, a fraction"),
  profitFactor: measured("net of winning trades over net of losing ones"),
  exposure: measured("share of bars that close with a position, a fraction"),
  haltRate: measured("share of entry signals that the risk score vetoed, a fraction"),
  trades: Schema.Int,
  years: Schema.Finite.annotate({ description: "of 365.25 days" }),
  netProfit: Schema.Finite.annotate({ description: "US dollars" }),
  totalCosts: Schema.Finite.annotate({ description: "US dollars" }),
}).annotate({ identifier: "PerformanceNumbers" })
export type PerformanceNumbers = typeof PerformanceNumbers.Type

/** One judged number. A null is missing and does not pass; `warn` does not fail the gate unless its policy is strict. */
export const BacktestCriterion = Schema.Struct({
  name: Schema.String.annotate({
    description:
      "sharpe: annual; max_drawdown, halt_rate, shifted_sharpe_ratio: fractions; embargo_bars: bars; the rest: counts",
  }),
  observed: Schema.NullOr(Schema.Finite),
  comparison: Schema.Literals([">", ">=", "<", "<=", "="]),
  threshold: Schema.NullOr(Schema.Finite),
  severity: Schema.Literals(["error", "warn"]),
  passed: Schema.Boolean,
}).annotate({ identifier: "BacktestCriterion" })
export type BacktestCriterion = typeof BacktestCriterion.Type

/** One stress scenario. `signals` says whose they are: on changed bars only the final model can be asked. */
export const StressOutcome = Schema.Struct({
  name: Schema.String,
  kind: Schema.Literals(["unchanged", "volatility", "correlation", "cost_bps", "latency_bars", "gap_percent"]),
  value: Schema.Finite,
  signals: Schema.Literals(["out_of_sample", "final_model"]),
  performance: PerformanceNumbers,
}).annotate({ identifier: "StressOutcome" })
export type StressOutcome = typeof StressOutcome.Type

const Interval = Schema.NullOr(Schema.Struct({ low: Schema.Finite, median: Schema.Finite, high: Schema.Finite }))

/** Confidence intervals of the block bootstrap; null where too few of the redrawn series define the number. */
export const BootstrapIntervals = Schema.Struct({
  sharpe: Interval,
  maxDrawdown: Interval.annotate({ description: "by day, a fraction" }),
  level: Schema.Finite,
  samples: Schema.Int,
  blockLength: Schema.Finite.annotate({ description: "mean length of a block in trading days" }),
}).annotate({ identifier: "BootstrapIntervals" })
export type BootstrapIntervals = typeof BootstrapIntervals.Type

/** Which bars were judged: those that a walk-forward model scored before it could know them. */
export const OutOfSampleRows = Schema.Struct({
  method: Schema.Literal("walk-forward"),
  from: Schema.String.annotate({ description: "start of the first bar, ISO 8601" }),
  until: Schema.String.annotate({ description: "start of the last bar, ISO 8601" }),
  rows: Schema.Int.annotate({ description: "bars with out-of-sample probabilities; only they are traded" }),
  bars: Schema.Int.annotate({ description: "bars from the first to the last of them" }),
  allBars: Schema.Int.annotate({ description: "bars of the pair in the data" }),
  folds: Schema.Int.annotate({ description: "walk-forward folds that they are of; the first fold only calibrates" }),
  gapBars: Schema.Int.annotate({ description: "least number of bars between training and test" }),
}).annotate({ identifier: "OutOfSampleRows" })
export type OutOfSampleRows = typeof OutOfSampleRows.Type

/** The deployed model's numbers, where it has some; why there is no comparison, where there is none. */
export const NonInferiority = Schema.Union([
  Schema.Struct({
    compared: Schema.Literal(true),
    version: Schema.String,
    sharpe: Schema.Finite,
    maxDrawdown: Schema.Finite,
  }),
  Schema.Struct({ compared: Schema.Literal(false), reason: Schema.String }),
]).annotate({ identifier: "NonInferiority" })
export type NonInferiority = typeof NonInferiority.Type

/** The numbers of a backtest. The gate reads `performance`; the others are what it has to be seen against. */
export const BacktestSummary = Schema.Struct({
  outOfSample: OutOfSampleRows,
  performance: PerformanceNumbers,
  shifted: PerformanceNumbers.annotate({ description: "every signal one bar later" }),
  baseline: PerformanceNumbers.annotate({ description: "the same rules on z alone, without the classifiers" }),
  inSample: PerformanceNumbers.annotate({ description: "the final model, which was fitted to these bars; not judged" }),
  classifiers: Schema.Struct({ ai1: Report, ai2: Report }).annotate({
    description: "on the labelled ones of the judged bars, base rates beside; ai1 threshold is θ1, ai2's is θ2",
  }),
  bootstrap: BootstrapIntervals,
  nonInferiority: NonInferiority,
}).annotate({ identifier: "BacktestSummary" })
export type BacktestSummary = typeof BacktestSummary.Type

/** The verdict on a model. `Gated` is what the type of a passed model says; the receipt is its proof. */
export const BacktestOutput = Schema.Struct({
  verdict: Verdict,
  model: GatedModel,
  summary: BacktestSummary,
  criteria: Schema.Array(BacktestCriterion),
  stress: Schema.Array(StressOutcome),
  files: Schema.Array(Artifact),
  page: Artifact.annotate({ description: "tear sheet, HTML" }),
  gate: GateResult,
}).annotate({ identifier: "BacktestOutput" })
export type BacktestOutput = typeof BacktestOutput.Type
