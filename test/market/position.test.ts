import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Position from "../../src/market/position.ts"
import { costs, eurusd, free, hour, instruments, start, usdjpy } from "./fixtures/spread-market.ts"

const market = Position.market(instruments, free)

describe("size", () => {
  it("spends the stake on both legs together, hedged by β units of B for each unit of A", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.3, max: 3, noNaN: true }),
        fc.double({ min: 0.7, max: 1.6, noNaN: true }),
        fc.double({ min: 0.7, max: 1.6, noNaN: true }),
        (beta, priceA, priceB) => {
          const order = Position.size(market, 1, beta, priceA, priceB, 1_000_000)
          assert.isDefined(order)
          assert.closeTo(order.lotsB, beta * order.lotsA, 0.005 + 1e-9)
          const dollars = 100_000 * (order.lotsA * priceA + order.lotsB * priceB)
          assert.closeTo(dollars, 1_000_000, 100_000 * (0.01 * (priceA + beta * priceB) + 0.005 * priceB))
        },
      ),
    )
  })

  it("hedges in dollars where the legs are quoted in different currencies", () => {
    const mixed = Position.market({ leg_A: eurusd, leg_B: usdjpy }, free)
    const order = Position.size(mixed, 1, 0.007, 1.1, 150, 1_000_000)
    assert.isDefined(order)
    const perTickA = order.lotsA * 100_000
    const perTickB = (order.lotsB * 100_000) / 150
    assert.closeTo(perTickB / perTickA, 0.007, 0.0001)
  })

  it("gives no order without a positive β, or with a leg that is too small", () => {
    for (const beta of [0, -0.5, Number.NaN]) {
      assert.isUndefined(Position.size(market, 1, beta, 1.1, 1.25, 100_000))
    }
    assert.isUndefined(Position.size(market, 1, 0.8, 1.1, 1.25, 1_000))
    assert.isUndefined(Position.size(market, 1, 0.001, 1.1, 1.25, 100_000))
  })
})

describe("close", () => {
  it("books what the legs made, less four fills and the nights", () => {
    const charged = Position.market(instruments, costs)
    const held = Position.open(
      charged,
      { side: -1, beta: 0.8, lotsA: 0.5, lotsB: 0.4 },
      {
        row: 3,
        time: start + 12 * hour,
        priceA: 1.1,
        priceB: 1.25,
      },
    )
    const exit = { row: 15, time: start + 24 * hour, priceA: 1.09, priceB: 1.26 }
    const trade = Position.close(charged, held, exit, "target")
    assert.closeTo(trade.gross, 50_000 * 0.01 + 40_000 * 0.01, 1e-6)
    const entry = 55_000 * 0.002 + 50_000 * 0.00205
    const exits = 54_500 * 0.0024 + 50_400 * 0.00245
    const swap = 55_000 * 0.000025 + 50_000 * 0.00005
    assert.closeTo(trade.costs, entry + exits + swap, 1e-6)
    assert.strictEqual(trade.net, trade.gross - trade.costs)
    assert.strictEqual(trade.bars, 12)
    assert.closeTo(Position.mark(charged, held, exit.priceA, exit.priceB, exit.time), trade.gross - entry - swap, 1e-6)
  })

  it("fills both legs on the tick grid, against us", () => {
    const held = Position.open(
      market,
      { side: 1, beta: 0.8, lotsA: 0.5, lotsB: 0.4 },
      {
        row: 0,
        time: start,
        priceA: 1.10004,
        priceB: 1.25006,
      },
    )
    assert.deepStrictEqual([held.entryA, held.entryB], [1.1001, 1.25])
    const trade = Position.close(market, held, { row: 1, time: start + hour, priceA: 1.10006, priceB: 1.25004 }, "end")
    assert.deepStrictEqual([trade.exitPriceA, trade.exitPriceB], [1.1, 1.2501])
  })

  it("turns yen into dollars at the exit's price", () => {
    const mixed = Position.market({ leg_A: usdjpy, leg_B: eurusd }, free)
    const order = { side: 1, beta: 0.8, lotsA: 1, lotsB: 0.01 } as const
    const held = Position.open(mixed, order, { row: 0, time: start, priceA: 150, priceB: 1.1 })
    const trade = Position.close(mixed, held, { row: 1, time: start, priceA: 151, priceB: 1.1 }, "end")
    assert.closeTo(trade.gross, 100_000 / 151, 1e-6)
  })
})
