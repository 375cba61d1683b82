/**
 * Metrics of probabilities against labels (0 or 1). A metric that is not defined for its input (no rows, a probability
 * that is NaN, one class where two are needed, no row above the threshold) is NaN; in a report it is null.
 */
import * as Schema from "effect/Schema"
import type { LabelValues } from "./matrix.ts"

/** Probabilities (or scores, where only the order counts), one per label. */
export type Probabilities = ArrayLike<number>

const undefinedFor = (labels: LabelValues, probabilities: Probabilities): boolean => {
  if (labels.length !== probabilities.length) {
    throw new RangeError(`${probabilities.length} probabilities for ${labels.length} labels`)
  }
  for (let i = 0; i < probabilities.length; i++) if (Number.isNaN(probabilities[i])) return true
  return labels.length === 0
}

const countPositives = (labels: LabelValues): number => {
  let positives = 0
  for (let i = 0; i < labels.length; i++) positives += labels[i]
  return positives
}

const ascending = (scores: Probabilities): Int32Array => {
  const order = new Int32Array(scores.length)
  for (let i = 0; i < order.length; i++) order[i] = i
  return order.sort((a, b) => scores[a] - scores[b])
}

/** Share of positive labels. */
export const baseRate = (labels: LabelValues): number => countPositives(labels) / labels.length

/** Area under the ROC curve: the Mann–Whitney U of positives over negatives, ties counted half. Needs both classes. */
export const auc = (labels: LabelValues, scores: Probabilities): number => {
  if (undefinedFor(labels, scores)) return Number.NaN
  const order = ascending(scores)
  const positives = countPositives(labels)
  const negatives = labels.length - positives
  let wins = 0
  let negativesBelow = 0
  for (let i = 0; i < order.length;) {
    const score = scores[order[i]]
    let tiedPositives = 0
    let tiedNegatives = 0
    for (; i < order.length && scores[order[i]] === score; i++) {
      if (labels[order[i]] === 1) tiedPositives++
      else tiedNegatives++
    }
    wins += tiedPositives * (negativesBelow + tiedNegatives / 2)
    negativesBelow += tiedNegatives
  }
  return wins / (positives * negatives)
}

/**
 * Standard error of an AUC `area` measured on so many positives and negatives (Hanley and McNeil, "The meaning and use
 * of the area under a ROC curve", Radiology 143, 1982). At `area` 0.5 it is that of a classifier that knows nothing.
 */
export const aucStandardError = (area: number, positives: number, negatives: number): number => {
  const square = area * area
  const q1 = area / (2 - area)
  const q2 = (2 * square) / (1 + area)
  const variance = area * (1 - area) + (positives - 1) * (q1 - square) + (negatives - 1) * (q2 - square)
  return Math.sqrt(Math.max(0, variance) / (positives * negatives))
}

/** Average precision: precision at each distinct score, weighted by the recall gained there. Needs a positive. */
export const prAuc = (labels: LabelValues, scores: Probabilities): number => {
  if (undefinedFor(labels, scores)) return Number.NaN
  const order = ascending(scores)
  const positives = countPositives(labels)
  let found = 0
  let area = 0
  for (let i = order.length - 1; i >= 0;) {
    const score = scores[order[i]]
    const before = found
    for (; i >= 0 && scores[order[i]] === score; i--) found += labels[order[i]]
    area += ((found - before) / positives) * (found / (order.length - 1 - i))
  }
  return positives === 0 ? Number.NaN : area
}

/** Mean negative log likelihood in nats; probabilities are kept 2^-52 away from 0 and 1, as scikit-learn does. */
export const logLoss = (labels: LabelValues, probabilities: Probabilities): number => {
  if (undefinedFor(labels, probabilities)) return Number.NaN
  let sum = 0
  for (let i = 0; i < labels.length; i++) {
    const probability = Math.min(1 - Number.EPSILON, Math.max(Number.EPSILON, probabilities[i]))
    sum -= labels[i] === 1 ? Math.log(probability) : Math.log1p(-probability)
  }
  return sum / labels.length
}

/** Mean squared difference of probability and label (Brier, 1950). */
export const brier = (labels: LabelValues, probabilities: Probabilities): number => {
  if (undefinedFor(labels, probabilities)) return Number.NaN
  let sum = 0
  for (let i = 0; i < labels.length; i++) sum += (probabilities[i] - labels[i]) ** 2
  return sum / labels.length
}

/** Expected calibration error: |share of positives − mean probability| over ten bins of equal width, by rows. */
export const ece = (labels: LabelValues, probabilities: Probabilities): number => {
  if (undefinedFor(labels, probabilities)) return Number.NaN
  const surplus = new Float64Array(10)
  for (let i = 0; i < labels.length; i++) {
    surplus[Math.max(0, Math.min(9, Math.floor(probabilities[i] * 10)))] += labels[i] - probabilities[i]
  }
  return surplus.reduce((sum, difference) => sum + Math.abs(difference), 0) / labels.length
}

/** Rows by predicted and real class; a row is predicted positive when its probability is above the threshold. */
export interface Confusion {
  readonly truePositives: number
  readonly falsePositives: number
  readonly falseNegatives: number
  readonly trueNegatives: number
}

/** Counts the four kinds of rows at a threshold. */
export const confusion = (labels: LabelValues, probabilities: Probabilities, threshold: number): Confusion => {
  let truePositives = 0
  let falsePositives = 0
  for (let i = 0; i < labels.length; i++) {
    if (!(probabilities[i] > threshold)) continue
    if (labels[i] === 1) truePositives++
    else falsePositives++
  }
  const falseNegatives = countPositives(labels) - truePositives
  const trueNegatives = labels.length - truePositives - falsePositives - falseNegatives
  return { truePositives, falsePositives, falseNegatives, trueNegatives }
}

/** Share of positives among the rows predicted positive. */
export const precision = (counts: Confusion): number =>
  counts.truePositives / (counts.truePositives + counts.falsePositives)

/** Share of the positives that are predicted positive. */
export const recall = (counts: Confusion): number =>
  counts.truePositives / (counts.truePositives + counts.falseNegatives)

/** Harmonic mean of precision and recall; 0 when nothing is predicted positive but something is. */
export const f1 = (counts: Confusion): number =>
  (2 * counts.truePositives) / (2 * counts.truePositives + counts.falsePositives + counts.falseNegatives)

const Metric = Schema.NullOr(Schema.Finite)

/** All metrics of one set of probabilities, with the counts and the base rate that they have to be read against. */
export const Report = Schema.Struct({
  rows: Schema.Finite,
  positives: Schema.Finite,
  threshold: Schema.Finite,
  baseRate: Metric,
  auc: Metric,
  aucStandardError: Metric,
  prAuc: Metric,
  logLoss: Metric,
  brier: Metric,
  ece: Metric,
  precision: Metric,
  recall: Metric,
  f1: Metric,
})
export type Report = typeof Report.Type

/** Measures everything once. `threshold` in [0, 1] is for precision, recall and F1. Undefined metrics are null. */
export const report = (labels: LabelValues, probabilities: Probabilities, threshold: number): Report => {
  const broken = undefinedFor(labels, probabilities)
  const metric = (value: number) => (broken || !Number.isFinite(value) ? null : value)
  const positives = countPositives(labels)
  const area = auc(labels, probabilities)
  const counts = confusion(labels, probabilities, threshold)
  return {
    rows: labels.length,
    positives,
    threshold,
    baseRate: labels.length === 0 ? null : positives / labels.length,
    auc: metric(area),
    aucStandardError: metric(aucStandardError(area, positives, labels.length - positives)),
    prAuc: metric(prAuc(labels, probabilities)),
    logLoss: metric(logLoss(labels, probabilities)),
    brier: metric(brier(labels, probabilities)),
    ece: metric(ece(labels, probabilities)),
    precision: metric(precision(counts)),
    recall: metric(recall(counts)),
    f1: metric(f1(counts)),
  }
}
