/**
 * From two legs' bars to a model (05-tasks.md, `train`): pure and deterministic, so the same bars, configuration and seed
 * give the same files, byte for byte. The fitting of the folds lies between `prepare` and `finish`, because it is long,
 * and because any program may do it (`tasks/train/README.md`).
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { DqSection } from "../domain/config/dq.ts"
import type { TrainingSection } from "../domain/config/training.ts"
import type { UniversePair } from "../domain/config/universe.ts"
import type { Slot } from "../domain/model.ts"
import { align, type Bars } from "./bars.ts"
import * as Degenerate from "./degenerate.ts"
import { headline } from "./headline.ts"
import * as Bundle from "./model-bundle.ts"
import * as OutOfSample from "./out-of-sample.ts"
import type * as Scaling from "./scaling.ts"
import { purgeOf } from "./splits.ts"
import type { Theta, Trial } from "./theta.ts"
import { ClassifierMetrics, evaluate } from "./training-evaluation.ts"
import type { Fitted } from "./training-fit.ts"
import { examine, type PreprocessReport } from "./training-preprocess.ts"
import * as Samples from "./training-samples.ts"
import * as TrainingTheta from "./training-theta.ts"

/** The sections of the configuration that a training reads. */
export interface TrainingConfig extends TrainingTheta.Trading {
  readonly training: TrainingSection
  readonly dq: DqSection
}

/** Why a training has no model: what the data or the result lacks. */
export interface Reason {
  readonly code: Degenerate.Reason["code"] | "too_few_bars" | "preprocess"
  readonly message: string
}

const Measured = Schema.NullOr(Schema.Finite)
const Simulated = Schema.Struct({
  annualReturn: Measured,
  sharpe: Measured,
  maxDrawdown: Measured,
  tradesPerYear: Measured,
  winRate: Measured,
  profitFactor: Measured,
  exposure: Measured,
  haltRate: Measured,
  trades: Schema.Int,
  years: Schema.Finite,
  netProfit: Schema.Finite,
  totalCosts: Schema.Finite,
})

/**
 * `metrics.json`: out-of-sample figures of both classifiers, and of the strategy on out-of-fold signals at the chosen θ
 * (units: `performance.ts`).
 */
export const MetricsFile = Schema.Struct({
  ai1: ClassifierMetrics,
  ai2: ClassifierMetrics,
  outOfFoldSimulation: Simulated,
})
export type MetricsFile = typeof MetricsFile.Type

/** What a training starts from. */
export interface Prepared {
  readonly samples: Samples.Samples
  readonly preprocess: PreprocessReport
}

/** A trial of θ; its objective is null where it is not defined. */
export type ReportedTrial = Omit<Trial, "objective"> & { readonly objective: number | null }

/** Everything that is worth reading about a training; JSON. */
export interface Report {
  readonly slot: Slot
  readonly metrics: MetricsFile
  readonly theta: Bundle.ThetaFile & { readonly trials: ReadonlyArray<ReportedTrial> }
  readonly params: unknown
  readonly preprocess: PreprocessReport
}

/** A trained model: the texts of its files by name (without provenance), its headline metrics, and the full report. */
export interface Trained {
  readonly files: Readonly<Record<string, string>>
  readonly metrics: Readonly<Record<string, number>>
  readonly theta: Theta
  readonly warnings: ReadonlyArray<string>
  readonly report: Report
}

const countReasons = (samples: Samples.Samples): ReadonlyArray<Reason> =>
  Samples.classifierNames.flatMap((name) => {
    const values = samples.labels[name].filter((label) => !Number.isNaN(label))
    const positives = values.reduce((sum, label) => sum + label, 0)
    return named(name, Degenerate.assess({ rows: values.length, positives }, { metrics: [] }))
  })

const named = (name: Samples.ClassifierName, reasons: ReadonlyArray<Degenerate.Reason>): ReadonlyArray<Reason> =>
  reasons.map(({ code, message }) => ({ code, message: `${name}: ${message}` }))

/**
 * Aligns the legs, computes features, labels and folds. Fails with every reason why these bars cannot be trained on:
 * too many bad ones, too few for the splits, labels of one class or with too few of the rarer one.
 */
export const prepare = (a: Bars, b: Bars, config: TrainingConfig): Result.Result<Prepared, ReadonlyArray<Reason>> => {
  const pair = align(a, b)
  const made = Samples.make(pair, config.training)
  const rows = Result.isSuccess(made) ? made.success.rows.length : 0
  const preprocess = examine(
    [a, b],
    { alignedBars: pair.timestamp.length, completeRows: rows },
    config.training.feature_builder,
    config.dq.checks,
  )
  const refused = preprocess.refused.map((message): Reason => ({ code: "preprocess", message }))
  if (Result.isFailure(made)) return Result.fail([...refused, { code: "too_few_bars", message: made.failure.message }])
  const reasons = [...refused, ...countReasons(made.success)]
  return reasons.length > 0 ? Result.fail(reasons) : Result.succeed({ samples: made.success, preprocess })
}

/** What identifies a training beside its bars and its configuration; `trainer` is recorded as it is. */
export interface TrainingContext {
  readonly slot: Slot
  readonly instruments: UniversePair
  readonly seed: number
  readonly trainer: Readonly<Record<string, unknown>>
}

/**
 * Calibrates, measures, searches θ and writes the files. `scaler` is the one that the fitted models were given. Fails
 * with every reason why the result is degenerate.
 */
export const finish = (
  { preprocess, samples }: Prepared,
  scaler: Scaling.Scaler,
  fitted: Samples.PerClassifier<Fitted>,
  config: TrainingConfig,
  context: TrainingContext,
): Result.Result<Trained, ReadonlyArray<Reason>> => {
  const ai1 = evaluate(samples, "ai1", fitted.ai1)
  const ai2 = evaluate(samples, "ai2", fitted.ai2)
  const assessed = { ai1, ai2 }
  const reasons = Samples.classifierNames.flatMap((name) =>
    named(name, Degenerate.assess(assessed[name]?.metrics.kFold.outOfSample.calibrated ?? {})),
  )
  if (ai1 === undefined || ai2 === undefined || reasons.length > 0) return Result.fail(reasons)
  const found = TrainingTheta.search(
    samples,
    { ai1: ai1.probabilities, ai2: ai2.probabilities },
    context.instruments,
    config,
    context.seed,
  )
  const metrics: MetricsFile = { ai1: ai1.metrics, ai2: ai2.metrics, outOfFoldSimulation: found.performance }
  const { labelSpec, spec, splitSpec } = samples
  const params = {
    seed: context.seed,
    trainer: context.trainer,
    scaler: { winsor: scaler.winsor, clip: scaler.clip },
    splits: { ...splitSpec, purge: purgeOf(splitSpec, labelSpec.horizon) },
    degenerate: Degenerate.defaults,
    theta: TrainingTheta.policyOf(config.core_policy),
    trading: config.backtest_policy.trading,
  }
  const files = {
    ...Bundle.encode({
      ai1: { model: fitted.ai1.model, calibration: ai1.calibration },
      ai2: { model: fitted.ai2.model, calibration: ai2.calibration },
      theta: found.file,
      featureSchema: { slot: context.slot, features: samples.features.names, spec, labels: labelSpec, scaler },
    }),
    [Bundle.fileNames.metrics]: Bundle.jsonText(metrics),
    [Bundle.fileNames.params]: Bundle.jsonText(params),
    [Bundle.fileNames.preprocessReport]: Bundle.jsonText(preprocess),
    [Bundle.fileNames.outOfSample]: Bundle.jsonText(
      OutOfSample.make(samples, { ai1: fitted.ai1.walkForward, ai2: fitted.ai2.walkForward }),
    ),
  }
  const trials = found.search.trials.map((trial) => ({
    ...trial,
    objective: Number.isFinite(trial.objective) ? trial.objective : null,
  }))
  return Result.succeed({
    files,
    metrics: headline(metrics, found.file),
    theta: found.search.theta,
    warnings: preprocess.warnings,
    report: { slot: context.slot, metrics, theta: { ...found.file, trials }, params, preprocess },
  })
}
