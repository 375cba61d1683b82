/**
 * Confidence intervals by the stationary bootstrap (D. N. Politis, J. P. Romano, "The Stationary Bootstrap", JASA 89,
 * 1994): daily returns are redrawn in blocks of random length, so that what depends on the days before stays together.
 */
import * as Performance from "./performance.ts"
import * as Random from "./random.ts"

/** Bounds and median of a number over the redrawn series; `level` of the draws lie between `low` and `high`. */
export interface Interval {
  readonly low: number
  readonly median: number
  readonly high: number
}

/** Intervals of a backtest; null where fewer than half of the redrawn series define the number. */
export interface Intervals {
  readonly sharpe: Interval | null
  readonly maxDrawdown: Interval | null
  readonly level: number
  readonly samples: number
  readonly blockLength: number
}

/** Settings: 1,000 samples, level 0.95 and mean block length ∛days (at least 2) where absent. */
export interface Options {
  readonly seed: number | string
  readonly samples?: number
  readonly level?: number
  readonly blockLength?: number
}

/**
 * One redrawn series, circular, of the same length: blocks start anywhere and end with probability 1/blockLength after
 * each day.
 */
export const resample = (returns: Float64Array, blockLength: number, random: Random.Random): Float64Array => {
  const count = returns.length
  const drawn = new Float64Array(count)
  let at = 0
  for (let i = 0; i < count; i++) {
    at = i === 0 || random.next() * blockLength < 1 ? random.int(count) : (at + 1) % count
    drawn[i] = returns[at]
  }
  return drawn
}

/** The value below which a share of the sorted values lies, interpolated linearly (Hyndman and Fan, type 7). */
const quantile = (sorted: Float64Array, share: number): number => {
  const position = share * (sorted.length - 1)
  const below = Math.floor(position)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (position - below) * (sorted[above] - sorted[below])
}

const intervalOf = (values: ReadonlyArray<number | null>, level: number): Interval | null => {
  const defined = Float64Array.from(values.filter((value) => value !== null)).sort()
  if (defined.length === 0 || defined.length * 2 < values.length) return null
  const tail = (1 - level) / 2
  return { low: quantile(defined, tail), median: quantile(defined, 0.5), high: quantile(defined, 1 - tail) }
}

const drawdownOf = (returns: Float64Array): number | null => {
  let equity = 1
  return Performance.maxDrawdown(
    returns.map((value) => (equity *= 1 + value)),
    1,
  )
}

/** Percentile intervals of the Sharpe ratio and of the maximum drawdown (by day) of simple daily returns. */
export const intervals = (returns: Float64Array, options: Options): Intervals => {
  const { samples = 1000, level = 0.95 } = options
  const blockLength = options.blockLength ?? Math.max(2, Math.round(Math.cbrt(returns.length)))
  const random = Random.make(`${options.seed}/bootstrap`)
  const sharpes: Array<number | null> = []
  const drawdowns: Array<number | null> = []
  for (let i = 0; i < samples && returns.length > 0; i++) {
    const drawn = resample(returns, blockLength, random)
    sharpes.push(Performance.sharpe(drawn))
    drawdowns.push(drawdownOf(drawn))
  }
  return {
    sharpe: intervalOf(sharpes, level),
    maxDrawdown: intervalOf(drawdowns, level),
    level,
    samples,
    blockLength,
  }
}
