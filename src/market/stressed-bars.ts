/** Bars as they might have been: more volatile, less correlated, with gaps. The bars given are left as they are. */
import type { Ohlcv, PairBars } from "./bars.ts"
import { timeframeMillis } from "./bars.ts"
import type * as Random from "./random.ts"

/** Bars between invented gaps where the series has no break of its own: a trading week of hours. */
const barsPerGap = 120

/** Log returns from close to close; the first is 0. */
const closeReturns = (close: Float64Array): Float64Array =>
  close.map((price, row) => (row === 0 ? 0 : Math.log(price / close[row - 1])))

interface Moments {
  readonly meanA: number
  readonly meanB: number
  readonly deviationA: number
  readonly deviationB: number
  readonly correlation: number
}

const momentsOf = (returnsA: Float64Array, returnsB: Float64Array): Moments => {
  const count = Math.max(1, returnsA.length - 1)
  let meanA = 0
  let meanB = 0
  for (let i = 1; i < returnsA.length; i++) {
    meanA += returnsA[i] / count
    meanB += returnsB[i] / count
  }
  let squaresA = 0
  let squaresB = 0
  let products = 0
  for (let i = 1; i < returnsA.length; i++) {
    squaresA += (returnsA[i] - meanA) ** 2
    squaresB += (returnsB[i] - meanB) ** 2
    products += (returnsA[i] - meanA) * (returnsB[i] - meanB)
  }
  const deviationA = Math.sqrt(squaresA / count)
  const deviationB = Math.sqrt(squaresB / count)
  const correlation = products / count / (deviationA * deviationB)
  return { meanA, meanB, deviationA, deviationB, correlation: Number.isFinite(correlation) ? correlation : 0 }
}

/** Moves each bar's open and close by log shifts and stretches how far high and low reach beyond them by `stretch`. */
const move = (bars: Ohlcv, openShift: Float64Array, closeShift: Float64Array, stretch: number): Ohlcv => {
  const open = bars.open.map((price, row) => price * Math.exp(openShift[row]))
  const close = bars.close.map((price, row) => price * Math.exp(closeShift[row]))
  const high = bars.high.map((price, row) => {
    const reach = price / Math.max(bars.open[row], bars.close[row])
    return Math.max(open[row], close[row]) * reach ** stretch
  })
  const low = bars.low.map((price, row) => {
    const reach = price / Math.min(bars.open[row], bars.close[row])
    return Math.min(open[row], close[row]) * reach ** stretch
  })
  return { open, high, low, close, volume: bars.volume }
}

/** The running sum, and the running sum up to the row before (what a bar opens with). */
const paths = (steps: Float64Array) => {
  let sum = 0
  const closing = steps.map((value) => (sum += value))
  return { opening: closing.map((_, row) => (row === 0 ? 0 : closing[row - 1])), closing }
}

/**
 * Volatility × `factor` (at least 1): each bar takes an extra shock, normal with the pair's own covariance times
 * factor² − 1, so that returns' covariance and the bars' ranges grow while the correlation stays. The shocks do not
 * revert, so the spread loses part of its pull.
 */
export const volatile = (pair: PairBars, factor: number, random: Random.Random): PairBars => {
  const moments = momentsOf(closeReturns(pair.a.close), closeReturns(pair.b.close))
  const rows = pair.timestamp.length
  const shocksA = new Float64Array(rows)
  const shocksB = new Float64Array(rows)
  const scale = Math.sqrt(Math.max(0, factor ** 2 - 1))
  const own = Math.sqrt(Math.max(0, 1 - moments.correlation ** 2))
  for (let row = 1; row < rows; row++) {
    const common = random.normal()
    shocksA[row] = scale * moments.deviationA * common
    shocksB[row] = scale * moments.deviationB * (moments.correlation * common + own * random.normal())
  }
  const pathsA = paths(shocksA)
  const pathsB = paths(shocksB)
  return {
    ...pair,
    a: move(pair.a, pathsA.opening, pathsA.closing, factor),
    b: move(pair.b, pathsB.opening, pathsB.closing, factor),
  }
}

/**
 * The legs' returns correlated by `target` instead: B's returns become target·(A's, scaled) + √(1 − target²)·(B's own
 * part, in random order). B's mean and deviation stay.
 */
export const decorrelated = (pair: PairBars, target: number, random: Random.Random): PairBars => {
  const returnsA = closeReturns(pair.a.close)
  const returnsB = closeReturns(pair.b.close)
  const { meanA, meanB, deviationA, deviationB, correlation } = momentsOf(returnsA, returnsB)
  if (deviationA === 0 || deviationB === 0) return pair
  const ownPart = Math.sqrt(Math.max(1e-12, 1 - correlation ** 2))
  const standardA = returnsA.map((value) => (value - meanA) / deviationA)
  const own = returnsB
    .map((value, row) => ((value - meanB) / deviationB - correlation * standardA[row]) / ownPart)
    .slice(1)
  random.shuffle(own)
  const weight = Math.sqrt(1 - target ** 2)
  const change = returnsB.map((value, row) =>
    row === 0 ? 0 : meanB + deviationB * (target * standardA[row] + weight * own[row - 1]) - value,
  )
  const { opening, closing } = paths(change)
  return { ...pair, b: move(pair.b, opening, closing, 1) }
}

/**
 * A lasting jump of ±`fraction` in one leg, leg and sign at random, at every bar that opens after a break (weekend,
 * holiday); every 120 bars where the series has no break.
 */
export const gapped = (pair: PairBars, fraction: number, random: Random.Random): PairBars => {
  const { timestamp } = pair
  const length = timeframeMillis[pair.timeframe]
  const breaks = timestamp.map((time, row) => (row > 0 && time - timestamp[row - 1] > length ? 1 : 0))
  const hasBreaks = breaks.includes(1)
  const jumpsA = new Float64Array(timestamp.length)
  const jumpsB = new Float64Array(timestamp.length)
  for (let row = 1; row < timestamp.length; row++) {
    if (hasBreaks ? breaks[row] === 0 : row % barsPerGap !== 0) continue
    const jumps = random.next() < 0.5 ? jumpsA : jumpsB
    jumps[row] = Math.log1p(random.next() < 0.5 ? fraction : -fraction)
  }
  const { closing: shiftA } = paths(jumpsA)
  const { closing: shiftB } = paths(jumpsB)
  return { ...pair, a: move(pair.a, shiftA, shiftA, 1), b: move(pair.b, shiftB, shiftB, 1) }
}
