import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { command, pipeline, plan, told } from "./compiled.ts"

describe("retry.on", () => {
  it.effect("that names no error of its task type is refused: it would never be tried again", () =>
    Effect.gen(function* () {
      const text = pipeline("tasks:", command("a", "retry: { on: [ComandFailed, TimedOut] }"))
      const [one, ...others] = yield* told(text)
      assert.match(
        String(one),
        /^4:64 No command task fails with "ComandFailed"\. Did you mean "CommandFailed"\? Known: CommandFailed, /,
      )
      assert.deepStrictEqual(others, [])
    }),
  )

  it.effect("takes every error that the task type declares, and those that the engine tells", () =>
    Effect.gen(function* () {
      const names = "[CommandFailed, MemoryExceeded, TimedOut, Defect, FileFailed, OutputInvalid]"
      const { tasks } = yield* plan(pipeline("tasks:", command("a", `retry: { on: ${names} }`)))
      assert.lengthOf(tasks[0]?.retry?.on ?? [], 6)
    }),
  )

  it.effect("of the defaults may name what any task of the pipeline fails with", () =>
    Effect.gen(function* () {
      const tasks = ["tasks:", command("a"), "  b: { uses: notify, with: { channel: ml-ops, text: hi } }"]
      const defaults = (name: string) => pipeline(`defaults: { retry: { on: [CommandFailed, ${name}] } }`, ...tasks)
      yield* plan(defaults("NotifyError"))
      assert.match(
        String(yield* told(defaults("TrainerUnavailable"))),
        /^3:42 No task of this pipeline fails with "TrainerUnavailable"\./,
      )
    }),
  )
})
