import { assert, describe, it } from "@effect/vitest"
import * as Performance from "../../src/market/performance.ts"
import * as Simulator from "../../src/market/simulator.ts"
import * as Tripwires from "../../src/market/tripwires.ts"
import { free, hour, input, market, policy, instruments } from "./fixtures/spread-market.ts"

const measure = (base: Simulator.Input) => Performance.measure(Simulator.simulate(base))
const rows = 4000
const honest = { ...input(rows, 11), costs: free }
const base = measure(honest)
const shifted = measure({ ...honest, ...Tripwires.oneBarLater(honest) })
const evidence: Tripwires.Evidence = {
  base,
  shifted,
  leastRatio: 0.5,
  timestamp: honest.pair.timestamp,
  barMillis: hour,
  now: honest.pair.timestamp[rows - 1] + hour,
  embargo: 24,
  requiredEmbargo: 24,
}
const tripped = (changed: Partial<Tripwires.Evidence>) =>
  Tripwires.tripwires({ ...evidence, ...changed })
    .filter((one) => !one.passed)
    .map((one) => [one.name, one.observed])

describe("oneBarLater", () => {
  it("moves every signal one row down", () => {
    const one = { z: Float64Array.of(1, 2, 3), beta: Float64Array.of(4), returnProb: new Float64Array(0) }
    const moved = Tripwires.oneBarLater({ ...one, riskScore: Float64Array.of(5, 6) })
    assert.deepStrictEqual(moved.z, Float64Array.of(Number.NaN, 1, 2))
    assert.deepStrictEqual(moved.beta, Float64Array.of(Number.NaN))
    assert.lengthOf(moved.returnProb, 0)
    assert.deepStrictEqual(moved.riskScore, Float64Array.of(Number.NaN, 5))
  })
})

describe("tripwires", () => {
  it("hold still for an edge that outlives the bar", () => {
    assert.isAbove(base.sharpe ?? 0, 1)
    assert.deepStrictEqual(tripped({}), [])
  })

  it("catch signals that know the next bar", () => {
    const { pair, signals } = market(rows, 11)
    const { open, close } = pair.a
    const known = (ahead: number) =>
      Float64Array.from(close, (_, row) => {
        const next = row + ahead
        return next < rows ? -4000 * (close[next] / open[next] - 1) : 0
      })
    const leaking = { ...honest, pair, ...signals, z: known(1), policy: { ...policy, exit_z: 100 }, instruments }
    const leaked = measure(leaking)
    const late = measure({ ...leaking, ...Tripwires.oneBarLater(leaking) })
    assert.isAbove(leaked.sharpe ?? 0, 5)
    assert.deepStrictEqual(
      tripped({ base: leaked, shifted: late }).map(([name]) => name),
      ["shifted_sharpe_ratio"],
    )
  })

  it("do not compare with a Sharpe ratio that is missing or not positive", () => {
    assert.isNull(Tripwires.shiftRatio({ ...base, sharpe: -1 }, shifted))
    assert.deepStrictEqual(tripped({ shifted: { ...shifted, sharpe: null } }), [["shifted_sharpe_ratio", null]])
  })

  it("count bars that end after the run began, and bars out of order", () => {
    assert.deepStrictEqual(tripped({ now: evidence.now - 1 }), [["future_timestamps", 1]])
    const timestamp = Float64Array.from(evidence.timestamp)
    timestamp[7] = timestamp[6]
    assert.deepStrictEqual(tripped({ timestamp }), [["disordered_timestamps", 1]])
  })

  it("want the embargo recorded, and long enough", () => {
    assert.deepStrictEqual(tripped({ embargo: null }), [["embargo_bars", null]])
    assert.deepStrictEqual(tripped({ embargo: 23 }), [["embargo_bars", 23]])
  })
})
