import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import { compilePlan } from "../../src/engine/compiled-plan.ts"
import * as Holding from "../../src/engine/holding.ts"
import { initial } from "../../src/engine/run-state.ts"
import { plan } from "../support/engine-plan.ts"

const nothing = initial(compilePlan(plan([]))).held
const capacity = { cpu: 1, memory: 100, gpu: 0, pools: { p: 2 }, attempts: 3 }

describe("what attempts hold", () => {
  it("is nothing again when all have ended, whatever fractions of a processor they took", () => {
    const fraction = FastCheck.integer({ min: 1, max: 1_000 }).map((n) => n / 1_000)
    FastCheck.assert(
      FastCheck.property(FastCheck.array(fraction), FastCheck.infiniteStream(FastCheck.nat()), (cpus, places) => {
        let held = cpus.reduce((sum, cpu) => Holding.change(sum, { cpu }, 1), nothing)
        const left = [...cpus]
        while (left.length > 0) {
          const [cpu] = left.splice((places.next().value as number) % left.length, 1)
          held = Holding.change(held, { cpu }, -1)
        }
        assert.strictEqual(held.cpu, 0)
        assert.isUndefined(Holding.lacking(held, capacity, { cpu: 1 }))
      }),
    )
  })

  it("fits ten tenths of a processor into one, and not eleven", () => {
    const wide = { ...capacity, attempts: 20 }
    let held = nothing
    for (let i = 0; i < 10; i++) {
      assert.isUndefined(Holding.lacking(held, wide, { cpu: 0.1 }))
      held = Holding.change(held, { cpu: 0.1 }, 1)
    }
    assert.strictEqual(Holding.lacking(held, wide, { cpu: 0.1 }), "cpu")
  })

  it("names what an attempt has to wait for, and what it could never get", () => {
    const held = Holding.change(nothing, { memory: 60, pools: { p: 1 }, locks: ["models"] }, 1)
    assert.strictEqual(Holding.lacking(held, capacity, { memory: 50 }), "memory")
    assert.strictEqual(Holding.lacking(held, capacity, { pools: { p: 2 } }), "pool p")
    assert.strictEqual(Holding.lacking(held, capacity, { locks: ["other", "models"] }), "lock models")
    assert.isUndefined(Holding.lacking(held, capacity, { memory: 40, pools: { p: 1 }, locks: ["other"] }))
    assert.include(Holding.impossible(capacity, { pools: { q: 1 } }), "the pool q is not in the resources section")
    assert.include(Holding.impossible(capacity, { gpu: 1 }), "it wants 1 gpu")
    assert.isUndefined(Holding.impossible(capacity, { cpu: 1, memory: 100, pools: { p: 2 }, locks: ["models"] }))
  })
})
