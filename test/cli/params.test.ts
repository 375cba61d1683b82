import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Params from "../../src/cli/params.ts"
import type { Plan } from "../../src/domain/plan.ts"

const plan = {
  format: 1,
  id: "p",
  params: { name: { type: "string", default: "x" }, count: { type: "integer", default: 1 } },
  env: [],
  audit: "required",
  tasks: [],
} as unknown as Plan

describe("--param", () => {
  it.effect("takes text as it is: empty, with = and quotes, over lines", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Params.resolve(plan, ["name="]), { name: "", count: 1 })
      const text = "a=b\n\"c\" 'd' $(e) \\"
      assert.deepStrictEqual(yield* Params.resolve(plan, [`name=${text}`, "count=2"]), { name: text, count: 2 })
    }),
  )

  it.effect("that no JSON holds exactly is refused, not rounded", () =>
    Effect.gen(function* () {
      const open = { ...plan, params: { ...plan.params, list: { type: "array", default: [] } } } as Plan
      const told = (text: string) => Effect.map(Effect.flip(Params.resolve(open, [text])), ({ message }) => message)
      assert.match(yield* told("list=[1e400]"), /list: \[0\]: Infinity and NaN are no values of JSON/)
      assert.match(yield* told("count=9007199254740993"), /count: .* is beyond 2\^53/)
      assert.match(yield* told('list=["\\ud800"]'), /half a character/)
    }),
  )

  it.effect("of a name that only JavaScript knows is refused like any other that is not there", () =>
    Effect.gen(function* () {
      for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", "nmae"]) {
        const error = yield* Effect.flip(Params.resolve(plan, [`${name}=1`]))
        assert.include(error.message, `${name}: the pipeline has name, count.`)
      }
    }),
  )
})
