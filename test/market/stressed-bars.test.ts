import { assert, describe, it } from "@effect/vitest"
import type { Ohlcv, PairBars } from "../../src/market/bars.ts"
import * as Random from "../../src/market/random.ts"
import * as StressedBars from "../../src/market/stressed-bars.ts"
import { market } from "./fixtures/spread-market.ts"

const { pair } = market(4000, 21)
const returns = (leg: Ohlcv) => leg.close.slice(1).map((price, row) => Math.log(price / leg.close[row]))
const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length
const covariance = (one: Float64Array, other: Float64Array) => {
  const [meanOne, meanOther] = [mean(one), mean(other)]
  return mean(one.map((value, i) => (value - meanOne) * (other[i] - meanOther)))
}
const deviation = (leg: Ohlcv) => Math.sqrt(covariance(returns(leg), returns(leg)))
const correlation = ({ a, b }: PairBars) => covariance(returns(a), returns(b)) / (deviation(a) * deviation(b))
const trueRange = (leg: Ohlcv) =>
  mean(
    leg.close
      .slice(1)
      .map((close, row) => (Math.max(leg.high[row + 1], close) - Math.min(leg.low[row + 1], leg.close[row])) / close),
  )
/** How far, in logs and on average, highs and lows reach beyond open and close. */
const reach = ({ open, high, low, close }: Ohlcv) =>
  mean(
    close.map(
      (price, row) =>
        Math.log(high[row] / Math.max(open[row], price)) - Math.log(low[row] / Math.min(open[row], price)),
    ),
  )
const sound = ({ a, b }: PairBars) =>
  [a, b].every((leg) =>
    leg.close.every((close, row) => {
      const slack = close * 1e-12
      return (
        leg.low[row] > 0 &&
        leg.high[row] >= Math.max(leg.open[row], close) - slack &&
        leg.low[row] <= Math.min(leg.open[row], close) + slack
      )
    }),
  )

describe("volatile", () => {
  it("multiplies the returns' deviation and the bars' range, and leaves the correlation", () => {
    for (const factor of [1.5, 2]) {
      const stressed = StressedBars.volatile(pair, factor, Random.make(1))
      assert.isTrue(sound(stressed))
      assert.closeTo(deviation(stressed.a) / deviation(pair.a), factor, 0.1 * factor)
      assert.closeTo(deviation(stressed.b) / deviation(pair.b), factor, 0.1 * factor)
      assert.closeTo(trueRange(stressed.a) / trueRange(pair.a), factor, 0.1 * factor)
      assert.closeTo(reach(stressed.b) / reach(pair.b), factor, 1e-6)
      assert.closeTo(correlation(stressed), correlation(pair), 0.05)
    }
  })

  it("changes nothing at a factor of 1", () => {
    const same = StressedBars.volatile(pair, 1, Random.make(1))
    assert.deepStrictEqual(same.a.close, pair.a.close)
  })
})

describe("decorrelated", () => {
  it("gives the correlation asked for and keeps each leg's deviation", () => {
    for (const target of [0, 0.2]) {
      const stressed = StressedBars.decorrelated(pair, target, Random.make(2))
      assert.isTrue(sound(stressed))
      assert.closeTo(correlation(stressed), target, 0.05)
      assert.closeTo(deviation(stressed.b) / deviation(pair.b), 1, 0.05)
      assert.strictEqual(stressed.a, pair.a)
    }
    assert.isAbove(correlation(pair), 0.3)
  })
})

describe("gapped", () => {
  const jumps = (stressed: PairBars) => {
    const found: Array<[row: number, size: number]> = []
    const shift = (row: number, leg: "a" | "b") => stressed[leg].open[row] / pair[leg].open[row]
    for (let row = 1; row < 4000; row++) {
      for (const leg of ["a", "b"] as const) {
        const size = shift(row, leg) / shift(row - 1, leg) - 1
        if (Math.abs(size) > 1e-9) found.push([row, size])
      }
    }
    return found
  }

  it("jumps by the fraction, up or down, in one leg after each weekend and nowhere else", () => {
    const stressed = StressedBars.gapped(pair, 0.01, Random.make(3))
    const found = jumps(stressed)
    assert.isTrue(sound(stressed))
    assert.deepStrictEqual(
      found.map(([row]) => row),
      Array.from({ length: 33 }, (_, week) => (week + 1) * 120),
    )
    assert.isTrue(found.every(([, size]) => Math.abs(Math.abs(size) - 0.01) < 1e-9))
    assert.sameMembers([...new Set(found.map(([, size]) => Math.sign(size)))], [1, -1])
  })

  it("jumps every 120 bars in a market that never closes", () => {
    const timestamp = pair.timestamp.map((_, row) => row * 3_600_000)
    const found = jumps(StressedBars.gapped({ ...pair, timestamp }, 0.01, Random.make(3)))
    assert.lengthOf(found, 33)
  })
})

describe("stressed bars", () => {
  it("are the same for the same seed, and leave the given bars alone", () => {
    const before = structuredClone(pair)
    const stresses = [
      (random: Random.Random) => StressedBars.volatile(pair, 2, random),
      (random: Random.Random) => StressedBars.decorrelated(pair, 0, random),
      (random: Random.Random) => StressedBars.gapped(pair, 0.02, random),
    ]
    for (const stress of stresses) {
      assert.deepStrictEqual(stress(Random.make(9)), stress(Random.make(9)))
      assert.notDeepEqual(stress(Random.make(9)).b.close, stress(Random.make(10)).b.close)
    }
    assert.deepStrictEqual(pair, before)
  })
})
