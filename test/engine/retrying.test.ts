import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as Retrying from "../../src/engine/retrying.ts"
import { echo, task } from "../support/engine-plan.ts"

const backoff = { initial: 100, factor: 2, max: 1_000, jitter: "none" } as const

describe("a retry", () => {
  it("waits initial × factor^(n-1), at most max", () => {
    const one = task("one", echo, { retry: { attempts: 9, backoff } })
    assert.deepStrictEqual(
      [2, 3, 4, 5, 6, 7].map((next) => Retrying.delay(one, next, "seed")),
      [100, 200, 400, 800, 1_000, 1_000],
    )
  })

  it("with full jitter waits anything from nothing to the whole delay, the same for the same ids", () => {
    const one = task("one", echo, { retry: { attempts: 9, backoff: { ...backoff, jitter: "full" } } })
    const draws = Array.from({ length: 1_000 }, (_, i) => Retrying.delay(one, 5, `seed ${i}`))
    assert.isAtLeast(Math.min(...draws), 0)
    assert.isAtMost(Math.max(...draws), 800)
    assert.approximately(draws.reduce((a, b) => a + b, 0) / draws.length, 400, 40)
    assert.strictEqual(Retrying.delay(one, 5, "seed 7"), draws[7])
    const other = { ...one, id: "other" }
    assert.notStrictEqual(Retrying.delay(other, 5, "seed 7"), draws[7])
  })

  it("is a whole number of milliseconds for every setting that a plan can hold", () => {
    const settings = FastCheck.record({
      initial: FastCheck.nat(10_000),
      factor: FastCheck.double({ min: 1, max: 10, noNaN: true }),
      max: FastCheck.nat(100_000),
      jitter: FastCheck.constantFrom("full" as const, "none" as const),
    })
    FastCheck.assert(
      FastCheck.property(settings, FastCheck.integer({ min: 2, max: 10_000 }), (given, next) => {
        const delay = Retrying.delay(task("one", echo, { retry: { attempts: 3, backoff: given } }), next, "seed")
        assert.isTrue(Number.isInteger(delay) && delay >= 0 && delay <= given.max, String(delay))
      }),
    )
  })

  it("spares attempts, but not without end", () => {
    assert.isTrue(Retrying.isSpared(0))
    assert.isFalse(Retrying.isSpared(100))
  })

  it("never follows an error of a once task that may have changed something, nor a gate's verdict", () => {
    for (const effects of ["once", "irreversible"] as const) {
      const one = task("one", { ...echo, effects }, { retry: { attempts: 9, on: ["Flaky", "TimedOut"] } })
      assert.isFalse(Retrying.afterError(one, 1, { tag: "Flaky", message: "", transient: true }))
      assert.isTrue(Retrying.afterError(one, 1, { tag: "Flaky", message: "", notApplied: true }))
      assert.isFalse(Retrying.afterTimeout(one, 1))
    }
    const gate = task("gate", echo, { retry: { attempts: 9, on: ["GateFailed"] } })
    assert.isFalse(Retrying.afterError(gate, 1, { tag: "GateFailed", message: "", settled: true }))
  })
})
