/**
 * What trading costs, from a cost table in the shape of `cost_table.yaml` (design 05, backtest; 08, cost_table).
 * Rates are basis points (1 bp = 0.0001) of a leg's notional; money is US dollars; clock times are UTC.
 */

/**
 * The rates of one symbol. `spread_bps` is the full quoted spread, of which each fill crosses half; `slippage_bps` and
 * `commission_bps` are paid by each fill; `swap_*_bps` are paid per rollover while long or short, negative is a credit.
 */
export interface Rates {
  readonly spread_bps: number
  readonly slippage_bps: number
  readonly commission_bps: number
  readonly swap_long_bps: number
  readonly swap_short_bps: number
}

/** Slippage is multiplied by `factor` from `from` (inclusive) to `to` (exclusive), both "HH:MM"; it may pass midnight. */
export interface SlippageWindow {
  readonly from: string
  readonly to: string
  readonly factor: number
}

/** Days of the week as they are written in the cost table. */
export type Weekday = (typeof weekdays)[number]

const weekdays = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"] as const

/** Default rates, what single symbols change of them, slippage by time of day, and when swap is charged. */
export interface CostTable {
  readonly defaults: Rates
  readonly symbols: { readonly [symbol: string]: { readonly [K in keyof Rates]?: Rates[K] | undefined } }
  readonly slippage_windows: ReadonlyArray<SlippageWindow>
  readonly rollover: { readonly time: string; readonly triple: Weekday }
}

/** One symbol's costs, ready for the inner loop; made by `prepare`. */
export interface SymbolCosts {
  readonly rates: Rates
  /** Cost of a fill in bps for each minute of the UTC day. */
  readonly fillBps: Float64Array
  readonly rolloverMillis: number
  /** Nights charged from the first rollover of a week (Sunday) up to and including each day's. */
  readonly nightsByDay: Float64Array
}

const minute = 60_000
const day = 86_400_000
const week = 7 * day
/** Sunday 1970-01-04 00:00 UTC. */
const firstSunday = 3 * day

const minutesOf = (clock: string): number => {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(clock)
  if (match === null) throw new RangeError(`"${clock}" is not a time of day; write HH:MM in UTC, for example 21:00`)
  return Number(match[1]) * 60 + Number(match[2])
}

/** The rates that apply to a symbol: the defaults with the symbol's own over them. */
export const rates = (table: CostTable, symbol: string): Rates => {
  const own = Object.hasOwn(table.symbols, symbol) ? table.symbols[symbol] : {}
  const { defaults } = table
  return {
    spread_bps: own.spread_bps ?? defaults.spread_bps,
    slippage_bps: own.slippage_bps ?? defaults.slippage_bps,
    commission_bps: own.commission_bps ?? defaults.commission_bps,
    swap_long_bps: own.swap_long_bps ?? defaults.swap_long_bps,
    swap_short_bps: own.swap_short_bps ?? defaults.swap_short_bps,
  }
}

/** Slippage factor of each minute of the UTC day; 1 outside all windows, the largest where windows overlap. */
export const slippageFactors = (windows: ReadonlyArray<SlippageWindow>): Float64Array => {
  const factors = new Float64Array(1440)
  for (const window of windows) {
    const from = minutesOf(window.from)
    const length = (minutesOf(window.to) - from + 1440) % 1440 || 1440
    for (let i = 0; i < length; i++) {
      const at = (from + i) % 1440
      factors[at] = Math.max(factors[at], window.factor)
    }
  }
  return factors.map((factor) => factor || 1)
}

/** Resolves a symbol's rates once, so that fills and holdings cost a table lookup. Refuses a malformed clock time. */
export const prepare = (table: CostTable, symbol: string): SymbolCosts => {
  const own = rates(table, symbol)
  const constant = own.spread_bps / 2 + own.commission_bps
  const triple = weekdays.indexOf(table.rollover.triple)
  const nightsByDay = new Float64Array(7)
  let nights = 0
  for (let i = 0; i < 7; i++) {
    const weekend = i === 0 || i === 6
    nights += i === triple ? 3 : weekend ? 0 : 1
    nightsByDay[i] = nights
  }
  return {
    rates: own,
    fillBps: slippageFactors(table.slippage_windows).map((factor) => constant + own.slippage_bps * factor),
    rolloverMillis: minutesOf(table.rollover.time) * minute,
    nightsByDay,
  }
}

/** Cost in dollars of one fill of `notional` dollars (its sign does not matter) at `time` (epoch milliseconds). */
export const fill = (costs: SymbolCosts, notional: number, time: number): number => {
  const ofDay = ((time % day) + day) % day
  return (Math.abs(notional) * costs.fillBps[Math.floor(ofDay / minute)]) / 10_000
}

const nightsUntil = (costs: SymbolCosts, time: number): number => {
  const elapsed = time - costs.rolloverMillis - firstSunday
  const weeks = Math.floor(elapsed / week)
  return weeks * costs.nightsByDay[6] + costs.nightsByDay[Math.floor((elapsed - weeks * week) / day)]
}

/**
 * Nights charged to a holding from `from` to `to` (epoch milliseconds): each rollover with from < rollover ≤ to counts
 * 1, the triple weekday's 3, Saturday's and Sunday's 0 (they are what the triple one stands for).
 */
export const nights = (costs: SymbolCosts, from: number, to: number): number =>
  nightsUntil(costs, to) - nightsUntil(costs, from)

/** Swap in dollars of holding a signed `notional` (positive is long) from `from` to `to`; negative is a credit. */
export const holding = (costs: SymbolCosts, notional: number, from: number, to: number): number => {
  const bps = notional < 0 ? costs.rates.swap_short_bps : costs.rates.swap_long_bps
  return (Math.abs(notional) * bps * nights(costs, from, to)) / 10_000
}

/** The table with `bps` more commission on every fill of every symbol. */
export const plus = (table: CostTable, bps: number): CostTable => ({
  ...table,
  defaults: { ...table.defaults, commission_bps: table.defaults.commission_bps + bps },
  symbols: Object.fromEntries(
    Object.entries(table.symbols).map(([symbol, own]) => [
      symbol,
      own.commission_bps === undefined ? own : { ...own, commission_bps: own.commission_bps + bps },
    ]),
  ),
})
