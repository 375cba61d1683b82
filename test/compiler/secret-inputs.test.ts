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

describe("a script in the arguments of a command", () => {
  const scripts = [
    "[sh, -c, 'echo ${{ params.n }}']",
    "[bash, -euo, pipefail, -c, 'echo ${{ params.n }}']",
    "[python3, -Ic, 'print(${{ params.n }})']",
    "[perl, -ne, '${{ params.n }}']",
    "[node, --eval, '${{ params.n }}']",
    "[node, '--eval=${{ params.n }}']",
    "[env, -S, 'sh -c \"${{ params.n }}\"']",
    "[/usr/bin/env, A=b, php, -r, '${{ params.n }}']",
  ]
  it.effect.each(scripts)("holds no expression: %s", (argv) =>
    Effect.gen(function* () {
      const found = yield* told(pipeline(params, "tasks:", task("a", `argv: ${argv}`)))
      assert.lengthOf(found, 1)
      assert.match(String(found[0]), /^5:\d+ An expression inside a script would become code\./)
    }),
  )

  it.effect("takes the value as an argument of its own", () =>
    plan(
      pipeline(
        params,
        "tasks:",
        task("a", "argv: [sh, -c, 'echo \"$1\"', _, '${{ params.n }}']"),
        task("b", "argv: [python3, train.py, -lr, '${{ params.n }}']"),
        task("c", "argv: [python3, -m, train, -lr, '${{ params.n }}']"),
        task("d", "argv: [sort, -S, '${{ params.n }}', in.txt]"),
      ),
    ),
  )
})
