import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { align, timeframeMillis, type Timeframe } from "../../src/market/bars.ts"
import * as Features from "../../src/market/features.ts"
import * as Rolling from "../../src/market/rolling.ts"
import * as Synthetic from "../../src/market/synthetic.ts"

const spec = {
  seed: 3,
  symbols: ["EURUSD", "GBPUSD"],
  timeframe: "1h" as Timeframe,
  from: Date.UTC(2024, 0, 1),
  to: Date.UTC(2024, 3, 1),
}
const median = (column: Float64Array) => {
  const sorted = column.filter(Number.isFinite).sort()
  return sorted[sorted.length >> 1]
}

describe("synthetic", () => {
  it("gives the same bars for the same seed, and others for another", () => {
    assert.deepStrictEqual(Synthetic.synthetic(spec), Synthetic.synthetic(spec))
    assert.notDeepEqual(Synthetic.synthetic(spec)[0].close, Synthetic.synthetic({ ...spec, seed: 4 })[0].close)
  })

  it("begins a longer range with the bars of a shorter one", () => {
    const [short] = Synthetic.synthetic({ ...spec, to: Date.UTC(2024, 1, 1) })
    const [long] = Synthetic.synthetic(spec)
    assert.deepStrictEqual(long.close.slice(0, short.close.length), short.close)
    assert.deepStrictEqual(long.volume.slice(0, short.close.length), short.volume)
  })

  it("makes consistent bars on a whole timeframe within the FX week, for any seed and timeframe", () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.constantFrom("15m", "1h", "4h"),
        fc.integer({ min: 1, max: 4 }),
        (seed, timeframe, count) => {
          const symbols = ["EURUSD", "AUDUSD", "USDJPY", "GBPUSD"].slice(-count)
          const series = Synthetic.synthetic({ ...spec, seed, timeframe, symbols, to: Date.UTC(2024, 0, 22) })
          assert.deepStrictEqual(
            series.map((bars) => bars.symbol),
            symbols,
          )
          for (const { close, high, low, open, timestamp, volume } of series) {
            timestamp.forEach((time, i) => {
              assert.isTrue(Synthetic.isOpen(time))
              assert.strictEqual(time % timeframeMillis[timeframe], 0)
              assert.isAtLeast(high[i], Math.max(open[i], close[i]))
              assert.isAtMost(low[i], Math.min(open[i], close[i]))
              assert.isAbove(low[i], 0)
              assert.isAtLeast(volume[i], 1)
              if (i > 0) assert.isTrue(time > timestamp[i - 1] && time - timestamp[i - 1] <= 52 * 3_600_000)
            })
          }
        },
      ),
      { numRuns: 20 },
    )
  })

  it("opens on Sunday at 22:00 UTC and closes on Friday at 22:00", () => {
    const sunday = Date.UTC(2024, 0, 7)
    const hour = 3_600_000
    assert.isFalse(Synthetic.isOpen(sunday + 21 * hour))
    assert.isTrue(Synthetic.isOpen(sunday + 22 * hour))
    assert.isTrue(Synthetic.isOpen(sunday + (5 * 24 + 21) * hour))
    assert.isFalse(Synthetic.isOpen(sunday + (5 * 24 + 22) * hour))
    assert.isFalse(Synthetic.isOpen(sunday + 6 * 24 * hour))
  })

  it("moves more in London's and New York's hours than at night", () => {
    const [, b] = Synthetic.synthetic(spec)
    const range = (wanted: (hour: number) => boolean) =>
      median(
        Float64Array.from(b.high, (high, i) =>
          wanted(new Date(b.timestamp[i]).getUTCHours()) ? high - b.low[i] : Number.NaN,
        ),
      )
    assert.isAbove(
      range((hour) => hour >= 12 && hour < 16),
      1.8 * range((hour) => hour >= 21 || hour < 4),
    )
  })

  it("shows each regime in the features that are meant to see it", () => {
    const of = (regime: Synthetic.Regime) => {
      const [a, b] = Synthetic.synthetic({ ...spec, regime, to: Date.UTC(2024, 11, 1) })
      const pair = align(a, b)
      const { columns } = Features.features(pair)
      return {
        halfLife: median(columns.half_life),
        rho: median(columns.rho_180),
        legs: median(columns.atr_a14) / median(columns.atr_b14),
        spread: Math.sqrt(
          median(
            Rolling.variance(
              pair.a.close.map((close, i) => Math.log(close / pair.b.close[i])),
              180,
            ),
          ),
        ),
      }
    }
    const calm = of("calm")
    const drift = of("drift")
    const breakdown = of("breakdown")
    const burst = of("burst")
    assert.isTrue(calm.halfLife >= 7 && calm.halfLife <= 20, `half-life ${calm.halfLife}`)
    assert.isTrue(calm.spread >= 0.003 && calm.spread <= 0.006, `spread ${calm.spread}`)
    assert.isAbove(drift.halfLife, 2 * calm.halfLife)
    assert.isBelow(breakdown.rho, calm.rho - 0.2)
    assert.isAbove(burst.legs, 1.5 * calm.legs)
  })
})
