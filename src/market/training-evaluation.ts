/** How a trainer's scores do out of sample, and the calibration that goes with the final model. */
import * as Schema from "effect/Schema"
import * as Classifier from "./classifier.ts"
import * as Matrix from "./matrix.ts"
import * as Metrics from "./metrics.ts"
import type { Fold } from "./splits.ts"
import type { Fitted } from "./training-fit.ts"
import * as Samples from "./training-samples.ts"

const Pair = Schema.Struct({ uncalibrated: Metrics.Report, calibrated: Metrics.Report })
const Split = Schema.Struct({
  outOfSample: Pair,
  folds: Schema.Array(
    Schema.Struct({
      from: Schema.String,
      until: Schema.String,
      uncalibrated: Metrics.Report,
      calibrated: Metrics.Report,
    }),
  ),
})

/**
 * Metrics of one classifier on labelled samples that its models did not see, base rates beside them. `from` and `until`
 * are the first and the last bar of a fold's test block. A fold whose calibration has nothing to learn from counts in
 * `uncalibrated` only.
 */
export const ClassifierMetrics = Schema.Struct({ kFold: Split, walkForward: Split })
export type ClassifierMetrics = typeof ClassifierMetrics.Type

/** A classifier's metrics, its calibration, and calibrated out-of-fold probabilities per sample (NaN where none). */
export interface Evaluated {
  readonly metrics: ClassifierMetrics
  readonly calibration: Classifier.Calibration
  readonly probabilities: Float64Array
}

const scoredOnly = (scores: Float64Array, samples: Int32Array) =>
  samples.filter((sample) => !Number.isNaN(scores[sample]))

/** Calibrates each fold's scores on those labelled samples of other folds that it may learn from. */
const crossCalibrate = (
  scores: Float64Array,
  labels: Float64Array,
  folds: ReadonlyArray<Fold>,
  mayLearnFrom: (sample: number, fold: Fold) => boolean,
): Float64Array => {
  const probabilities = new Float64Array(scores.length).fill(Number.NaN)
  folds.forEach((fold, k) => {
    const { test } = fold
    const known = folds.flatMap((other, i) =>
      i === k
        ? []
        : [...scoredOnly(scores, Samples.labelled(labels, other.test))].filter((sample) => mayLearnFrom(sample, fold)),
    )
    if (known.length === 0) return
    const samples = Int32Array.from(known)
    const calibration = Classifier.calibrate(Matrix.takeColumn(scores, samples), Matrix.takeColumn(labels, samples))
    const values = Classifier.applyCalibration(calibration, Matrix.takeColumn(scores, test))
    test.forEach((sample, i) => (probabilities[sample] = values[i]))
  })
  return probabilities
}

const time = (millis: number) => new Date(millis).toISOString()

const measure = (
  samples: Samples.Samples,
  labels: Float64Array,
  folds: ReadonlyArray<Fold>,
  scores: Float64Array,
  probabilities: Float64Array,
) => {
  const report = (values: Float64Array, tested: Int32Array) => {
    const rows = scoredOnly(values, Samples.labelled(labels, tested))
    return Metrics.report(Matrix.takeColumn(labels, rows), Matrix.takeColumn(values, rows), 0.5)
  }
  const pair = (tested: Int32Array) => ({
    uncalibrated: report(scores, tested),
    calibrated: report(probabilities, tested),
  })
  const { timestamp } = samples.table
  return {
    outOfSample: pair(Int32Array.from(folds.flatMap(({ test }) => [...test]))),
    folds: folds.map(({ from, test, until }) => ({
      from: time(timestamp[from]),
      until: time(timestamp[until - 1]),
      ...pair(test),
    })),
  }
}

/**
 * Evaluates one classifier. K-fold: each fold is calibrated on the others; walk-forward: on earlier samples whose labels
 * were known when it began. The calibration of the final model is fitted to all K-fold scores, which no model saw in training. Undefined when no
 * labelled sample has a score.
 */
export const evaluate = (
  samples: Samples.Samples,
  name: Samples.ClassifierName,
  fitted: Pick<Fitted, "kFold" | "walkForward">,
): Evaluated | undefined => {
  const labels = samples.labels[name]
  const known = scoredOnly(fitted.kFold, Samples.labelled(labels, Samples.every(samples)))
  if (known.length === 0) return undefined
  const { horizon, riskLead } = samples.labelSpec
  const ahead = Math.max(horizon, riskLead)
  const kFold = crossCalibrate(fitted.kFold, labels, samples.kFold, () => true)
  const walkForward = crossCalibrate(
    fitted.walkForward,
    labels,
    samples.walkForward,
    (sample, { from }) => samples.rows[sample] + ahead < from,
  )
  return {
    calibration: Classifier.calibrate(Matrix.takeColumn(fitted.kFold, known), Matrix.takeColumn(labels, known)),
    probabilities: kFold,
    metrics: {
      kFold: measure(samples, labels, samples.kFold, fitted.kFold, kFold),
      walkForward: measure(samples, labels, samples.walkForward, fitted.walkForward, walkForward),
    },
  }
}
