/** Hourly and other bars as columns. Times are milliseconds since the epoch, UTC, of the bar's start. */

export type Timeframe = "15m" | "1h" | "4h"

/** Length of a bar of each timeframe in milliseconds. */
export const timeframeMillis: Record<Timeframe, number> = { "15m": 900_000, "1h": 3_600_000, "4h": 14_400_000 }

/** Open, high, low, close and volume as parallel columns; row i is one bar. */
export interface Ohlcv {
  readonly open: Float64Array
  readonly high: Float64Array
  readonly low: Float64Array
  readonly close: Float64Array
  readonly volume: Float64Array
}

/** The bars of one symbol in ascending time. */
export interface Bars extends Ohlcv {
  readonly symbol: string
  readonly timeframe: Timeframe
  readonly timestamp: Float64Array
}

/** Two symbols' bars on the timestamps that both have: `a` and `b` are parallel to `timestamp`. */
export interface PairBars {
  readonly timeframe: Timeframe
  readonly timestamp: Float64Array
  readonly a: Ohlcv
  readonly b: Ohlcv
}

const columns = ["open", "high", "low", "close", "volume"] as const

const pick = (bars: Ohlcv, rows: Int32Array): Ohlcv => {
  const take = (column: Float64Array) => Float64Array.from(rows, (row) => column[row])
  return {
    open: take(bars.open),
    high: take(bars.high),
    low: take(bars.low),
    close: take(bars.close),
    volume: take(bars.volume),
  }
}

/** Joins two ascending series on equal timestamps; bars that only one side has are left out. */
export const align = (a: Bars, b: Bars): PairBars => {
  const rowsA: Array<number> = []
  const rowsB: Array<number> = []
  let i = 0
  let j = 0
  while (i < a.timestamp.length && j < b.timestamp.length) {
    const difference = a.timestamp[i] - b.timestamp[j]
    if (difference === 0) {
      rowsA.push(i++)
      rowsB.push(j++)
    } else if (difference < 0) i++
    else j++
  }
  return {
    timeframe: a.timeframe,
    timestamp: Float64Array.from(rowsA, (row) => a.timestamp[row]),
    a: pick(a, Int32Array.from(rowsA)),
    b: pick(b, Int32Array.from(rowsB)),
  }
}

/** Bars from `from` (inclusive) to `to` (exclusive) by row. */
export const slice = (bars: Bars, from: number, to: number): Bars => ({
  ...bars,
  timestamp: bars.timestamp.subarray(from, to),
  ...Object.fromEntries(columns.map((column) => [column, bars[column].subarray(from, to)])),
})
