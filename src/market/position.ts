/** A β-neutral position in a pair: sized, opened, marked and closed. Money is US dollars. */
import * as Costs from "./costs.ts"
import * as Instrument from "./instrument.ts"
import type { ExitReason, Trade } from "./trades.ts"

/** The two instruments with their costs. */
export interface Market {
  readonly legA: Instrument.Instrument
  readonly legB: Instrument.Instrument
  readonly costsA: Costs.SymbolCosts
  readonly costsB: Costs.SymbolCosts
}

/** A decision to open: `side` 1 buys A and sells B, −1 sells A and buys B; lots are positive. */
export interface Order {
  readonly side: 1 | -1
  readonly beta: number
  readonly lotsA: number
  readonly lotsB: number
}

/** An open position. `notional*` are signed dollars at entry, the base of swap. */
export interface Position extends Order {
  readonly entryRow: number
  readonly entryTime: number
  readonly entryA: number
  readonly entryB: number
  readonly notionalA: number
  readonly notionalB: number
  readonly entryCosts: number
}

/** Where and when a fill happens: the row, its time (epoch milliseconds) and both legs' prices before tick rounding. */
export interface Fill {
  readonly row: number
  readonly time: number
  readonly priceA: number
  readonly priceB: number
}

/** Looks up both legs' costs. */
export const market = (instruments: Instrument.Pair, costs: Costs.CostTable): Market => ({
  legA: instruments.leg_A,
  legB: instruments.leg_B,
  costsA: Costs.prepare(costs, instruments.leg_A.canonical_symbol),
  costsB: Costs.prepare(costs, instruments.leg_B.canonical_symbol),
})

const opposite = (side: 1 | -1): 1 | -1 => (side === 1 ? -1 : 1)

/**
 * Sizes an order: dollars of A and B together are `stake`, and one unit of A is hedged by β units of B, in dollars where
 * the quote currencies differ. A is rounded down to the lot step, B to the nearest that hedges the rounded A. None where
 * β is not positive or a leg is below its smallest lot or notional.
 */
export const size = (
  { legA, legB }: Market,
  side: 1 | -1,
  beta: number,
  priceA: number,
  priceB: number,
  stake: number,
): Order | undefined => {
  if (!(beta > 0)) return undefined
  const dollarsA = Instrument.quoteToUsd(legA, priceA)
  const dollarsB = Instrument.quoteToUsd(legB, priceB)
  const unitsA = stake / (dollarsA * (priceA + beta * priceB))
  const lotsA = Instrument.roundLots(legA, unitsA / Instrument.units(legA, 1))
  const hedge = (beta * Instrument.units(legA, lotsA) * dollarsA) / dollarsB
  const lotsB = Instrument.nearestLots(legB, hedge / Instrument.units(legB, 1))
  const fits = Instrument.tradable(legA, lotsA, priceA) && Instrument.tradable(legB, lotsB, priceB)
  return fits ? { side, beta, lotsA, lotsB } : undefined
}

/** Opens a position; both legs pay their entry costs. */
export const open = (market: Market, order: Order, fill: Fill): Position => {
  const { side, lotsA, lotsB } = order
  const entryA = Instrument.fillPrice(market.legA, fill.priceA, side)
  const entryB = Instrument.fillPrice(market.legB, fill.priceB, opposite(side))
  const notionalA = side * Instrument.notional(market.legA, lotsA, entryA)
  const notionalB = -side * Instrument.notional(market.legB, lotsB, entryB)
  const entryCosts = Costs.fill(market.costsA, notionalA, fill.time) + Costs.fill(market.costsB, notionalB, fill.time)
  return { ...order, entryRow: fill.row, entryTime: fill.time, entryA, entryB, notionalA, notionalB, entryCosts }
}

const profit = (leg: Instrument.Instrument, signedLots: number, from: number, to: number) =>
  Instrument.units(leg, signedLots) * (to - from) * Instrument.quoteToUsd(leg, to)

const grossAt = ({ legA, legB }: Market, held: Position, priceA: number, priceB: number) =>
  profit(legA, held.side * held.lotsA, held.entryA, priceA) + profit(legB, -held.side * held.lotsB, held.entryB, priceB)

const swapUntil = ({ costsA, costsB }: Market, held: Position, time: number) =>
  Costs.holding(costsA, held.notionalA, held.entryTime, time) +
  Costs.holding(costsB, held.notionalB, held.entryTime, time)

/** What the position is worth at given prices, less what it has cost until `time`; closing it would cost more. */
export const mark = (market: Market, held: Position, priceA: number, priceB: number, time: number): number =>
  grossAt(market, held, priceA, priceB) - held.entryCosts - swapUntil(market, held, time)

/** Closes the position. */
export const close = (market: Market, held: Position, fill: Fill, reason: ExitReason): Trade => {
  const exitPriceA = Instrument.fillPrice(market.legA, fill.priceA, opposite(held.side))
  const exitPriceB = Instrument.fillPrice(market.legB, fill.priceB, held.side)
  const gross = grossAt(market, held, exitPriceA, exitPriceB)
  const exitCosts =
    Costs.fill(market.costsA, Instrument.notional(market.legA, held.lotsA, exitPriceA), fill.time) +
    Costs.fill(market.costsB, Instrument.notional(market.legB, held.lotsB, exitPriceB), fill.time)
  const costs = held.entryCosts + exitCosts + swapUntil(market, held, fill.time)
  return {
    entryTime: held.entryTime,
    exitTime: fill.time,
    entryRow: held.entryRow,
    exitRow: fill.row,
    side: held.side,
    beta: held.beta,
    lotsA: held.lotsA,
    lotsB: held.lotsB,
    entryPriceA: held.entryA,
    entryPriceB: held.entryB,
    exitPriceA,
    exitPriceB,
    gross,
    costs,
    net: gross - costs,
    bars: fill.row - held.entryRow,
    reason,
  }
}
