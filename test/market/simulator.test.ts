import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { PairBars } from "../../src/market/bars.ts"
import * as Costs from "../../src/market/costs.ts"
import * as Random from "../../src/market/random.ts"
import type { Input } from "../../src/market/simulator.ts"
import * as Simulator from "../../src/market/simulator.ts"
import * as Trades from "../../src/market/trades.ts"
import { costs, eurusd, hour, input, quiet } from "./fixtures/spread-market.ts"

/** A quiet input in which z is 3 at `row`, stays between the levels after it, and is 0 from `until`. */
const oneEvent = (rows: number, row: number, until: number, z = 3): Input => {
  const made = quiet(rows)
  made.z[row] = z
  made.z.fill(1, row + 1, until)
  return made
}

const perturbed = (base: Input, from: number, seed: number): Input => {
  const random = Random.make(seed)
  const change = (column: Float64Array, row: number) =>
    row < from ? column[row] : column[row] * (1 + 0.2 * random.normal())
  const leg = (bars: PairBars["a"]) => ({
    open: bars.open.map((_, row) => change(bars.open, row)),
    high: bars.high,
    low: bars.low,
    close: bars.close.map((_, row) => change(bars.close, row)),
    volume: bars.volume,
  })
  return {
    ...base,
    pair: { ...base.pair, a: leg(base.pair.a), b: leg(base.pair.b) },
    z: base.z.map((_, row) => change(base.z, row)),
    beta: base.beta.map((_, row) => change(base.beta, row)),
    returnProb: base.returnProb.map((_, row) => change(base.returnProb, row)),
    riskScore: base.riskScore.map((_, row) => change(base.riskScore, row)),
  }
}

const closedBy = (trades: Trades.Trades, row: number) => {
  const kept = Array.from(trades.exitRow.keys()).filter((i) => trades.exitRow[i] <= row)
  return kept.map((i) => [trades.reason[i], ...Trades.columns.map((name) => trades[name][i])])
}

describe("entry", () => {
  it("is filled at the open of the bar after the signal", () => {
    const made = oneEvent(30, 10, 15)
    made.pair.a.open[11] = 1.2
    const { trades } = Simulator.simulate(made)
    assert.deepStrictEqual(Array.from(trades.entryRow), [11])
    assert.strictEqual(trades.entryPriceA[0], 1.2)
    assert.strictEqual(trades.entryTime[0], made.pair.timestamp[11])
  })

  it("sells A and buys B when z is above 0, and the other way round below", () => {
    for (const [z, side] of [
      [2, -1],
      [-2, 1],
    ]) {
      const made = oneEvent(30, 10, 15, z)
      made.pair.a.open.fill(1.2, 12)
      const { trades } = Simulator.simulate(made)
      assert.strictEqual(trades.side[0], side)
      assert.closeTo(trades.gross[0], side * trades.lotsA[0] * 100_000 * 0.1, 1e-6)
    }
  })

  it("needs |z| at its level, a probability above θ1 and a risk below θ2", () => {
    const refusals: ReadonlyArray<(made: Input) => void> = [
      (made) => (made.z[10] = 1.999),
      (made) => (made.z[10] = Number.NaN),
      (made) => (made.returnProb[10] = 0.7),
      (made) => (made.returnProb[10] = Number.NaN),
      (made) => (made.riskScore[10] = 0.3),
      (made) => (made.riskScore[10] = Number.NaN),
      (made) => (made.beta[10] = 0),
    ]
    for (const refuse of refusals) {
      const made = oneEvent(30, 10, 15)
      assert.lengthOf(Simulator.simulate(made).trades.net, 1)
      refuse(made)
      assert.lengthOf(Simulator.simulate(made).trades.net, 0)
    }
  })

  it("does not happen where no later bar can fill it", () => {
    assert.lengthOf(Simulator.simulate(oneEvent(30, 29, 30)).trades.net, 0)
    assert.lengthOf(Simulator.simulate({ ...oneEvent(30, 28, 30), latency: 1 }).trades.net, 0)
  })

  it("is refused where a leg is below the smallest notional, and counted", () => {
    const made = oneEvent(30, 10, 15)
    const leg_A = { ...eurusd, min_notional_usd: 1e9 }
    const simulation = Simulator.simulate({ ...made, instruments: { ...made.instruments, leg_A } })
    assert.deepStrictEqual(simulation.refused, { risk: 0, size: 1 })
    assert.lengthOf(simulation.trades.net, 0)
  })

  it("comes later by the latency", () => {
    const { trades } = Simulator.simulate({ ...oneEvent(30, 10, 15), latency: 2 })
    assert.deepStrictEqual([trades.entryRow[0], trades.exitRow[0]], [13, 18])
  })
})

describe("exit", () => {
  const only = (made: Input) => {
    const { trades } = Simulator.simulate(made)
    assert.lengthOf(trades.net, 1)
    return { reason: trades.reason[0], row: trades.exitRow[0], bars: trades.bars[0], time: trades.exitTime[0] }
  }

  it("follows |z| at its level, at the next open", () => {
    const made = oneEvent(30, 10, 30)
    made.z[20] = -0.5
    assert.deepStrictEqual(only(made), { reason: "target", row: 21, bars: 10, time: made.pair.timestamp[21] })
  })

  it("follows a risk at the stop, or a missing one, before a target reached on the same bar", () => {
    for (const risk of [0.45, Number.NaN]) {
      const made = oneEvent(30, 10, 20)
      made.riskScore[20] = risk
      const { reason, row } = only(made)
      assert.deepStrictEqual([reason, row], ["risk", 21])
    }
  })

  it("follows when more than 48 bars were held", () => {
    const { reason, row, bars } = only(oneEvent(100, 10, 100))
    assert.deepStrictEqual([reason, row, bars], ["timeout", 60, 49])
  })

  it("is at the last bar's close for a position that is still open", () => {
    const made = oneEvent(30, 10, 30)
    made.pair.a.close[29] = 1.05
    assert.deepStrictEqual(only(made), { reason: "end", row: 29, bars: 18, time: made.pair.timestamp[29] + hour })
    assert.isAbove(Simulator.simulate(made).trades.gross[0], 0)
  })
})

describe("counts", () => {
  it("report the share of signals that the risk model vetoed, in and out of the market", () => {
    const made = oneEvent(30, 10, 20)
    made.z[12] = 2.5
    made.riskScore[12] = 0.35
    made.z[25] = -2.5
    made.riskScore[25] = Number.NaN
    made.z[27] = -2.5
    made.returnProb[27] = 0.1
    const { signals, vetoed, haltRate, refused } = Simulator.simulate(made)
    assert.deepStrictEqual([signals, vetoed, haltRate], [3, 2, 2 / 3])
    assert.deepStrictEqual(refused, { risk: 1, size: 0 })
  })

  it("have no halt rate without a signal", () => {
    assert.isNull(Simulator.simulate(quiet(30)).haltRate)
  })
})

describe("simulate", () => {
  it("refuses signals of another length than the bars", () => {
    assert.throws(() => Simulator.simulate({ ...quiet(30), z: new Float64Array(29) }), /z has 29 rows, the pair has 30/)
  })

  it("is empty on no bars", () => {
    assert.lengthOf(Simulator.simulate(quiet(0)).equity, 0)
  })

  it("does not trade and keeps the capital without a signal", () => {
    const made = input(600, 1)
    const { trades, equity } = Simulator.simulate({ ...made, z: new Float64Array(600) })
    assert.lengthOf(trades.net, 0)
    assert.isTrue(equity.every((value) => value === 100_000))
  })

  it("does not let later bars or signals change a trade closed, or equity reached, before them", () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 699 }),
        fc.integer({ min: 0, max: 2 }),
        (seed, cut, latency) => {
          const base = { ...input(700, seed), latency }
          const one = Simulator.simulate(base)
          const other = Simulator.simulate(perturbed(base, cut, seed + 1))
          assert.deepStrictEqual(closedBy(other.trades, cut - 1), closedBy(one.trades, cut - 1))
          assert.deepStrictEqual(other.equity.slice(0, cut), one.equity.slice(0, cut))
        },
      ),
      { numRuns: 40 },
    )
    assert.isAbove(Simulator.simulate(input(700, 1)).trades.net.length, 5)
  })

  it("is as rich at the end as the capital and all trades' net say", () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 700 }),
        fc.integer({ min: 1, max: 5 }),
        (seed, rows, leverage) => {
          const { equity, trades, capital, daily } = Simulator.simulate({ ...input(rows, seed), leverage })
          let expected = capital
          for (let i = 0; i < trades.net.length; i++) {
            assert.strictEqual(trades.net[i], trades.gross[i] - trades.costs[i])
            expected += trades.net[i]
          }
          assert.closeTo(equity[rows - 1], expected, 1e-6)
          assert.strictEqual(daily.equity.at(-1), equity[rows - 1])
        },
      ),
      { numRuns: 40 },
    )
  })

  it("holds one position at a time, within the bars and the allowed holding", () => {
    const { trades } = Simulator.simulate(input(3000, 5))
    assert.isAbove(trades.net.length, 20)
    for (let i = 0; i < trades.net.length; i++) {
      assert.isAtMost(trades.bars[i], 49)
      assert.isAtLeast(trades.exitRow[i], trades.entryRow[i])
      if (i > 0) assert.isAbove(trades.entryRow[i], trades.exitRow[i - 1])
    }
  })

  it("trades the same but earns less where costs are higher", () => {
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 0.1, max: 100, noNaN: true }), (seed, bps) => {
        const base = input(500, seed)
        const cheap = Simulator.simulate(base).trades
        const dear = Simulator.simulate({ ...base, costs: Costs.plus(costs, bps) }).trades
        assert.deepStrictEqual(dear.entryRow, cheap.entryRow)
        assert.deepStrictEqual(dear.gross, cheap.gross)
        assert.isTrue(dear.net.every((net, i) => net < cheap.net[i]))
      }),
      { numRuns: 30 },
    )
  })
})
