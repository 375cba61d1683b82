import type { LabelValues } from "./matrix.ts"

/** The weight of a row by its label; over all rows the weights sum to the number of rows. */
export interface ClassWeights {
  readonly negative: number
  readonly positive: number
}

/**
 * Weights that balance the classes: the rarer class counts by the ratio of the class sizes, at most `maxRatio` times the
 * other (05-tasks, train: 1:5). A `maxRatio` of 1 weights all rows alike, as does a single class. Below the cap these
 * are scikit-learn's `class_weight="balanced"`.
 */
export const balanced = (labels: LabelValues, maxRatio: number): ClassWeights => {
  if (!(maxRatio >= 1)) throw new RangeError(`The class ratio must be at least 1, not ${maxRatio}`)
  let positives = 0
  for (let i = 0; i < labels.length; i++) positives += labels[i]
  const negatives = labels.length - positives
  if (positives === 0 || negatives === 0) return { negative: 1, positive: 1 }
  const ratio = Math.min(maxRatio, Math.max(positives, negatives) / Math.min(positives, negatives))
  const rarer = labels.length / (Math.max(positives, negatives) / ratio + Math.min(positives, negatives))
  return positives <= negatives
    ? { negative: rarer / ratio, positive: rarer }
    : { negative: rarer, positive: rarer / ratio }
}

/** The weight of each row. */
export const perRow = (labels: LabelValues, weights: ClassWeights): Float64Array => {
  const perRow = new Float64Array(labels.length)
  for (let i = 0; i < labels.length; i++) perRow[i] = labels[i] === 1 ? weights.positive : weights.negative
  return perRow
}

/** Log odds of the weighted share of positives; with a single class the share is (positives + 1) / (rows + 2). */
export const logOdds = (labels: LabelValues, weights: ClassWeights): number => {
  let positives = 0
  for (let i = 0; i < labels.length; i++) positives += labels[i]
  const negatives = labels.length - positives
  if (positives === 0 || negatives === 0) return Math.log((positives + 1) / (negatives + 1))
  return Math.log((positives * weights.positive) / (negatives * weights.negative))
}
