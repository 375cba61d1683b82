import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Run from "../../src/engine/run.ts"
import { taskOf } from "../../src/engine/run-state.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Broken, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const fails = typeOf("fails", "pure", () => Effect.fail(new Broken({ text: "it does" })))
const tells = typeOf("tells", "pure", () => Effect.map(Attempt, ({ handles }) => ({ value: handles ?? "nothing" })))
const pipeline = { type: "pipeline/inner", version: 1, effects: "pure" } as const

const said = (tasks: Parameters<typeof plan>[0]) =>
  Effect.gen(function* () {
    const place = yield* Project.temporary
    const { state } = yield* Run.start(Project.request(plan(tasks))).pipe(
      Effect.provide(Project.services(place, { types: [fails, tells] })),
    )
    const told = tasks.filter(({ type }) => type === "tells")
    return Object.fromEntries(
      told.map(({ id }) => [id, (taskOf(state, id).output as { readonly value?: unknown } | undefined)?.value]),
    )
  })

describe("an attempt of a handler", () => {
  it.live("knows what its pipeline's tasks have come to, and one of tasks knows nothing of the kind", () =>
    Effect.gen(function* () {
      const well = [task("work", tells), task("last", tells, { block: "finally" })]
      assert.deepStrictEqual(yield* said(well), { work: "nothing", last: "succeeded" })
      const ill = [
        task("first", tells),
        task("work", fails, { needs: ["first"] }),
        task("mend", tells, { block: "onFailure" }),
        task("last", tells, { block: "finally" }),
      ]
      assert.deepStrictEqual(yield* said(ill), { first: "nothing", mend: "failed", last: "failed" })
    }),
  )

  it.live("of a sub-pipeline knows of that one", () =>
    Effect.gen(function* () {
      const tasks = [
        task("sub", pipeline, { pipeline: { params: {}, outputs: {} }, continueOnError: true }),
        task("sub/work", fails),
        task("sub/mend", tells, { block: "onFailure" }),
        task("last", tells, { block: "finally" }),
      ]
      assert.deepStrictEqual(yield* said(tasks), { "sub/mend": "failed", last: "warned" })
    }),
  )
})
