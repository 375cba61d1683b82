/** What a training reads: the complete rows of a pair's features, the two labels, and the folds over them. */
import * as Result from "effect/Result"
import type { TrainingSection } from "../domain/config/training.ts"
import type { PairBars } from "./bars.ts"
import * as Features from "./features.ts"
import * as Labels from "./labels.ts"
import * as Matrix from "./matrix.ts"
import * as Scaling from "./scaling.ts"
import * as Splits from "./splits.ts"

/** The two classifiers of a model. */
export const classifierNames = ["ai1", "ai2"] as const
export type ClassifierName = (typeof classifierNames)[number]

/** One value for each classifier. */
export type PerClassifier<A> = { readonly [K in ClassifierName]: A }

/** Everything that is computed before a model is fitted. Samples are the rows that have every feature. */
export interface Samples {
  readonly pair: PairBars
  readonly table: Features.FeatureTable
  readonly spec: Features.FeatureSpec
  readonly labelSpec: Labels.LabelSpec
  readonly splitSpec: Splits.SplitSpec
  /** Row of the table of each sample, ascending. */
  readonly rows: Int32Array
  /** Unscaled features of the samples. */
  readonly features: Matrix.Matrix
  /** Label of each sample, 0 or 1; NaN where the sample has none. */
  readonly labels: PerClassifier<Float64Array>
  /** Folds over the samples, labelled or not: test blocks in order, train rows purged. */
  readonly kFold: ReadonlyArray<Splits.Fold>
  readonly walkForward: ReadonlyArray<Splits.Fold>
}

/** The split's settings, as `training.yaml` has them. */
export const splitSpecOf = ({ splits }: TrainingSection): Splits.SplitSpec => ({
  folds: splits.folds,
  purge: splits.purge_bars,
  embargo: splits.embargo_bars,
  minBlock: splits.min_block_bars,
  firstDays: splits.walk_forward.initial_days,
  stepDays: splits.walk_forward.step_days,
})

const labelColumn = (samples: Int32Array, length: number, labels: Labels.Labels): Float64Array => {
  const byRow = new Float64Array(length).fill(Number.NaN)
  for (let i = 0; i < labels.rows.length; i++) byRow[labels.rows[i]] = labels.values[i]
  return Float64Array.from(samples, (row) => byRow[row])
}

/** Computes the samples of a pair. Fails where the history is too short for the splits. */
export const make = (
  pair: PairBars,
  training: TrainingSection,
  spec: Features.FeatureSpec = Features.defaultFeatureSpec,
): Result.Result<Samples, Splits.TooFewBars> => {
  const table = Features.features(pair, spec)
  const rows = Features.completeRows(table)
  const bars = table.timestamp.length
  const labelSpec = { ...Labels.defaultLabelSpec, horizon: training.label_horizon_bars }
  const splitSpec = splitSpecOf(training)
  const all = Matrix.make(
    table.names,
    table.names.map((name) => table.columns[name]),
  )
  return Result.gen(function* () {
    const kFold = yield* Splits.purgedKFold(rows, bars, labelSpec.horizon, splitSpec)
    const walkForward = yield* Splits.walkForward(rows, table.timestamp, labelSpec.horizon, splitSpec)
    return {
      pair,
      table,
      spec,
      labelSpec,
      splitSpec,
      rows,
      features: Matrix.take(all, rows),
      labels: {
        ai1: labelColumn(rows, bars, Labels.reversion(table, labelSpec)),
        ai2: labelColumn(rows, bars, Labels.risk(table, labelSpec)),
      },
      kFold,
      walkForward,
    }
  })
}

/** Those of the samples that have a label. */
export const labelled = (labels: Float64Array, samples: Int32Array): Int32Array =>
  samples.filter((sample) => !Number.isNaN(labels[sample]))

/** Indices of all samples. */
export const every = (samples: Samples): Int32Array => Int32Array.from(samples.rows.keys())

/** A scaler that knows the given samples only. */
export const scalerOf = (samples: Samples, seen: Int32Array): Scaling.Scaler =>
  Scaling.fit(Object.fromEntries(samples.features.names.map((name, j) => [name, samples.features.columns[j]])), {
    rows: seen,
  })

/** The samples' features, scaled. */
export const scaled = (samples: Samples, scaler: Scaling.Scaler): Matrix.Matrix => {
  const { columns, names } = samples.features
  const values = Scaling.apply(scaler, Object.fromEntries(names.map((name, j) => [name, columns[j]])))
  return Matrix.make(
    names,
    names.map((name) => values[name]),
  )
}
