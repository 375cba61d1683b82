import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Indicators from "../../src/market/indicators.ts"

const values = fc
  .array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 1, maxLength: 80 })
  .map((list) => Float64Array.from(list))

describe("Indicators", () => {
  it("starts an EMA from the mean of the first window and weighs each new value by 2 / (span + 1)", () => {
    const ema = Indicators.ema(Float64Array.of(1, 2, 3, 7, 3), 3)
    assert.deepStrictEqual([...ema], [Number.NaN, Number.NaN, 2, 4.5, 3.75])
  })

  it("starts anew after a gap", () => {
    const ema = Indicators.ema(Float64Array.of(1, 1, Number.NaN, 5, 7, 9), 2)
    assert.deepStrictEqual([...ema].slice(0, 5), [Number.NaN, 1, Number.NaN, Number.NaN, 6])
    assert.closeTo(ema[5], 8, 1e-12)
  })

  it("keeps an EMA within the range of what it has seen", () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 2, max: 20 }), (x, span) => {
        const low = Math.min(...x) - 1e-9
        const high = Math.max(...x) + 1e-9
        assert.isTrue(
          Indicators.ema(x, span).every((next, i) => (i < span - 1 ? Number.isNaN(next) : next >= low && next <= high)),
        )
      }),
    )
  })

  it("counts a gap from the previous close into the true range, and averages it by Wilder's weight", () => {
    const bars = {
      open: Float64Array.of(10, 15, 14),
      high: Float64Array.of(11, 16, 15),
      low: Float64Array.of(9, 14, 12),
      close: Float64Array.of(10, 15, 13),
      volume: Float64Array.of(1, 1, 1),
    }
    assert.deepStrictEqual([...Indicators.trueRange(bars)], [2, 6, 3])
    assert.deepStrictEqual([...Indicators.atr(bars, 2)], [Number.NaN, 4, 3.5])
  })

  it("puts the RSI at 100 in a rise, 0 in a fall, 50 in a standstill", () => {
    const series = (step: number) => Float64Array.from({ length: 40 }, (_, i) => 5 + step * i)
    assert.strictEqual(Indicators.rsi(series(1), 14)[39], 100)
    assert.strictEqual(Indicators.rsi(series(-1), 14)[39], 0)
    assert.strictEqual(Indicators.rsi(series(0), 14)[39], 50)
    assert.isNaN(Indicators.rsi(series(1), 14)[13])
  })
})
