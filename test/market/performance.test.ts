import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Performance from "../../src/market/performance.ts"
import * as Simulator from "../../src/market/simulator.ts"
import { input, quiet } from "./fixtures/spread-market.ts"

describe("sharpe", () => {
  it("is mean over sample deviation times √252", () => {
    assert.closeTo(Performance.sharpe(Float64Array.of(0.01, 0.02, 0.03)) ?? 0, (0.02 / 0.01) * Math.sqrt(252), 1e-9)
  })

  it("is null where returns are missing, single or do not vary", () => {
    for (const returns of [[], [0.01], [0, 0, 0], [0.01, Number.NaN, 0.02]]) {
      assert.isNull(Performance.sharpe(Float64Array.from(returns)))
    }
  })
})

describe("maxDrawdown", () => {
  it("is the deepest fall from the highest point before it, the capital being the first", () => {
    assert.closeTo(Performance.maxDrawdown(Float64Array.of(110, 99, 120, 90, 200), 100) ?? 0, 0.25, 1e-12)
    assert.closeTo(Performance.maxDrawdown(Float64Array.of(80, 90), 100) ?? 0, 0.2, 1e-12)
    assert.strictEqual(Performance.maxDrawdown(Float64Array.of(100, 101), 100), 0)
  })

  it("is null without equity or where equity is not a number", () => {
    assert.isNull(Performance.maxDrawdown(new Float64Array(0), 100))
    assert.isNull(Performance.maxDrawdown(Float64Array.of(100, Number.NaN), 100))
  })

  it("does not depend on the currency's unit", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 1, max: 100, noNaN: true }), { minLength: 1 }), (values) => {
        const equity = Float64Array.from(values)
        const cents = equity.map((value) => value * 100)
        assert.closeTo(Performance.maxDrawdown(cents, 5000) ?? -1, Performance.maxDrawdown(equity, 50) ?? -2, 1e-9)
      }),
    )
  })
})

describe("measure", () => {
  it("has no Sharpe ratio, rather than a good one, for equity that falls further below 0", () => {
    const base = Simulator.simulate(quiet(100))
    const equity = Float64Array.of(-10, -20, -40, -90)
    const { sharpe } = Performance.measure({ ...base, daily: { day: equity, equity } })
    assert.isNull(sharpe)
  })

  it("agrees with the trades of a simulation", () => {
    const simulation = Simulator.simulate(input(6000, 3))
    const measured = Performance.measure(simulation)
    const net = Array.from(simulation.trades.net)
    const sum = (values: ReadonlyArray<number>) => values.reduce((total, value) => total + value, 0)
    const won = net.filter((value) => value > 0)
    const lost = net.filter((value) => value <= 0)
    assert.isAbove(lost.length, 0)
    assert.closeTo(measured.winRate ?? -1, won.length / net.length, 1e-12)
    assert.closeTo(measured.profitFactor ?? -1, sum(won) / -sum(lost), 1e-9)
    assert.closeTo(measured.netProfit, simulation.equity[5999] - 100_000, 1e-6)
    assert.closeTo(measured.totalCosts, sum(Array.from(simulation.trades.costs)), 1e-6)
    assert.closeTo(measured.tradesPerYear ?? -1, net.length / measured.years, 1e-9)
    assert.closeTo(measured.years, 50 / 52.18 - 2 / 365.25, 0.001)
    const growth = simulation.equity[5999] / 100_000
    assert.closeTo(Math.log1p(measured.annualReturn ?? -1) * measured.years, Math.log(growth), 1e-9)
    assert.strictEqual(measured.exposure, simulation.barsInMarket / 6000)
    assert.strictEqual(measured.haltRate, simulation.haltRate)
  })

  it("says null, not 0, for what has no value without trades", () => {
    const { sharpe, winRate, profitFactor, haltRate, trades, annualReturn } = Performance.measure(
      Simulator.simulate(quiet(100)),
    )
    assert.deepStrictEqual([sharpe, winRate, profitFactor, haltRate], [null, null, null, null])
    assert.deepStrictEqual([trades, annualReturn], [0, 0])
  })

  it("says null for all that needs bars where there are none", () => {
    const { annualReturn, maxDrawdown, tradesPerYear, exposure } = Performance.measure(Simulator.simulate(quiet(0)))
    assert.deepStrictEqual([annualReturn, maxDrawdown, tradesPerYear, exposure], [null, null, null, null])
  })

  it("says null where a price is missing", () => {
    const made = input(2000, 3)
    made.pair.a.open.fill(Number.NaN, 1000)
    const { annualReturn, maxDrawdown, sharpe } = Performance.measure(Simulator.simulate(made))
    assert.deepStrictEqual([annualReturn, maxDrawdown, sharpe], [null, null, null])
  })

  it("counts a lost capital as a return of −1", () => {
    const made = quiet(40)
    made.z[10] = 3
    made.z.fill(1, 11)
    made.pair.a.close[39] = 9
    const { annualReturn, maxDrawdown } = Performance.measure(Simulator.simulate(made))
    assert.strictEqual(annualReturn, -1)
    assert.isAbove(maxDrawdown ?? 0, 1)
  })
})
