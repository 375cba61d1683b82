import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import type { Plan, PlanTask, Resources } from "../../src/domain/plan.ts"
import { compilePlan } from "../../src/engine/compiled-plan.ts"
import { decide } from "../../src/engine/decide.ts"
import { evolve } from "../../src/engine/evolve.ts"
import * as Holding from "../../src/engine/holding.ts"
import { initial } from "../../src/engine/run-state.ts"
import { created } from "../support/engine-interpreter.ts"

interface Asked {
  readonly resources: Resources
  readonly priority: number
}

const asked: FastCheck.Arbitrary<Asked> = FastCheck.record({
  resources: FastCheck.record(
    {
      cpu: FastCheck.constantFrom(0.3, 1),
      locks: FastCheck.subarray(["a", "b", "c"], { minLength: 1 }),
      pools: FastCheck.constant({ p: 1 }),
    },
    { requiredKeys: [] },
  ),
  priority: FastCheck.integer({ min: 0, max: 1 }),
})

const stateOf = (tasks: ReadonlyArray<Asked>) => {
  const task = (one: Asked, i: number): PlanTask => ({
    id: `t${i}`,
    type: "noop",
    version: 1,
    effects: "pure",
    needs: [],
    with: {},
    ...one,
  })
  const plan: Plan = { format: 1, id: "p", params: {}, env: [], audit: "required", tasks: tasks.map(task) }
  return evolve(initial(compilePlan(plan)), created(plan))
}

const starts = (tasks: ReadonlyArray<Asked>) =>
  decide(stateOf(tasks), 0).flatMap((command) => (command._tag === "Start" ? [command.task] : []))

describe("what may start", () => {
  it("does not wait for a lock that only others name, nor for room that only larger tasks lack", () => {
    const locked = { resources: { locks: ["a"], cpu: 0.3 }, priority: 0 }
    const both = { resources: { locks: ["a", "b"], cpu: 0.3 }, priority: 0 }
    const other = { resources: { locks: ["b"], cpu: 0.3 }, priority: 0 }
    const large = { resources: { cpu: 1.3 }, priority: 0 }
    assert.sameMembers(starts([locked, both, other]), [0, 2])
    assert.sameMembers(starts([locked, large, other]), [0, 2])
  })

  it("is started up to what there is, those of the highest priority first", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(asked, { minLength: 1, maxLength: 12 }), (tasks) => {
        const state = stateOf(tasks)
        const started = starts(tasks)
        let held = state.held
        for (const task of started) {
          assert.isUndefined(Holding.lacking(held, state.capacity, tasks[task].resources))
          held = Holding.change(held, tasks[task].resources, 1)
        }
        for (const [i, { priority, resources }] of tasks.entries()) {
          if (started.includes(i)) continue
          assert.isDefined(Holding.lacking(held, state.capacity, resources), `task ${i} could start`)
          const same = (other: number) => JSON.stringify(tasks[other].resources) === JSON.stringify(resources)
          assert.isFalse(started.some((other) => same(other) && tasks[other].priority < priority))
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
