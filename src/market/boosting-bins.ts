import type { Matrix } from "./matrix.ts"

/**
 * A matrix in bins. The bin of a value in column j is the number of `thresholds[j]` (ascending) below it; a value that
 * is not finite is missing and has the bin `missing[j]`, the one after the last.
 */
export interface BinnedMatrix {
  readonly rows: number
  readonly columns: ReadonlyArray<Uint8Array>
  readonly thresholds: ReadonlyArray<Float64Array>
  readonly missing: ReadonlyArray<number>
}

const midpoint = (a: number, b: number) => a / 2 + b / 2

/** Thresholds between up to `bins` bins: between all distinct values where they are few, else between quantiles. */
const thresholdsOf = (column: Float64Array, bins: number): Float64Array => {
  const sorted = column.filter(Number.isFinite).sort()
  const distinct = sorted.filter((value, i) => i === 0 || value !== sorted[i - 1])
  if (distinct.length <= bins) {
    return Float64Array.from({ length: Math.max(0, distinct.length - 1) }, (_, i) =>
      midpoint(distinct[i], distinct[i + 1]),
    )
  }
  const quantiles = Float64Array.from({ length: bins - 1 }, (_, i) => {
    const position = ((sorted.length - 1) * (i + 1)) / bins
    return midpoint(sorted[Math.floor(position)], sorted[Math.ceil(position)])
  })
  return quantiles.filter((value, i) => i === 0 || value !== quantiles[i - 1])
}

const binOf = (thresholds: Float64Array, value: number): number => {
  let low = 0
  let high = thresholds.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (thresholds[middle] < value) low = middle + 1
    else high = middle
  }
  return low
}

/** Puts every column into at most `bins` (2 to 255) bins of about equal counts. */
export const bin = (matrix: Matrix, bins: number): BinnedMatrix => {
  if (!Number.isInteger(bins) || bins < 2 || bins > 255) throw new RangeError(`bins must be 2 to 255, not ${bins}`)
  const thresholds = matrix.columns.map((column) => thresholdsOf(column, bins))
  const missing = thresholds.map((list) => list.length + 1)
  const columns = matrix.columns.map((column, j) =>
    Uint8Array.from(column, (value) => (Number.isFinite(value) ? binOf(thresholds[j], value) : missing[j])),
  )
  return { rows: matrix.rows, columns, thresholds, missing }
}
