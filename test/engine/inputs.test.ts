import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import { Broken, Flaky, echo, plan, quick, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

describe("an input", () => {
  it.live("that does not fit its schema fails the task at once, whatever its retry says", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const wrong = task("one", echo, { with: { valeu: 1 }, retry: quick(5, ["InputInvalid", "ExpressionFailed"]) })
        const { run, state } = yield* Run.start(Project.request(plan([wrong])))
        assert.strictEqual(runStatus(state), "failed")
        assert.strictEqual(taskOf(state, "one").error?.tag, "InputInvalid")
        assert.deepStrictEqual(Project.story(yield* Project.entriesOf(run)), [
          "run.created",
          "attempt.failed one",
          "run.finished",
        ])
      }).pipe(Effect.timeout("5 seconds"), Effect.provide(Project.services(place, { types: [echo] })))
    }),
  )

  it.live("that needs an output which is not there fails with the expression", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const fails = typeOf("fails", "pure", () => Effect.fail(new Broken({ text: "no" })))
      const tasks = [
        task("bad", fails, { continueOnError: true }),
        task("next", echo, {
          needs: ["bad"],
          with: { value: "${{ [tasks.bad.value] }}" },
          retry: quick(5, ["ExpressionFailed"]),
        }),
      ]
      const { state } = yield* Run.start(Project.request(plan(tasks))).pipe(
        Effect.timeout("5 seconds"),
        Effect.provide(Project.services(place, { types: [fails, echo] })),
      )
      assert.strictEqual(taskOf(state, "next").error?.tag, "ExpressionFailed")
      assert.include(taskOf(state, "next").error?.message, "tasks.bad.value")
    }),
  )

  it.live("of a next attempt is not asked for its condition again", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      let calls = 0
      const bad = typeOf("bad", "pure", () => Effect.fail(new Broken({ text: "no" })))
      const flaky = typeOf("flaky", "pure", () =>
        Effect.suspend(() => (++calls === 1 ? Effect.fail(new Flaky()) : Effect.succeed({}))),
      )
      const retry = { attempts: 2, backoff: { initial: 30, factor: 1, max: 30, jitter: "none" } } as const
      const tasks = [
        task("report", flaky, { block: "finally", if: 'run.status == "succeeded"', retry }),
        task("other", bad, { block: "finally" }),
      ]
      const { state } = yield* Run.start(Project.request(plan(tasks))).pipe(
        Effect.provide(Project.services(place, { types: [bad, flaky] })),
      )
      assert.strictEqual(taskOf(state, "report").status, "succeeded")
    }),
  )
})
