import { assert, describe, it } from "@effect/vitest"
import { toJson } from "../../src/compiler/located.ts"
import { QuietTask } from "../../src/compiler/quiet-task.ts"

describe("a quiet task", () => {
  it("is one that says its type, its input and its needs, or less", () => {
    const task = { uses: "command", with: { argv: ["echo", "1"] }, needs: ["b"] }
    const quiet = QuietTask.of("a", "finally", task)
    assert.deepStrictEqual(quiet && toJson(quiet.written), task)
    assert.strictEqual(quiet?.path, "finally.a")
    assert.deepStrictEqual(
      quiet?.needs.map(({ text }) => text),
      ["b"],
    )
    assert.isDefined(QuietTask.of("a", "tasks", { uses: "command" }))
  })

  it("says nothing more, and nothing wrongly", () => {
    const others: ReadonlyArray<unknown> = [
      null,
      1,
      {},
      [],
      { uses: 1 },
      { uses: "command", retry: undefined },
      { uses: "command", needs: "b" },
      { uses: "command", needs: ["b", 1] },
    ]
    for (const other of others) assert.isUndefined(QuietTask.of("a", "tasks", other))
    for (const id of ["A", "", "a-b", "constructor"]) assert.isUndefined(QuietTask.of(id, "tasks", { uses: "command" }))
  })
})
