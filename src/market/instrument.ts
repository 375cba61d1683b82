/** What may be traded and in which steps, in the shape of `universe.yaml` (design 08, universe). */

/**
 * One leg of a pair. `tick_size` is in the quote currency, `min_lot` and `lot_step` in lots, `min_notional_usd` in
 * dollars. A lot is `contract_size` units of the base currency (100,000 where absent, the standard lot of FX).
 * `quote_usd_rate`, dollars for one unit of the quote currency, is needed where neither side of the symbol is the dollar.
 */
export interface Instrument {
  readonly canonical_symbol: string
  readonly tick_size: number
  readonly min_lot: number
  readonly lot_step: number
  readonly min_notional_usd: number
  readonly contract_size?: number | undefined
  readonly quote_usd_rate?: number | undefined
}

/** The two legs of a pair; the spread is A − βB. */
export interface Pair {
  readonly leg_A: Instrument
  readonly leg_B: Instrument
}

/** Units of the base currency in one lot where the instrument names none. */
export const standardLot = 100_000

/** Steps below this fraction are rounding noise of floating point, not part of a price or a size. */
const noise = 1e-6

const currencyPair = /^[A-Z]{3}[/_-]?[A-Z]{3}$/

const exact = (steps: number, step: number): number => Number((steps * step).toPrecision(12))

/** A fill's price on the tick grid, always against us: a buy (`direction` 1) rounds up, a sell (−1) down. */
export const fillPrice = (instrument: Instrument, price: number, direction: 1 | -1): number => {
  const ticks = price / instrument.tick_size
  return exact(direction === 1 ? Math.ceil(ticks - noise) : Math.floor(ticks + noise), instrument.tick_size)
}

/** Lots rounded down to the lot step; 0 where that is below the smallest lot or not a number. */
export const roundLots = (instrument: Instrument, lots: number): number => floorLots(instrument, lots)

/** Lots rounded to the nearest lot step, for a hedge; 0 where that is below the smallest lot or not a number. */
export const nearestLots = (instrument: Instrument, lots: number): number =>
  floorLots(instrument, lots + instrument.lot_step / 2)

const floorLots = (instrument: Instrument, lots: number): number => {
  const rounded = exact(Math.floor(lots / instrument.lot_step + noise), instrument.lot_step)
  return rounded >= instrument.min_lot * (1 - noise) ? rounded : 0
}

/** Units of the base currency in `lots`. */
export const units = (instrument: Instrument, lots: number): number => lots * (instrument.contract_size ?? standardLot)

/**
 * Dollars for one unit of the quote currency at a price: `quote_usd_rate` where given, 1/price for USDJPY and its like,
 * 1 for EURUSD and for whatever is not a currency pair; NaN for a cross without a rate, which then never trades.
 */
export const quoteToUsd = (instrument: Instrument, price: number): number => {
  if (instrument.quote_usd_rate !== undefined) return instrument.quote_usd_rate
  const symbol = instrument.canonical_symbol
  if (symbol.endsWith("USD") || !currencyPair.test(symbol)) return 1
  return symbol.startsWith("USD") ? 1 / price : Number.NaN
}

/** Value in dollars of `lots` at a price. */
export const notional = (instrument: Instrument, lots: number, price: number): number =>
  units(instrument, lots) * price * quoteToUsd(instrument, price)

/** Whether an order for `lots` is large enough: at least one lot step and the smallest notional. */
export const tradable = (instrument: Instrument, lots: number, price: number): boolean =>
  lots > 0 && notional(instrument, lots, price) >= instrument.min_notional_usd

/** What makes an instrument unusable, one sentence each that says what to write in `universe.yaml`; empty when sound. */
export const problems = (instrument: Instrument): ReadonlyArray<string> => {
  const found: Array<string> = []
  const name = instrument.canonical_symbol
  for (const field of ["tick_size", "min_lot", "lot_step"] as const) {
    if (!(instrument[field] > 0)) found.push(`${name}: set ${field} to a number above 0`)
  }
  if (instrument.contract_size !== undefined && !(instrument.contract_size > 0)) {
    found.push(`${name}: set contract_size to a number above 0`)
  }
  if (Number.isNaN(quoteToUsd(instrument, 1))) {
    found.push(`${name}: set quote_usd_rate, because neither of its currencies is the dollar`)
  }
  return found
}
