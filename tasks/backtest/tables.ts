/** The tables of a backtest as columns to write. */
import * as DailyEquity from "../../src/market/daily-equity.ts"
import type { Simulation } from "../../src/market/simulator.ts"
import * as Trades from "../../src/market/trades.ts"
import type { WritableColumn } from "../../src/services/duckdb.ts"

const times: ReadonlySet<string> = new Set(["entryTime", "exitTime"])
const counts: ReadonlySet<string> = new Set(["entryRow", "exitRow", "side", "bars"])

const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** `bt_trades.parquet`: `Trade` in snake case, oldest first. Rows count from the first judged bar. */
export const trades = (found: Trades.Trades): ReadonlyArray<WritableColumn> => [
  ...Trades.columns.map((name) => ({
    name: snake(name),
    type: times.has(name) ? ("timestamp" as const) : counts.has(name) ? ("integer" as const) : ("double" as const),
    values: found[name],
  })),
  { name: "reason", type: "text", values: found.reason },
]

/** Fall below the highest equity so far, as a fraction (0 to 1); starts from `capital`. */
export const drawdowns = (equity: Float64Array, capital: number): Float64Array => {
  let peak = capital
  return equity.map((value) => {
    peak = Math.max(peak, value)
    return (peak - value) / peak
  })
}

/** `bt_daily_equity.parquet`: trading day, equity at its last close (US dollars), return of the day, drawdown. */
export const dailyEquity = ({ capital, daily }: Simulation): ReadonlyArray<WritableColumn> => [
  { name: "day", type: "timestamp", values: daily.day },
  { name: "equity_usd", type: "double", values: daily.equity },
  { name: "return", type: "double", values: DailyEquity.returns(daily, capital) },
  { name: "drawdown", type: "double", values: drawdowns(daily.equity, capital) },
]

/** One month's return: equity at its last trading day over that of the month before (the capital at first), less 1. */
export interface MonthReturn {
  readonly year: number
  /** From 1. */
  readonly month: number
  readonly value: number
}

/** Monthly returns in order. NaN for a month that begins with nothing left. */
export const monthly = ({ capital, daily }: Simulation): ReadonlyArray<MonthReturn> => {
  const ends: Array<{ year: number; month: number; equity: number }> = []
  for (let i = 0; i < daily.day.length; i++) {
    const date = new Date(daily.day[i])
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + 1]
    const last = ends.at(-1)
    if (last?.year === year && last.month === month) last.equity = daily.equity[i]
    else ends.push({ year, month, equity: daily.equity[i] })
  }
  return ends.map(({ equity, month, year }, i) => {
    const before = i === 0 ? capital : ends[i - 1].equity
    return { year, month, value: before > 0 ? equity / before - 1 : Number.NaN }
  })
}
