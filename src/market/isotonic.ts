/** Isotonic regression, for turning scores into probabilities. */
import * as Schema from "effect/Schema"

const ascends = (values: ReadonlyArray<number>, strictly: boolean) =>
  values.every((value, i) => i === 0 || (strictly ? value > values[i - 1] : value >= values[i - 1]))

/** A non-decreasing, piecewise linear function: the value at knot `x[i]` is `y[i]`; `x` ascends strictly. */
export const IsotonicModel = Schema.Struct({
  x: Schema.Array(Schema.Finite),
  y: Schema.Array(Schema.Finite),
}).check(
  Schema.makeFilter(
    ({ x, y }) =>
      (x.length > 0 && x.length === y.length && ascends(x, true) && ascends(y, false)) ||
      "expected as many ascending x as non-descending y, at least one",
  ),
)
export type IsotonicModel = typeof IsotonicModel.Type

interface Block {
  readonly first: number
  readonly last: number
  readonly value: number
  readonly weight: number
}

/** One block per distinct score, ascending, with the weighted mean of its labels. */
const distinct = (scores: ArrayLike<number>, labels: ArrayLike<number>, weights?: ArrayLike<number>): Array<Block> => {
  const order = Int32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[a] - scores[b])
  const blocks: Array<Block> = []
  for (let i = 0; i < order.length;) {
    const score = scores[order[i]]
    let weight = 0
    let sum = 0
    for (; i < order.length && scores[order[i]] === score; i++) {
      const one = weights === undefined ? 1 : weights[order[i]]
      weight += one
      sum += one * labels[order[i]]
    }
    if (weight > 0) blocks.push({ first: score, last: score, value: sum / weight, weight })
  }
  return blocks
}

/**
 * Fits the non-decreasing function with the least weighted squared error by pooling adjacent violators (Ayer et al.,
 * 1955; Barlow et al., 1972). Equal scores are pooled first. `labels` may be any finite numbers, `weights` are not
 * negative and default to 1. RangeError for lengths that differ, numbers that are not finite, or no weight at all.
 */
export const fit = (
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  weights?: ArrayLike<number>,
): IsotonicModel => {
  if (labels.length !== scores.length || (weights !== undefined && weights.length !== scores.length)) {
    throw new RangeError("Isotonic regression wants as many labels and weights as scores")
  }
  for (let i = 0; i < scores.length; i++) {
    const weight = weights === undefined ? 1 : weights[i]
    if (!Number.isFinite(scores[i]) || !Number.isFinite(labels[i]) || !(weight >= 0 && weight < Infinity)) {
      throw new RangeError(`Row ${i} cannot be fitted: score ${scores[i]}, label ${labels[i]}, weight ${weight}`)
    }
  }
  const pooled: Array<Block> = []
  for (const block of distinct(scores, labels, weights)) {
    let merged = block
    for (let before = pooled.at(-1); before !== undefined && before.value >= merged.value; before = pooled.at(-1)) {
      pooled.pop()
      const weight = before.weight + merged.weight
      const mean = (before.value * before.weight + merged.value * merged.weight) / weight
      const value = before.value === merged.value ? merged.value : mean
      merged = { first: before.first, last: merged.last, value, weight }
    }
    pooled.push(merged)
  }
  if (pooled.length === 0) throw new RangeError("Isotonic regression wants at least one score with a weight")
  const ends = pooled.flatMap(({ first, last, value }) =>
    first === last
      ? [[first, value]]
      : [
          [first, value],
          [last, value],
        ],
  )
  return { x: ends.map(([x]) => x), y: ends.map(([, y]) => y) }
}

/** The function at each score: linear between knots, constant beyond the first and the last; NaN stays NaN. */
export const apply = (model: IsotonicModel, scores: ArrayLike<number>): Float64Array => {
  const { x, y } = model
  const values = new Float64Array(scores.length)
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]
    let low = 0
    let high = x.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (x[middle] <= score) low = middle + 1
      else high = middle
    }
    if (Number.isNaN(score)) values[i] = Number.NaN
    else if (low === 0) values[i] = y[0]
    else if (low === x.length || x[low - 1] === score) values[i] = y[low - 1]
    else {
      const share = (score - x[low - 1]) / (x[low] - x[low - 1])
      values[i] = Math.min(y[low], y[low - 1] + share * (y[low] - y[low - 1]))
    }
  }
  return values
}
