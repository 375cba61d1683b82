/** A calibrated classifier: one of the two model kinds, and the function that turns its scores into probabilities. */
import * as Schema from "effect/Schema"
import * as Boosting from "./boosting.ts"
import * as Isotonic from "./isotonic.ts"
import * as Logistic from "./logistic.ts"
import * as Matrix from "./matrix.ts"
import * as Metrics from "./metrics.ts"

export type { LabelValues, Matrix } from "./matrix.ts"

/** An uncalibrated model of either kind, told apart by `kind`. */
export const Model = Schema.Union([Logistic.LogisticModel, Boosting.BoostingModel])
export type Model = typeof Model.Type

/**
 * Isotonic calibration. Its results are kept `margin` away from 0 and 1, because so many scores cannot prove certainty;
 * it is 1 / (scores + 2), Laplace's rule of succession.
 */
export const Calibration = Schema.Struct({ isotonic: Isotonic.IsotonicModel, margin: Schema.Finite })
export type Calibration = typeof Calibration.Type

/** What is written as `model_ai1.json` and `model_ai2.json`. */
export const Classifier = Schema.Struct({ model: Model, calibration: Calibration })
export type Classifier = typeof Classifier.Type

/** What to fit: the model kind and its options. */
export type Trainer =
  | { readonly kind: "logistic"; readonly options?: Logistic.LogisticOptions }
  | { readonly kind: "boosting"; readonly options?: Boosting.BoostingOptions }

/** Rows to fit on and rows to test on. */
export interface Fold {
  readonly train: Int32Array
  readonly test: Int32Array
}

/** Fits the trainer's model to all rows. */
export const train = (matrix: Matrix.Matrix, labels: Matrix.LabelValues, trainer: Trainer): Model =>
  trainer.kind === "logistic"
    ? Logistic.fit(matrix, labels, trainer.options)
    : Boosting.fit(matrix, labels, trainer.options)

/** The model's own probability per row, before calibration. */
export const score = (model: Model, matrix: Matrix.Matrix): Float64Array =>
  model.kind === "logistic" ? Logistic.predict(model, matrix) : Boosting.predict(model, matrix)

/** Scores of rows by models that did not see them. */
export interface OutOfFold {
  /** Per row; NaN where no fold tests the row. */
  readonly scores: Float64Array
  /** The fold that tested the row, −1 for none. */
  readonly fold: Int32Array
  /** The uncalibrated scores' metrics, per fold. */
  readonly metrics: ReadonlyArray<Metrics.Report>
}

const rowsOf = (fold: Int32Array, wanted: (fold: number) => boolean): Int32Array => {
  const rows = new Int32Array(fold.length)
  let count = 0
  for (let i = 0; i < fold.length; i++) if (wanted(fold[i])) rows[count++] = i
  return rows.subarray(0, count)
}

const reportOf = (labels: Matrix.LabelValues, probabilities: Float64Array, rows: Int32Array, threshold: number) =>
  Metrics.report(Matrix.takeColumn(labels, rows), Matrix.takeColumn(probabilities, rows), threshold)

/**
 * Fits one model per fold to its train rows and scores its test rows. `threshold` is for precision, recall and F1.
 * RangeError when a row is tested twice or a fold tests what it trains on.
 */
export const outOfFold = (
  matrix: Matrix.Matrix,
  labels: Matrix.LabelValues,
  folds: ReadonlyArray<Fold>,
  trainer: Trainer,
  threshold = 0.5,
): OutOfFold => {
  Matrix.assertLabelled(matrix, labels)
  const scores = new Float64Array(matrix.rows).fill(Number.NaN)
  const fold = new Int32Array(matrix.rows).fill(-1)
  const metrics = folds.map(({ train: seen, test }, k) => {
    for (const row of test) {
      if (fold[row] !== -1) throw new RangeError(`Row ${row} is tested by the folds ${fold[row]} and ${k}`)
      fold[row] = k
    }
    const leaked = seen.find((row) => fold[row] === k)
    if (leaked !== undefined) throw new RangeError(`Fold ${k} both trains on row ${leaked} and tests it`)
    const model = train(Matrix.take(matrix, seen), Matrix.takeColumn(labels, seen), trainer)
    const scored = score(model, Matrix.take(matrix, test))
    for (let i = 0; i < test.length; i++) scores[test[i]] = scored[i]
    return reportOf(labels, scores, test, threshold)
  })
  return { scores, fold, metrics }
}

/** Fits the calibration to scores that no model was fitted to. */
export const calibrate = (scores: ArrayLike<number>, labels: Matrix.LabelValues): Calibration => ({
  isotonic: Isotonic.fit(scores, labels),
  margin: 1 / (scores.length + 2),
})

/** The calibrated probability per score; NaN stays NaN. */
export const applyCalibration = ({ isotonic, margin }: Calibration, scores: ArrayLike<number>): Float64Array =>
  Isotonic.apply(isotonic, scores).map((value) => Math.min(1 - margin, Math.max(margin, value)))

/**
 * Probability per row by a calibration that was fitted to the scores and labels of the other folds only. (Those scores
 * come from models that may have trained on the row, so its label has a second-order effect that only nested folds would
 * remove.) NaN where there is no score, or no other fold to calibrate on.
 */
export const crossCalibrate = ({ scores, fold }: OutOfFold, labels: Matrix.LabelValues): Float64Array => {
  const probabilities = new Float64Array(scores.length).fill(Number.NaN)
  for (const k of new Set(fold)) {
    const others = rowsOf(fold, (other) => other !== k && other !== -1)
    if (k === -1 || others.length === 0) continue
    const calibration = calibrate(Matrix.takeColumn(scores, others), Matrix.takeColumn(labels, others))
    const own = rowsOf(fold, (other) => other === k)
    const values = applyCalibration(calibration, Matrix.takeColumn(scores, own))
    for (let i = 0; i < own.length; i++) probabilities[own[i]] = values[i]
  }
  return probabilities
}

/** How a classifier does on rows that neither the model that scored them nor their calibration was fitted to. */
export interface Evaluation {
  /** Cross-fitted calibrated probability per row; NaN where no fold tests the row. */
  readonly probabilities: Float64Array
  readonly folds: ReadonlyArray<{ readonly uncalibrated: Metrics.Report; readonly calibrated: Metrics.Report }>
  readonly uncalibrated: Metrics.Report
  readonly calibrated: Metrics.Report
}

/** Cross-fits the calibration of out-of-fold scores and measures it, by fold and over all tested rows. */
export const evaluate = (scored: OutOfFold, labels: Matrix.LabelValues, threshold = 0.5): Evaluation => {
  const probabilities = crossCalibrate(scored, labels)
  const tested = rowsOf(scored.fold, (k) => k !== -1)
  const folds = scored.metrics.map((uncalibrated, k) => ({
    uncalibrated,
    calibrated: reportOf(
      labels,
      probabilities,
      rowsOf(scored.fold, (other) => other === k),
      threshold,
    ),
  }))
  return {
    probabilities,
    folds,
    uncalibrated: reportOf(labels, scored.scores, tested, threshold),
    calibrated: reportOf(labels, probabilities, tested, threshold),
  }
}

/**
 * Fits the model to all rows and its calibration to the out-of-fold scores of `folds`, and evaluates out of fold.
 * RangeError when no fold tests a row.
 */
export const fit = (
  matrix: Matrix.Matrix,
  labels: Matrix.LabelValues,
  folds: ReadonlyArray<Fold>,
  trainer: Trainer,
  threshold = 0.5,
): { readonly classifier: Classifier; readonly evaluation: Evaluation } => {
  const scored = outOfFold(matrix, labels, folds, trainer, threshold)
  const tested = rowsOf(scored.fold, (k) => k !== -1)
  const calibration = calibrate(Matrix.takeColumn(scored.scores, tested), Matrix.takeColumn(labels, tested))
  return {
    classifier: { model: train(matrix, labels, trainer), calibration },
    evaluation: evaluate(scored, labels, threshold),
  }
}

/** Calibrated probability of label 1 per row; NaN where the model gives none. */
export const predict = ({ model, calibration }: Classifier, matrix: Matrix.Matrix): Float64Array =>
  applyCalibration(calibration, score(model, matrix))
