import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { pipeline, plan, told } from "./compiled.ts"

const task = (id: string, input: string) => `  ${id}: { uses: command, with: { ${input} } }`
const params = "params: { n: { type: string }, all: { type: object } }"

describe("an input that is a secret", () => {
  it.effect("takes a reference and no expression, which could name any variable or file", () =>
    Effect.gen(function* () {
      yield* plan(pipeline("tasks:", task("a", "argv: [x], secrets: { A: '${env:TOKEN}', B: '${file:key.pem}' }")))
      const found = yield* told(
        pipeline(
          params,
          "tasks:",
          task("a", "argv: [x], secrets: { A: '${{ params.n }}' }"),
          task("b", "argv: [x], secrets: { A: '${env:${{ params.n }}}' }"),
          task("c", "argv: [x], secrets: '${{ params.all }}'"),
        ),
      )
      assert.deepStrictEqual(
        found.map((one) => one.replace(/:\d+ /, " ")),
        [5, 6, 7].map(
          (line) => `${line} A secret takes a reference, like \${env:NAME} or \${file:path}, and no expression.`,
        ),
      )
    }),
  )
})
