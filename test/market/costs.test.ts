import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Costs from "../../src/market/costs.ts"
import { costs, day, hour, start } from "./fixtures/spread-market.ts"

const gbpusd = Costs.prepare(costs, "GBPUSD")
const eurusd = Costs.prepare(costs, "EURUSD")
const rollover = start + 21 * hour
const time = fc.integer({ min: Date.UTC(1960, 0, 1), max: Date.UTC(2040, 0, 1) })

describe("fill", () => {
  it("charges half the spread, the commission and the slippage of the time of day", () => {
    const at = (clock: number) => Costs.fill(gbpusd, 10_000, start + clock * hour)
    assert.closeTo(at(12), 2.5 + 10 + 8, 1e-9)
    assert.closeTo(at(7), 20.5, 1e-9)
    assert.closeTo(at(1), 12.5 + 8 * 1.2, 1e-9)
    assert.closeTo(at(6.99), 12.5 + 8 * 1.2, 1e-9)
    assert.closeTo(at(22), 12.5 + 8 * 1.5, 1e-9)
    assert.closeTo(at(0.5), 12.5 + 8 * 1.5, 1e-9)
    assert.closeTo(at(21.99), 20.5, 1e-9)
  })

  it("takes a symbol's own rates over the defaults, and not what every object inherits", () => {
    assert.closeTo(Costs.fill(eurusd, 10_000, start + 12 * hour), 20, 1e-9)
    assert.deepStrictEqual(Costs.rates(costs, "constructor"), costs.defaults)
  })

  it("does not depend on the direction", () => {
    assert.strictEqual(Costs.fill(gbpusd, -500, start), Costs.fill(gbpusd, 500, start))
  })
})

describe("slippageFactors", () => {
  it("takes the largest factor where windows overlap", () => {
    const factors = Costs.slippageFactors([
      { from: "10:00", to: "12:00", factor: 2 },
      { from: "11:00", to: "13:00", factor: 1.1 },
    ])
    assert.deepStrictEqual(
      [9, 10, 11, 12, 13].map((clock) => factors[clock * 60]),
      [1, 2, 2, 1.1, 1],
    )
  })

  it("keeps a factor below 1, where a time of day is cheaper", () => {
    assert.strictEqual(Costs.slippageFactors([{ from: "13:00", to: "14:00", factor: 0.5 }])[13 * 60], 0.5)
  })

  it("refuses a clock time that is not one", () => {
    assert.throws(() => Costs.slippageFactors([{ from: "24:00", to: "01:00", factor: 2 }]), /write HH:MM/)
  })
})

describe("nights", () => {
  it("counts Monday to Friday once, Wednesday three times, the weekend not at all", () => {
    const each = [0, 1, 2, 3, 4, 5, 6].map((n) => Costs.nights(gbpusd, rollover + n * day - 1, rollover + n * day))
    assert.deepStrictEqual(each, [1, 1, 3, 1, 1, 0, 0])
  })

  it("does not charge a position that opens at the rollover, and does charge one that closes at it", () => {
    assert.strictEqual(Costs.nights(gbpusd, rollover, rollover + hour), 0)
    assert.strictEqual(Costs.nights(gbpusd, rollover - hour, rollover), 1)
  })

  it("charges seven nights for any whole week, and adds up over adjacent holdings", () => {
    fc.assert(
      fc.property(time, time, time, (one, two, three) => {
        const [from, middle, to] = [one, two, three].sort((left, right) => left - right)
        assert.strictEqual(Costs.nights(gbpusd, from, from + 7 * day), 7)
        const parts = Costs.nights(gbpusd, from, middle) + Costs.nights(gbpusd, middle, to)
        assert.strictEqual(parts, Costs.nights(gbpusd, from, to))
        assert.isAtLeast(parts, 0)
      }),
    )
  })
})

describe("holding", () => {
  it("charges long and short at their own rates", () => {
    const from = rollover + day
    assert.closeTo(Costs.holding(gbpusd, 10_000, from, from + day), 0.5 * 3, 1e-12)
    assert.closeTo(Costs.holding(gbpusd, -10_000, from, from + day), 0.25 * 3, 1e-12)
  })
})

describe("plus", () => {
  it("adds to every fill of every symbol, also where a symbol has its own commission", () => {
    const own = { ...costs, symbols: { EURUSD: { commission_bps: 1 }, GBPUSD: { spread_bps: 4 } } }
    for (const symbol of ["EURUSD", "GBPUSD", "USDJPY"]) {
      const before = Costs.fill(Costs.prepare(own, symbol), 10_000, start)
      const after = Costs.fill(Costs.prepare(Costs.plus(own, 30), symbol), 10_000, start)
      assert.closeTo(after - before, 30, 1e-9)
    }
  })
})
