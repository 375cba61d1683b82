/** The built-in trainer: both classifiers fitted to one fold, and to everything. */
import * as Classifier from "./classifier.ts"
import * as Matrix from "./matrix.ts"
import type * as Scaling from "./scaling.ts"
import type { Fold } from "./splits.ts"
import * as Samples from "./training-samples.ts"

/** What a trainer hands over for one classifier: the final model, and scores of samples by models that did not see them. */
export interface Fitted {
  readonly model: Classifier.Model
  /** Per sample, by the model of the fold that tests it; NaN where no fold does. */
  readonly kFold: Float64Array
  readonly walkForward: Float64Array
}

/** The kinds of model that the built-in trainer knows. */
export type ModelKind = Classifier.Trainer["kind"]

/**
 * Options of both classifiers. AI1 has few samples (events do not overlap), so it is kept simple; AI2 has one per bar
 * and thresholds to find, which suits trees.
 */
export const trainers = (
  kind: ModelKind | undefined,
  options: { readonly seed: number; readonly classRatio: number },
): Samples.PerClassifier<Classifier.Trainer> => {
  const { classRatio, seed } = options
  const boosting = (shape: { readonly trees: number; readonly leaves: number; readonly minSamplesLeaf: number }) => ({
    kind: "boosting" as const,
    options: { ...shape, learningRate: 0.1, subsample: 0.8, bins: 63, l2: 5, classRatio, seed },
  })
  const logistic = (c: number) => ({ kind: "logistic" as const, options: { c, classRatio } })
  return {
    ai1: kind === "boosting" ? boosting({ trees: 40, leaves: 4, minSamplesLeaf: 10 }) : logistic(0.05),
    ai2: kind === "logistic" ? logistic(1) : boosting({ trees: 60, leaves: 15, minSamplesLeaf: 40 }),
  }
}

const fitTo = (
  matrix: Matrix.Matrix,
  labels: Float64Array,
  samples: Int32Array,
  trainer: Classifier.Trainer,
): Classifier.Model | undefined => {
  const seen = Samples.labelled(labels, samples)
  if (seen.length === 0) return undefined
  return Classifier.train(Matrix.take(matrix, seen), Matrix.takeColumn(labels, seen), trainer)
}

/**
 * Scores of a fold's test samples by models (and a scaler) that know its train samples only; NaN for a classifier
 * that has no labelled train sample.
 */
export const fitFold = (
  samples: Samples.Samples,
  fold: Fold,
  using: Samples.PerClassifier<Classifier.Trainer>,
): Samples.PerClassifier<Float64Array> => {
  const matrix = Samples.scaled(samples, Samples.scalerOf(samples, fold.train))
  const tested = Matrix.take(matrix, fold.test)
  const scores = (name: Samples.ClassifierName) => {
    const model = fitTo(matrix, samples.labels[name], fold.train, using[name])
    return model === undefined ? new Float64Array(fold.test.length).fill(Number.NaN) : Classifier.score(model, tested)
  }
  return { ai1: scores("ai1"), ai2: scores("ai2") }
}

/** The scores of all folds as one column over the samples. */
export const assemble = (
  samples: Samples.Samples,
  folds: ReadonlyArray<Fold>,
  scores: ReadonlyArray<Float64Array>,
): Float64Array => {
  const column = new Float64Array(samples.rows.length).fill(Number.NaN)
  folds.forEach(({ test }, k) => test.forEach((sample, i) => (column[sample] = scores[k][i])))
  return column
}

/** The final models, fitted to every sample; undefined for a classifier without a labelled sample. */
export const refit = (
  samples: Samples.Samples,
  scaler: Scaling.Scaler,
  using: Samples.PerClassifier<Classifier.Trainer>,
): Samples.PerClassifier<Classifier.Model | undefined> => {
  const matrix = Samples.scaled(samples, scaler)
  const all = Samples.every(samples)
  return {
    ai1: fitTo(matrix, samples.labels.ai1, all, using.ai1),
    ai2: fitTo(matrix, samples.labels.ai2, all, using.ai2),
  }
}
