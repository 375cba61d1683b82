import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { align, slice, type PairBars } from "../../src/market/bars.ts"
import * as Features from "../../src/market/features.ts"
import * as Random from "../../src/market/random.ts"
import { synthetic } from "../../src/market/synthetic.ts"

const series = (days: number, seed: number | string = 1) =>
  synthetic({
    seed,
    symbols: ["EURUSD", "GBPUSD"],
    timeframe: "1h",
    from: Date.UTC(2024, 0, 1),
    to: Date.UTC(2024, 0, 1 + days),
  })
const pairOf = ([a, b]: ReturnType<typeof series>): PairBars => align(a, b)
const short: Features.FeatureSpec = { ...Features.defaultFeatureSpec, window: 40 }

/** The same pair with every number after `row` replaced. */
const disturbed = (pair: PairBars, row: number, seed: number): PairBars => {
  const random = Random.make(seed)
  const leg = (bars: PairBars["a"]) => {
    const change = (column: Float64Array) =>
      column.map((value, i) => (i <= row ? value : value * (0.5 + random.next())))
    return {
      open: change(bars.open),
      high: change(bars.high),
      low: change(bars.low),
      close: change(bars.close),
      volume: change(bars.volume),
    }
  }
  return { ...pair, a: leg(pair.a), b: leg(pair.b) }
}

describe("features", () => {
  it("never looks ahead: a row stays the same whatever the later bars are", () => {
    const pair = pairOf(series(30))
    const table = Features.features(pair, short)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: pair.timestamp.length - 2 }), fc.integer(), (row, seed) => {
        const changed = Features.features(disturbed(pair, row, seed), short)
        for (const name of table.names) {
          assert.deepStrictEqual(changed.columns[name].slice(0, row + 1), table.columns[name].slice(0, row + 1))
        }
      }),
      { numRuns: 40 },
    )
  })

  it("gives a shorter history the first rows of a longer one", () => {
    const [a, b] = series(60)
    const whole = Features.features(align(a, b))
    const part = Features.features(align(slice(a, 0, 700), slice(b, 0, 700)))
    for (const name of whole.names) assert.deepStrictEqual(part.columns[name], whole.columns[name].slice(0, 700))
  })

  it("agrees with β, z and half-life computed from the window by their definitions", () => {
    const pair = pairOf(series(60))
    const { columns } = Features.features(pair)
    const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length
    const moment = (x: Float64Array, y: Float64Array) => {
      const mx = mean(x)
      const my = mean(y)
      return x.reduce((sum, value, i) => sum + (value - mx) * (y[i] - my), 0)
    }
    for (const row of [180, 300, 555, 900]) {
      const a = pair.a.close.slice(row - 179, row + 1)
      const b = pair.b.close.slice(row - 179, row + 1)
      const beta = moment(a, b) / moment(b, b)
      const residual = a.map((value, i) => value - beta * b[i])
      const sd = Math.sqrt(moment(residual, residual) / 179)
      assert.closeTo(columns.beta[row], beta, 1e-9)
      assert.closeTo(columns.spread[row], residual[179], 1e-9)
      assert.closeTo(columns.z[row], Math.max(-5, Math.min(5, (residual[179] - mean(residual)) / sd)), 1e-6)
      const now = Float64Array.from(
        { length: 180 },
        (_, i) => pair.a.close[row - 179 + i] - beta * pair.b.close[row - 179 + i],
      )
      const before = Float64Array.from(
        { length: 180 },
        (_, i) => pair.a.close[row - 180 + i] - beta * pair.b.close[row - 180 + i],
      )
      const phi = moment(now, before) / moment(before, before)
      assert.closeTo(columns.half_life[row], Features.halfLife(phi, 240), 1e-4)
    }
  })

  it("keeps every column in its range", () => {
    const { columns } = Features.features(pairOf(series(120, "range")))
    const within = (name: string, low: number, high: number) =>
      assert.isTrue(
        columns[name].every((value) => Number.isNaN(value) || (value >= low && value <= high)),
        name,
      )
    within("z", -5, 5)
    within("rho_180", -1, 1)
    within("rho_var_180", 0, 1)
    within("beta_stability", 0, 1)
    within("half_life", 1, 240)
    within("rsi_14", 0, 100)
    within("drawdown_recent", 0, 1)
    within("abs_dz_ema", 0, 10)
  })

  it("has no z where the legs move as one", () => {
    const pair = pairOf(series(20))
    const { columns } = Features.features({ ...pair, b: pair.a }, short)
    assert.isTrue(columns.z.every(Number.isNaN))
  })

  it("names the rows on which every feature is there, from the second window on", () => {
    const table = Features.features(pairOf(series(60)))
    const rows = Features.completeRows(table)
    assert.strictEqual(rows[0], 359)
    assert.strictEqual(rows.length, table.timestamp.length - 359)
    assert.deepStrictEqual([...table.names], Object.keys(table.columns))
  })

  it("takes well under 200 ms for 12,000 bars", () => {
    const pair = pairOf(series(700))
    assert.isAbove(pair.timestamp.length, 11_900)
    const times = Array.from({ length: 5 }, () => {
      const start = performance.now()
      Features.features(pair)
      return performance.now() - start
    })
    assert.isBelow(Math.min(...times), 200)
  })
})

describe("halfLife", () => {
  it("is the number of bars after which half of a deviation is left, within its clips", () => {
    assert.closeTo(Features.halfLife(0.5 ** (1 / 12), 240), 12, 1e-9)
    assert.strictEqual(Features.halfLife(-0.2, 240), 1)
    assert.strictEqual(Features.halfLife(1.01, 240), 240)
    assert.isNaN(Features.halfLife(Number.NaN, 240))
  })
})
