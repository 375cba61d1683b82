import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import { compilePlan } from "../../src/engine/compiled-plan.ts"
import { evolve } from "../../src/engine/evolve.ts"
import { initial, runStatus, taskAt } from "../../src/engine/run-state.ts"
import { Interpreter, snapshot } from "../support/engine-interpreter.ts"
import { randomPlan } from "../support/engine-random-plan.ts"

const runs = Number(process.env.DANDORI_PROPERTY_RUNS ?? 3_000)

/** A source of chance from a seed (mulberry32). */
const dice = (seed: number) => {
  let at = seed | 0
  return (below: number) => {
    at = (at + 0x6d2b79f5) | 0
    let t = Math.imul(at ^ (at >>> 15), 1 | at)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const seeds = FastCheck.integer()

describe("the core, driven by chance", () => {
  it("ends every run by the rules, with the status that a naive reading gives", () => {
    FastCheck.assert(
      FastCheck.property(randomPlan(12), seeds, (plan, seed) => {
        const run = new Interpreter(plan, dice(seed))
        run.drive()
        assert.strictEqual(runStatus(run.state), run.model.finished)
        for (const one of run.model.tasks) {
          assert.deepStrictEqual(one.started, Array.from(one.started, (_, i) => i + 1))
          assert.deepStrictEqual(one.ended, one.started)
          assert.isAtMost(one.started.length, one.task.retry?.attempts ?? 3)
        }
      }),
      { numRuns: runs },
    )
  })

  it("leaves every state as it was, and a fold of the events gives the same state again", () => {
    FastCheck.assert(
      FastCheck.property(randomPlan(8), seeds, (plan, seed) => {
        const run = new Interpreter(plan, dice(seed))
        run.drive()
        for (const { state, text } of run.seen) assert.strictEqual(snapshot(state), text)
        const again = run.events.reduce(evolve, initial(compilePlan(plan)))
        assert.strictEqual(snapshot(again), snapshot(run.state))
      }),
      { numRuns: Math.ceil(runs / 10) },
    )
  })

  it("goes on from any prefix of a run's events to an end by the rules", () => {
    FastCheck.assert(
      FastCheck.property(randomPlan(8), seeds, FastCheck.double({ min: 0, max: 1, noNaN: true }), (plan, seed, part) => {
        const first = new Interpreter(plan, dice(seed))
        first.drive()
        const open = first.events.slice(0, -1)
        const resumed = new Interpreter(plan, dice(seed + 1), open.slice(0, 1 + Math.floor(part * (open.length - 1))))
        resumed.drive()
        assert.strictEqual(runStatus(resumed.state), resumed.model.finished)
      }),
      { numRuns: Math.ceil(runs / 3) },
    )
  })
})
