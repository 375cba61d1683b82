/**
 * Statistics over the last `window` rows of a column, one pass, one output row for each input row.
 *
 * A row is NaN until its window is full and wherever the window holds a value that is not finite. Row i reads rows up
 * to i only. Moments slide by replacement and are recomputed from the window every `window` rows and whenever a
 * departing outlier would cancel the digits that remain, so rounding errors do not add up.
 */

/** Sample moments (divisor n − 1) of two parallel columns. */
export interface Moments {
  readonly meanX: Float64Array
  readonly meanY: Float64Array
  readonly varianceX: Float64Array
  readonly varianceY: Float64Array
  readonly covariance: Float64Array
}

const nans = (length: number) => new Float64Array(length).fill(Number.NaN)

const cancellation = 1e-4

/** Rolling means, variances and covariance of `x` and `y`; `window` is at least 2. */
export const moments = (x: Float64Array, y: Float64Array, window: number): Moments => {
  const length = x.length
  const meanX = nans(length)
  const meanY = nans(length)
  const varianceX = nans(length)
  const varianceY = nans(length)
  const covariance = nans(length)
  let finite = 0
  let age = 0
  let mx = 0
  let my = 0
  let sxx = 0
  let syy = 0
  let sxy = 0

  const recompute = (from: number, to: number) => {
    const x0 = x[from]
    const y0 = y[from]
    mx = 0
    my = 0
    for (let i = from; i <= to; i++) {
      mx += x[i] - x0
      my += y[i] - y0
    }
    mx = x0 + mx / window
    my = y0 + my / window
    sxx = 0
    syy = 0
    sxy = 0
    for (let i = from; i <= to; i++) {
      const u = x[i] - mx
      const v = y[i] - my
      sxx += u * u
      syy += v * v
      sxy += u * v
    }
    age = 0
  }

  for (let i = 0; i < length; i++) {
    finite = Number.isFinite(x[i]) && Number.isFinite(y[i]) ? finite + 1 : 0
    if (finite < window) continue
    const from = i - window + 1
    if (finite === window || age >= window) recompute(from, i)
    else {
      const outX = x[from - 1] - mx
      const outY = y[from - 1] - my
      const inX = x[i] - mx
      const inY = y[i] - my
      const stepX = (inX - outX) / window
      const stepY = (inY - outY) / window
      sxx += inX * inX - outX * outX - window * stepX * stepX
      syy += inY * inY - outY * outY - window * stepY * stepY
      sxy += inX * inY - outX * outY - window * stepX * stepY
      mx += stepX
      my += stepY
      age++
      if (sxx <= cancellation * outX * outX || syy <= cancellation * outY * outY) recompute(from, i)
    }
    meanX[i] = mx
    meanY[i] = my
    varianceX[i] = sxx / (window - 1)
    varianceY[i] = syy / (window - 1)
    covariance[i] = sxy / (window - 1)
  }
  return { meanX, meanY, varianceX, varianceY, covariance }
}

/** Rolling arithmetic mean. */
export const mean = (x: Float64Array, window: number): Float64Array => moments(x, x, window).meanX

/** Rolling sample variance, divisor n − 1. */
export const variance = (x: Float64Array, window: number): Float64Array => moments(x, x, window).varianceX

/** β = cov(x, y) / var(x) of y on x by ordinary least squares with intercept; NaN where x does not vary. */
export const beta = (y: Float64Array, x: Float64Array, window: number): Float64Array => {
  const { covariance, varianceX } = moments(x, y, window)
  return covariance.map((value, i) => (varianceX[i] > 0 ? value / varianceX[i] : Number.NaN))
}

/** Least squares slope of the column against the row number, in units of x a bar. */
export const slope = (x: Float64Array, window: number): Float64Array =>
  beta(
    x,
    x.map((_, i) => i),
    window,
  )

/** Pearson's correlation, within [−1, 1]; NaN where a column does not vary. */
export const correlation = (x: Float64Array, y: Float64Array, window: number): Float64Array => {
  const { covariance, varianceX, varianceY } = moments(x, y, window)
  return covariance.map((value, i) => {
    const scale = Math.sqrt(varianceX[i] * varianceY[i])
    return scale > 0 ? Math.min(1, Math.max(-1, value / scale)) : Number.NaN
  })
}

const position = (sorted: Float64Array, size: number, value: number) => {
  let low = 0
  let high = size
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle] < value) low = middle + 1
    else high = middle
  }
  return low
}

/** Rolling median; of an even window the mean of the two middle values. */
export const median = (x: Float64Array, window: number): Float64Array => {
  const out = nans(x.length)
  const sorted = new Float64Array(window + 1)
  const half = window >>> 1
  let size = 0
  for (let i = 0; i < x.length; i++) {
    if (!Number.isFinite(x[i])) {
      size = 0
      continue
    }
    if (size === window) {
      const leaving = position(sorted, size, x[i - window])
      sorted.copyWithin(leaving, leaving + 1, size)
      size--
    }
    const entering = position(sorted, size, x[i])
    sorted.copyWithin(entering + 1, entering, size)
    sorted[entering] = x[i]
    size++
    if (size === window) out[i] = window % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
  }
  return out
}

/** Rolling maximum, by a queue of candidates in descending order. */
export const maximum = (x: Float64Array, window: number): Float64Array => {
  const out = nans(x.length)
  const queue = new Int32Array(x.length)
  let head = 0
  let tail = 0
  let finite = 0
  for (let i = 0; i < x.length; i++) {
    if (!Number.isFinite(x[i])) {
      finite = 0
      head = tail
      continue
    }
    finite++
    if (head < tail && queue[head] <= i - window) head++
    while (head < tail && x[queue[tail - 1]] <= x[i]) tail--
    queue[tail++] = i
    if (finite >= window) out[i] = x[queue[head]]
  }
  return out
}

/** x[i] − x[i − 1]; row 0 is NaN. */
export const difference = (x: Float64Array): Float64Array =>
  x.map((value, i) => (i === 0 ? Number.NaN : value - x[i - 1]))

/** ln(x[i] / x[i − 1]); row 0 is NaN. */
export const logReturn = (x: Float64Array): Float64Array =>
  x.map((value, i) => (i === 0 ? Number.NaN : Math.log(value / x[i - 1])))

/** The column one row later: row i holds x[i − 1]; row 0 is NaN. */
export const lag = (x: Float64Array): Float64Array => x.map((_, i) => (i === 0 ? Number.NaN : x[i - 1]))
