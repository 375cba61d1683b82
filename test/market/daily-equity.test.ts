import { assert, describe, it } from "@effect/vitest"
import * as DailyEquity from "../../src/market/daily-equity.ts"
import { day, hour, start } from "./fixtures/spread-market.ts"

describe("tradingDay", () => {
  it("is the UTC date on weekdays and the next Monday on the weekend", () => {
    const days = [0, 1, 2, 3, 4, 5, 6, 7].map(
      (n) => (DailyEquity.tradingDay(start + n * day + 23 * hour) - start) / day,
    )
    assert.deepStrictEqual(days, [0, 1, 2, 3, 4, 7, 7, 7])
  })

  it("holds for times before the epoch", () => {
    assert.strictEqual(DailyEquity.tradingDay(Date.UTC(1969, 11, 27, 5)), Date.UTC(1969, 11, 29))
  })
})

describe("make", () => {
  it("takes the last equity of each trading day, Sunday evening being part of Monday", () => {
    const timestamp = Float64Array.of(
      start + 4 * day,
      start + 4 * day + hour,
      start + 6 * day + 22 * hour,
      start + 7 * day,
    )
    const daily = DailyEquity.make(timestamp, Float64Array.of(100, 101, 102, 103))
    assert.deepStrictEqual(daily, {
      day: Float64Array.of(start + 4 * day, start + 7 * day),
      equity: Float64Array.of(101, 103),
    })
  })
})

describe("returns", () => {
  it("start from the capital", () => {
    const daily = { day: Float64Array.of(0, day), equity: Float64Array.of(110, 99) }
    const returns = DailyEquity.returns(daily, 100)
    assert.closeTo(returns[0], 0.1, 1e-12)
    assert.closeTo(returns[1], -0.1, 1e-12)
  })
  it("are not a number once the equity is gone", () => {
    const daily = { day: Float64Array.of(0, day, 2 * day), equity: Float64Array.of(-10, -20, 50) }
    assert.deepStrictEqual(DailyEquity.returns(daily, 100), Float64Array.of(-1.1, Number.NaN, Number.NaN))
  })
})
