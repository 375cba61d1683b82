import { assert, describe, it } from "@effect/vitest"
import * as BegunRuns from "../../src/daemon/begun-runs.ts"

const of = (driven: ReadonlyArray<string>, resting: ReadonlyArray<string>) => ({
  driven: new Set(driven),
  resting: new Set(resting),
})

describe("the runs that wait to be created", () => {
  it("are those that the ones that go on leave no room for", () => {
    assert.strictEqual(BegunRuns.waiting(["a", "b", "c"], of(["a"], []), 1), 2)
    assert.strictEqual(BegunRuns.waiting(["a", "b", "c"], BegunRuns.none, 1), 2)
  })

  it("are fewer than none while there is room", () => {
    assert.strictEqual(BegunRuns.waiting([], BegunRuns.none, 2), -2)
    assert.strictEqual(BegunRuns.waiting(["a"], of(["a"], []), 2), -1)
  })

  it("are none of those that have begun, whether they go on or wait for people or for their next attempt", () => {
    assert.strictEqual(BegunRuns.waiting(["a", "b", "c", "d"], of(["d"], ["a", "b", "c"]), 1), 0)
    assert.strictEqual(BegunRuns.waiting(["a", "b", "c", "d"], of(["a", "b", "c"], []), 1), 1)
  })
})
