import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { compileDocument } from "../../src/compiler/compile.ts"
import * as Located from "../../src/compiler/located.ts"
import * as Source from "../../src/compiler/source.ts"
import { command, pipeline, plan, shipped } from "./compiled.ts"

describe("a large pipeline", () => {
  it.effect("of 5,000 tasks in a chain, written backwards, is put in order", () =>
    Effect.gen(function* () {
      const lines = Array.from({ length: 5000 }, (_, n) => command(`t${n}`, n === 0 ? "" : `needs: [t${n - 1}]`))
      const { tasks } = yield* plan(pipeline("tasks:", ...lines.toReversed()))
      assert.deepStrictEqual(
        tasks.map(({ id }) => id),
        Array.from({ length: 5000 }, (_, n) => `t${n}`),
      )
    }),
  )

  it.effect("of more than 20,000 tasks is refused", () =>
    Effect.gen(function* () {
      const task = { uses: "command", with: { argv: ["true"] } }
      const tasks = Object.fromEntries(Array.from({ length: 20_001 }, (_, n) => [`t${n}`, task]))
      const document = Located.fromJson({ version: 1, id: "p", tasks })
      const all = yield* compileDocument(Source.make("p.yaml", ""), document).pipe(
        Effect.provide(shipped),
        Effect.as(["compiled"]),
        Effect.catchTag("PipelineInvalid", ({ diagnostics }) =>
          Effect.succeed(diagnostics.map(({ message }) => message)),
        ),
      )
      assert.deepStrictEqual(all, ["A file holds at most 20000 tasks. Generate more in TypeScript."])
    }),
  )
})
