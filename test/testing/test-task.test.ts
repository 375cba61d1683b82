import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Attempt, Notifier, Progress, taskType } from "dandori"
import { notify } from "dandori/tasks"
import { testTask } from "dandori/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

const project = fileURLToPath(new URL("../..", import.meta.url))

class Refused extends Schema.TaggedError<Refused>()("Refused", { name: Schema.String }) {
  override get message() {
    return `${this.name} is not welcome`
  }
}

const greet = taskType({
  type: "greet",
  version: 1,
  description: "greets",
  input: Schema.Struct({ name: Schema.String, wait: Schema.optionalKey(Schema.Int) }),
  output: Schema.Struct({ greeting: Schema.String.check(Schema.isMaxLength(20)), at: Schema.Finite }),
  effects: "pure",
  run: Effect.fn(function* ({ name, wait }) {
    const { task } = yield* Attempt
    const progress = yield* Progress
    yield* progress.report({ done: 1, total: 1 })
    if (name === "Mallory") return yield* new Refused({ name })
    yield* Effect.sleep((wait ?? 0) * 1000)
    return { greeting: `${task}: ${name}`, at: yield* Clock.currentTimeMillis }
  }),
})

describe("testTask", () => {
  it.live("gives the output, with the services of an attempt and time that is virtual", () =>
    Effect.gen(function* () {
      const output = yield* testTask(greet, { name: "Ada", wait: 86_400 }, { project })
      assert.deepStrictEqual(output, { greeting: "task: Ada", at: Date.UTC(2025, 0, 2) })
    }),
  )

  it.live("fails with the task type's own error, typed", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(testTask(greet, { name: "Mallory" }, { project }))
      assert.instanceOf(error, Refused)
    }),
  )

  it.live("refuses an input or an output that does not fit its schema, as the engine would", () =>
    Effect.gen(function* () {
      const input = yield* Effect.flip(testTask(greet, { nmae: "Ada" }, { project }))
      assert.strictEqual((input as { _tag: string })._tag, "InputInvalid")
      assert.include(input.message, "nmae")
      const output = yield* Effect.flip(testTask(greet, { name: "a name of many letters" }, { project }))
      assert.strictEqual((output as { _tag: string })._tag, "OutputInvalid")
    }),
  )

  it.live("takes services from layers", () =>
    Effect.gen(function* () {
      const layers = Layer.succeed(Notifier, { send: ({ text }) => Effect.succeed({ id: text, to: [] }) })
      const output = yield* testTask(notify, { channel: "ml-ops", text: "hi" }, { project, layers })
      assert.deepStrictEqual(output, { id: "hi", to: [] })
    }),
  )
})
