/** Equity by trading day, from equity by bar. */

/** One row per trading day that has bars: its midnight (epoch milliseconds, UTC) and the equity at its last bar's close. */
export interface DailyEquity {
  readonly day: Float64Array
  readonly equity: Float64Array
}

const day = 86_400_000
/** Monday 1970-01-05, in days since the epoch. */
const firstMonday = 4

/** The trading day of a time: its UTC date; Saturday and Sunday belong to the Monday after, so a week has five days. */
export const tradingDay = (time: number): number => {
  const date = Math.floor(time / day)
  const weekday = (((date - firstMonday) % 7) + 7) % 7
  return (weekday < 5 ? date : date + 7 - weekday) * day
}

/** Takes the last equity of each trading day; `timestamp` (bar starts, ascending) and `equity` are parallel. */
export const make = (timestamp: Float64Array, equity: Float64Array): DailyEquity => {
  const days: Array<number> = []
  const values: Array<number> = []
  for (let row = 0; row < timestamp.length; row++) {
    const current = tradingDay(timestamp[row])
    if (current !== days[days.length - 1]) {
      days.push(current)
      values.push(equity[row])
    } else values[values.length - 1] = equity[row]
  }
  return { day: Float64Array.from(days), equity: Float64Array.from(values) }
}

/**
 * Simple returns from day to day; the first is over `capital`, the equity before the first bar. NaN for a day that begins
 * with nothing left: a return over zero or less says nothing.
 */
export const returns = (daily: DailyEquity, capital: number): Float64Array =>
  daily.equity.map((value, row) => {
    const before = row === 0 ? capital : daily.equity[row - 1]
    return before > 0 ? value / before - 1 : Number.NaN
  })
