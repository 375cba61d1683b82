import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Theta from "../../src/market/theta.ts"

const policy: Theta.Policy = {
  theta1_range: [0.6, 0.85],
  theta2_range: [0.2, 0.45],
  grid_step: 0.05,
  trials: { min: 50, max: 100 },
  early_stop: 15,
  max_step: 0.03,
  ewma: 0.7,
  min_trades: 75,
  penalties: { drawdown: 2, drawdown_over: 0.12, trades: 0.05, trades_under: 150, false_positives: 0.1 },
}
const previous = { theta1: 0.7, theta2: 0.3 }
const fine = { annualReturn: 0.2, maxDrawdown: 0.1, tradesPerYear: 160, falsePositiveRate: 0, trades: 200 }

/** A hill whose top is at the given θ. */
const hill =
  (top: Theta.Theta, trades = 200) =>
  ({ theta1, theta2 }: Theta.Theta): Theta.Evaluation => ({
    ...fine,
    annualReturn: 1 - 10 * ((theta1 - top.theta1) ** 2 + (theta2 - top.theta2) ** 2),
    trades,
  })

const theta = fc.record({
  theta1: fc.double({ min: 0.6, max: 0.85, noNaN: true }),
  theta2: fc.double({ min: 0.2, max: 0.45, noNaN: true }),
})

describe("objective", () => {
  it("takes off for drawdown, for too few trades and for false positives", () => {
    const of = (changed: Partial<Theta.Evaluation>) => Theta.objective({ ...fine, ...changed }, policy.penalties)
    assert.closeTo(of({}), 0.2, 1e-12)
    assert.closeTo(of({ maxDrawdown: 0.17 }), 0.1, 1e-12)
    assert.closeTo(of({ tradesPerYear: 148 }), 0.1, 1e-12)
    assert.closeTo(of({ falsePositiveRate: 0.5 }), 0.15, 1e-12)
    for (const name of ["annualReturn", "maxDrawdown", "tradesPerYear", "falsePositiveRate"]) {
      assert.strictEqual(of({ [name]: null }), Number.NEGATIVE_INFINITY)
      assert.strictEqual(of({ [name]: Number.NaN }), Number.NEGATIVE_INFINITY)
    }
  })
})

describe("falsePositiveRate", () => {
  it("is the share of rows without risk that reach θ2", () => {
    const score = Float64Array.of(0.1, 0.3, 0.5, 0.9, Number.NaN)
    assert.strictEqual(Theta.falsePositiveRate(score, [0, 0, 0, 1, 0], 0.3), 2 / 3)
    assert.isNull(Theta.falsePositiveRate(score, [1, 1, 1, 1, 0], 0.3))
  })
})

describe("step", () => {
  it("weighs the new θ 0.7 and the old 0.3", () => {
    assert.deepStrictEqual(Theta.step(previous, { theta1: 0.72, theta2: 0.28 }, policy), {
      theta1: 0.714,
      theta2: 0.286,
    })
  })

  it("moves each θ by at most 0.03, within its range and towards what was found", () => {
    fc.assert(
      fc.property(theta, theta, (from, to) => {
        const next = Theta.step(from, to, policy)
        for (const name of ["theta1", "theta2"] as const) {
          assert.isAtMost(Math.abs(next[name] - from[name]), 0.03 + 1e-4)
          assert.isAtMost(Math.abs(to[name] - next[name]), Math.abs(to[name] - from[name]) + 1e-4)
          const [low, high] = policy[`${name}_range`]
          assert.isTrue(low <= next[name] && next[name] <= high)
        }
      }),
    )
  })
})

describe("search", () => {
  it("tries the θ in use, every grid point with the ends of the ranges, then 50 to 100 refinements, then the outcome", () => {
    const { trials } = Theta.search(hill({ theta1: 0.77, theta2: 0.23 }), policy, { seed: 1, previous })
    const count = (stage: Theta.Trial["stage"]) => trials.filter((trial) => trial.stage === stage).length
    assert.deepStrictEqual([count("previous"), count("grid"), count("applied")], [1, 36, 1])
    assert.isTrue(count("refine") >= 50 && count("refine") <= 100)
    assert.deepStrictEqual(
      trials.map((trial) => trial.trial),
      trials.map((_, i) => i),
    )
    assert.isTrue(trials.some((trial) => trial.theta1 === 0.85 && trial.theta2 === 0.45))
  })

  it("finds the top of a hill between grid points and takes one bounded step to it", () => {
    fc.assert(
      fc.property(theta, fc.integer(), (top, seed) => {
        const found = Theta.search(hill(top), policy, { seed, previous })
        assert.closeTo(found.best.theta1, top.theta1, 0.02)
        assert.closeTo(found.best.theta2, top.theta2, 0.02)
        assert.deepStrictEqual(found.theta, Theta.step(previous, found.best, policy))
      }),
      { numRuns: 25 },
    )
  })

  it("gives the same trials for the same seed, others for another", () => {
    const evaluate = hill({ theta1: 0.81, theta2: 0.41 })
    const one = Theta.search(evaluate, policy, { seed: 3, previous })
    assert.deepStrictEqual(Theta.search(evaluate, policy, { seed: 3, previous }), one)
    assert.notDeepEqual(Theta.search(evaluate, policy, { seed: 4, previous }).trials, one.trials)
  })

  it("stops refining after the least number of trials where nothing gets better", () => {
    const { trials, changed, theta: kept } = Theta.search(() => fine, policy, { seed: 1, previous })
    assert.strictEqual(trials.filter((trial) => trial.stage === "refine").length, 50)
    assert.deepStrictEqual([changed, kept], [false, previous])
  })

  it("goes on until 15 trials in a row bring nothing, and not beyond the most allowed", () => {
    let calls = 0
    const better = () => ({ ...fine, annualReturn: calls++ })
    const endless = Theta.search(better, policy, { seed: 1, previous })
    assert.strictEqual(endless.trials.filter((trial) => trial.stage === "refine").length, 100)
    calls = 0
    const until = () => ({ ...fine, annualReturn: Math.min(calls++, 37 + 60) })
    const stopped = Theta.search(until, policy, { seed: 1, previous })
    assert.strictEqual(stopped.trials.filter((trial) => trial.stage === "refine").length, 61 + 15)
  })

  it("keeps θ below 75 out-of-sample trades, and says so", () => {
    const evaluate = (trades: number) => hill({ theta1: 0.8, theta2: 0.4 }, trades)
    const kept = Theta.search(evaluate(74), policy, { seed: 1, previous })
    assert.deepStrictEqual([kept.theta, kept.changed], [previous, false])
    assert.match(kept.reason, /74 out-of-sample trades, fewer than 75/)
    assert.isTrue(Theta.search(evaluate(75), policy, { seed: 1, previous }).changed)
  })

  it("keeps θ where no trial is defined", () => {
    const kept = Theta.search(() => ({ ...fine, annualReturn: null }), policy, { seed: 1, previous })
    assert.deepStrictEqual([kept.theta, kept.changed], [previous, false])
    assert.match(kept.reason, /no θ gave a defined/)
  })

  it("does not choose a θ in use that is out of range, however good", () => {
    const outside = { theta1: 0.9, theta2: 0.3 }
    const found = Theta.search(hill(outside), policy, { seed: 1, previous: outside })
    assert.isAtMost(found.best.theta1, 0.85)
    assert.strictEqual(found.theta.theta1, 0.85)
  })
})
