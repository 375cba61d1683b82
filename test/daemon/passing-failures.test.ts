import { assert, describe, it } from "@effect/vitest"
import * as PassingFailures from "../../src/daemon/passing-failures.ts"
import { GroupBusy } from "../../src/engine/turn.ts"

describe("a run that cannot begin because its group is taken", () => {
  const taken = (...runs: ReadonlyArray<string>) => new GroupBusy({ group: "retrain", limit: 1, runs })

  it("has failed where others have it", () => {
    assert.isFalse(PassingFailures.passes(taken("other"), "own"))
  })

  it("waits where it has it itself: another process has just begun it", () => {
    assert.isTrue(PassingFailures.passes(taken("own"), "own"))
    assert.isTrue(PassingFailures.passes(taken("other", "own"), "own"))
  })
})
