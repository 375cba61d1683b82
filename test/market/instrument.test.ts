import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Instrument from "../../src/market/instrument.ts"
import { eurusd, usdjpy } from "./fixtures/spread-market.ts"

describe("fillPrice", () => {
  it("leaves a price that is on the grid", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99_999 }), fc.constantFrom<1 | -1>(1, -1), (ticks, direction) => {
        const price = Number((ticks / 10_000).toFixed(4))
        assert.strictEqual(Instrument.fillPrice(eurusd, price, direction), price)
      }),
    )
  })

  it("moves any other price against us, by less than a tick", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.5, max: 200, noNaN: true }), (price) => {
        const buy = Instrument.fillPrice(usdjpy, price, 1)
        const sell = Instrument.fillPrice(usdjpy, price, -1)
        assert.isAtLeast(buy, price - 1e-8)
        assert.isAtMost(sell, price + 1e-8)
        assert.isBelow(buy - sell, 0.001 + 1e-8)
      }),
    )
  })
})

describe("lots", () => {
  it("round down to the lot step, and a hedge to the nearest", () => {
    assert.strictEqual(Instrument.roundLots(eurusd, 0.379), 0.37)
    assert.strictEqual(Instrument.roundLots(eurusd, 0.29), 0.29)
    assert.strictEqual(Instrument.nearestLots(eurusd, 0.376), 0.38)
    assert.strictEqual(Instrument.nearestLots(eurusd, 0.374), 0.37)
  })

  it("are 0 below the smallest lot and for what is not a number", () => {
    assert.strictEqual(Instrument.roundLots(eurusd, 0.009), 0)
    assert.strictEqual(Instrument.roundLots({ ...eurusd, min_lot: 0.1 }, 0.09), 0)
    assert.strictEqual(Instrument.roundLots(eurusd, Number.NaN), 0)
  })
})

describe("notional", () => {
  it("is in dollars whichever side of the symbol the dollar is on", () => {
    assert.closeTo(Instrument.notional(eurusd, 0.5, 1.1), 55_000, 1e-6)
    assert.closeTo(Instrument.notional(usdjpy, 0.5, 150), 50_000, 1e-6)
    const cross = { ...usdjpy, canonical_symbol: "EURJPY", quote_usd_rate: 0.0065 }
    assert.closeTo(Instrument.notional(cross, 0.5, 160), 52_000, 1e-6)
  })

  it("takes the price of something that is not a currency pair as dollars", () => {
    assert.strictEqual(Instrument.notional({ ...eurusd, canonical_symbol: "AAPL", contract_size: 1 }, 3, 200), 600)
  })

  it("below the smallest allowed is not tradable", () => {
    const small = { ...eurusd, contract_size: 1 }
    assert.isFalse(Instrument.tradable(small, 90, 1.1))
    assert.isTrue(Instrument.tradable(small, 91, 1.1))
  })
})

describe("problems", () => {
  it("are none for a sound instrument", () => {
    assert.deepStrictEqual(Instrument.problems(usdjpy), [])
  })

  it("name a cross without a dollar rate, which does not trade either", () => {
    const cross = { ...usdjpy, canonical_symbol: "EURJPY" }
    assert.isFalse(Instrument.tradable(cross, 1, 160))
    assert.match(Instrument.problems(cross).join(), /EURJPY: set quote_usd_rate/)
  })

  it("name a step that is not above 0", () => {
    assert.match(Instrument.problems({ ...eurusd, lot_step: 0 }).join(), /EURUSD: set lot_step/)
  })
})
