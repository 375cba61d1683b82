import { assert, describe, it } from "@effect/vitest"
import type { PairBars } from "../../src/market/bars.ts"
import * as Performance from "../../src/market/performance.ts"
import * as Simulator from "../../src/market/simulator.ts"
import * as Stress from "../../src/market/stress.ts"
import { input } from "./fixtures/spread-market.ts"

const policy: Stress.Policy = {
  volatility: [1.5, 2],
  correlation: [0, 0.2],
  cost_bps: [10, 30],
  latency_bars: [1],
  gap_percent: [0.5, 1, 2],
}
const base = { ...input(3000, 31), theta1: 0.75 }
/** The spread's z by its mean and deviation over the last 100 bars. */
const rollingZ = ({ a, b }: PairBars): Float64Array => {
  const spread = a.close.map((price, row) => price - 0.8 * b.close[row])
  return spread.map((value, row) => {
    const window = spread.subarray(Math.max(0, row - 99), row + 1)
    const mean = window.reduce((sum, one) => sum + one, 0) / window.length
    const square = window.reduce((sum, one) => sum + (one - mean) ** 2, 0) / window.length
    return row < 99 ? Number.NaN : (value - mean) / Math.sqrt(square)
  })
}
const respond = (pair: PairBars): Simulator.Signals => ({ ...base, z: rollingZ(pair) })
const honest = { ...base, ...respond(base.pair) }
const outcomes = Stress.run(honest, policy, { seed: 5, respond })
const performanceOf = (name: string) => {
  const found = outcomes.find((one) => one.name === name)
  assert.isDefined(found, name)
  return found.performance
}

describe("run", () => {
  it("runs one scenario for each number of the policy", () => {
    assert.deepStrictEqual(
      outcomes.map((one) => one.name),
      [
        "volatility ×1.5",
        "volatility ×2",
        "correlation 0",
        "correlation 0.2",
        "cost +10 bps",
        "cost +30 bps",
        "latency +1 bars",
        "gaps ±0.5 %",
        "gaps ±1 %",
        "gaps ±2 %",
      ],
    )
    assert.isTrue(outcomes.every((one) => one.performance.trades > 0))
  })

  it("finds what a strategy that lives from the spread cannot stand", () => {
    const { netProfit, totalCosts, trades } = Performance.measure(Simulator.simulate(honest))
    assert.isAbove(netProfit, 0)
    assert.strictEqual(performanceOf("cost +30 bps").trades, trades)
    assert.isAbove(performanceOf("cost +10 bps").totalCosts, totalCosts)
    assert.isBelow(performanceOf("cost +30 bps").netProfit, performanceOf("cost +10 bps").netProfit)
    assert.isBelow(performanceOf("correlation 0").netProfit, netProfit)
    assert.isBelow(performanceOf("gaps ±2 %").netProfit, netProfit)
  })

  it("gives the same outcome for the same seed, also when another scenario is added before it", () => {
    const alone = Stress.run(honest, { ...policy, volatility: [], gap_percent: [2] }, { seed: 5, respond })
    assert.deepStrictEqual(alone.at(-1), outcomes.at(-1))
    const other = Stress.run(honest, { ...policy, volatility: [], gap_percent: [2] }, { seed: 6, respond })
    assert.notDeepEqual(other.at(-1), outcomes.at(-1))
  })
})
