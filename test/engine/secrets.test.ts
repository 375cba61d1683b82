import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import * as Run from "../../src/engine/run.ts"
import { plan, task } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

describe("a secret that a later task names", () => {
  it.live("is kept out of the ledger even before its task has resolved it", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const secret = "correct-horse-battery"
      const leaks = taskType({
        type: "leaks",
        version: 1,
        description: "leaks",
        input: Schema.Struct({ token: Schema.optionalKey(Schema.String) }),
        output: Schema.Struct({ text: Schema.String }),
        effects: "pure",
        run: () => Effect.succeed({ text: `before ${secret} after` }),
      })
      const tasks = [task("first", leaks), task("second", leaks, { needs: ["first"], with: { token: "${env:TOKEN}" } })]
      yield* Effect.gen(function* () {
        const { run } = yield* Run.start(Project.request(plan(tasks)))
        const text = JSON.stringify(yield* Project.entriesOf(run))
        assert.notInclude(text, secret)
        assert.include(text, "[secret TOKEN]")
      }).pipe(Effect.provide(Project.services(place, { types: [leaks], environment: { TOKEN: secret } })))
    }),
  )
})
