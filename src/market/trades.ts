/** Closed trades of a simulation. */

/** Why a position was closed; `end` is the last bar. Where several reasons hold at once the first in this list is given. */
export type ExitReason = "risk" | "target" | "timeout" | "end"

/** One closed trade. Times are epoch milliseconds, rows index the pair's bars, money is US dollars. */
export interface Trade {
  readonly entryTime: number
  readonly exitTime: number
  readonly entryRow: number
  readonly exitRow: number
  /** 1 bought A and sold B, −1 sold A and bought B. */
  readonly side: number
  /** Units of B per unit of A, as known at the decision. */
  readonly beta: number
  /** Lots, positive for both legs. */
  readonly lotsA: number
  readonly lotsB: number
  readonly entryPriceA: number
  readonly entryPriceB: number
  readonly exitPriceA: number
  readonly exitPriceB: number
  /** Profit at fill prices before costs. */
  readonly gross: number
  /** Spread, slippage and commission of four fills, and swap. */
  readonly costs: number
  /** `gross − costs`. */
  readonly net: number
  /** Bars from the entry fill to the exit fill; 0 when closed within the entry bar. */
  readonly bars: number
  readonly reason: ExitReason
}

/** Closed trades, oldest first, as parallel columns (see `Trade`). */
export type Trades = { readonly [K in Exclude<keyof Trade, "reason">]: Float64Array } & {
  readonly reason: ReadonlyArray<ExitReason>
}

/** The numeric columns of `Trades`, in the order in which tables show them. */
export const columns = [
  "entryTime",
  "exitTime",
  "entryRow",
  "exitRow",
  "side",
  "beta",
  "lotsA",
  "lotsB",
  "entryPriceA",
  "entryPriceB",
  "exitPriceA",
  "exitPriceB",
  "gross",
  "costs",
  "net",
  "bars",
] as const satisfies ReadonlyArray<Exclude<keyof Trade, "reason">>

/** Turns rows into columns. */
export const fromRows = (rows: ReadonlyArray<Trade>): Trades => {
  const column = (name: (typeof columns)[number]) => Float64Array.from(rows, (row) => row[name])
  return {
    entryTime: column("entryTime"),
    exitTime: column("exitTime"),
    entryRow: column("entryRow"),
    exitRow: column("exitRow"),
    side: column("side"),
    beta: column("beta"),
    lotsA: column("lotsA"),
    lotsB: column("lotsB"),
    entryPriceA: column("entryPriceA"),
    entryPriceB: column("entryPriceB"),
    exitPriceA: column("exitPriceA"),
    exitPriceB: column("exitPriceB"),
    gross: column("gross"),
    costs: column("costs"),
    net: column("net"),
    bars: column("bars"),
    reason: rows.map((row) => row.reason),
  }
}
