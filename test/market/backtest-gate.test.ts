import { assert, describe, it } from "@effect/vitest"
import * as BacktestGate from "../../src/market/backtest-gate.ts"
import type { Performance } from "../../src/market/performance.ts"

const policy: BacktestGate.Policy = {
  sharpe: 1.2,
  max_drawdown: 0.12,
  trades_per_year: 150,
  halt_rate: 0.4,
  non_inferiority: { sharpe_ratio: 0.95, drawdown_slack: 0.03 },
}

const good: Performance = {
  annualReturn: 0.2,
  sharpe: 1.5,
  maxDrawdown: 0.08,
  tradesPerYear: 200,
  winRate: 0.6,
  profitFactor: 1.4,
  exposure: 0.3,
  haltRate: 0.2,
  trades: 400,
  years: 2,
  netProfit: 44_000,
  totalCosts: 9_000,
}

const failed = (performance: Performance, evidence?: Parameters<typeof BacktestGate.judge>[2]) => {
  const judgement = BacktestGate.judge(performance, policy, evidence)
  return [judgement.verdict, ...judgement.criteria.filter((one) => !one.passed).map((one) => one.name)]
}

describe("judge", () => {
  it("passes a good performance and shows each number beside its threshold", () => {
    const { verdict, criteria } = BacktestGate.judge(good, policy)
    assert.strictEqual(verdict, "PASSED")
    assert.deepStrictEqual(
      criteria.map((one) => [one.name, one.observed, one.comparison, one.threshold, one.passed]),
      [
        ["sharpe", 1.5, ">", 1.2, true],
        ["max_drawdown", 0.08, "<", 0.12, true],
        ["trades_per_year", 200, ">=", 150, true],
        ["halt_rate", 0.2, "<=", 0.4, true],
      ],
    )
  })

  it("compares strictly where the policy says above and below, and not where it says at least and at most", () => {
    assert.deepStrictEqual(failed({ ...good, sharpe: 1.2 }), ["FAILED", "sharpe"])
    assert.deepStrictEqual(failed({ ...good, maxDrawdown: 0.12 }), ["FAILED", "max_drawdown"])
    assert.deepStrictEqual(failed({ ...good, tradesPerYear: 150, haltRate: 0.4 }), ["PASSED"])
    assert.deepStrictEqual(failed({ ...good, tradesPerYear: 149.9 }), ["FAILED", "trades_per_year"])
    assert.deepStrictEqual(failed({ ...good, haltRate: 0.41 }), ["FAILED", "halt_rate"])
  })

  it("fails on any number that is missing", () => {
    for (const missing of [null, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      assert.deepStrictEqual(failed({ ...good, sharpe: missing }), ["FAILED", "sharpe"])
      assert.deepStrictEqual(failed({ ...good, maxDrawdown: missing }), ["FAILED", "max_drawdown"])
      assert.deepStrictEqual(failed({ ...good, tradesPerYear: missing }), ["FAILED", "trades_per_year"])
      assert.deepStrictEqual(failed({ ...good, haltRate: missing }), ["FAILED", "halt_rate"])
    }
  })

  it("holds a model to what the deployed one does", () => {
    assert.deepStrictEqual(failed(good, { deployed: { ...good, sharpe: 1.57, maxDrawdown: 0.051 } }), ["PASSED"])
    assert.deepStrictEqual(failed(good, { deployed: { ...good, sharpe: 1.6 } }), ["FAILED", "sharpe_vs_deployed"])
    assert.deepStrictEqual(failed(good, { deployed: { ...good, maxDrawdown: 0.049 } }), [
      "FAILED",
      "max_drawdown_vs_deployed",
    ])
    assert.deepStrictEqual(failed(good, { deployed: { ...good, sharpe: null } }), ["FAILED", "sharpe_vs_deployed"])
  })

  it("does not ask more than the deployed Sharpe where that is negative", () => {
    const { criteria } = BacktestGate.judge({ ...good, sharpe: -1.04 }, policy, { deployed: { ...good, sharpe: -1 } })
    const relative = criteria.find((one) => one.name === "sharpe_vs_deployed")
    assert.closeTo(relative?.threshold ?? 0, -1.05, 1e-12)
    assert.isTrue(relative?.passed)
  })

  it("warns where the Sharpe ratio's lower bound is not above 0", () => {
    const intervals = (low: number) => ({
      sharpe: { low, median: 1, high: 2 },
      maxDrawdown: null,
      level: 0.95,
      samples: 100,
      blockLength: 8,
    })
    assert.deepStrictEqual(failed(good, { intervals: intervals(0.1) }), ["PASSED"])
    assert.deepStrictEqual(failed(good, { intervals: intervals(-0.1) }), ["WARNED", "sharpe_lower_bound"])
    assert.deepStrictEqual(failed({ ...good, sharpe: 1 }, { intervals: intervals(-0.1) }), [
      "FAILED",
      "sharpe",
      "sharpe_lower_bound",
    ])
  })

  it("fails on a tripwire", () => {
    const tripwires = [BacktestGate.criterion("future_timestamps", 1, "=", 0)]
    assert.deepStrictEqual(failed(good, { tripwires }), ["FAILED", "future_timestamps"])
  })
})
