import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Yaml from "yaml"
import { toTypeScript } from "../../../src/compiler/convert/to-typescript.ts"
import { shipped } from "../compiled.ts"
import { type Document, formatted, typescript } from "./converted.ts"

const convert = (text: string) => typescript(Yaml.parse(text))
const tasks = (...lines: ReadonlyArray<string>) =>
  convert(["version: 1", "id: p", "params: { n: { type: integer, default: 1 } }", "tasks:", ...lines].join("\n"))
const echo = "uses: command, with: { argv: [echo] }"

describe("a pipeline in TypeScript", () => {
  it.effect("reads as an author would write it", () =>
    Effect.gen(function* () {
      const text = yield* convert(`version: 1
id: nightly
env: [TEAM]
params: { month: { type: string } }
tasks:
  tell_all:
    uses: notify
    needs: tidy_up
    with: { channel: ops, text: '\${{ tasks.greet.stdout }} of \${{ env.TEAM }}: \${{ params.month + "!" }}' }
  greet:
    uses: command
    with: { argv: [echo, '\${{ params.month }}', '\${{ size(params.month) > 3 ? "long" : "short" }}'] }
  tidy_up: { uses: command, with: { argv: [rm, -r, 'a "b" c'] } }
`)
      assert.strictEqual(
        text,
        `import { expression, pipeline } from "dandori"
import { command, notify } from "dandori/tasks"

export default pipeline(
  "nightly",
  { env: ["TEAM"], params: { month: { type: "string" } } },
  ({ params, env, task }) => {
    const tidyUp = task("tidy_up", command, { argv: ["rm", "-r", 'a "b" c'] })
    const greet = task("greet", command, {
      argv: ["echo", params.month, expression('size(params.month) > 3 ? "long" : "short"')],
    })
    task(
      "tell_all",
      notify,
      { channel: "ops", text: \`\${greet.stdout} of \${env.TEAM}: \${expression('params.month + "!"')}\` },
      { needs: [tidyUp] },
    )
  },
)
`,
      )
    }),
  )

  it.effect("gives params what starts it: a tick by cron(), a file by name", () =>
    Effect.gen(function* () {
      const text = yield* convert(`version: 1
id: p
params: { of: { type: string }, bytes: { type: integer, default: 0 } }
schedule: { cron: '@daily', timezone: UTC, params: { of: '\${{ run.tick.date }}' } }
on:
  files:
    path: incoming/*.csv
    complete: { marker: .done }
    params: { of: 'in \${{ run.file.path }}', bytes: '\${{ run.file.size }}' }
tasks:
  a: { ${echo} }
`)
      assert.include(text, 'import { cron, file, pipeline, tick } from "dandori"')
      assert.include(text, 'schedule: cron("@daily", { timezone: "UTC", params: { of: tick.date } })')
      assert.include(text, 'path: "incoming/*.csv",')
      assert.include(text, 'complete: { marker: ".done" },')
      assert.include(text, "params: { of: `in ${file.path}`, bytes: file.size },")
    }),
  )

  it.effect("says conditions with when() and has() only where the plan stays the same to the letter", () =>
    Effect.gen(function* () {
      const text = yield* tasks(
        `  a: { ${echo}, if: params.n > 3 }`,
        `  b: { ${echo}, if: params.n >= 3 }`,
        `  c: { ${echo}, if: 'tasks.a.status == "failed"' }`,
        `  d: { ${echo}, if: "tasks.a.status == 'failed'" }`,
        `  e: { ${echo}, if: has(tasks.a.stdout) }`,
        `  f: { ${echo}, if: true }`,
      )
      for (const condition of [
        "when(params.n).above(3)",
        '"params.n >= 3"',
        'when(a.status).is("failed")',
        `"tasks.a.status == 'failed'"`,
        "has(a.stdout)",
        '"true"',
      ]) {
        assert.include(text, `{ if: ${condition} }`)
      }
    }),
  )

  it.effect("writes a matrix as a constant, sub-pipelines as imports, outputs as what the function returns", () =>
    Effect.gen(function* () {
      const document: Document = Yaml.parse(`id: p
params: { symbols: { type: array, items: { type: string } } }
tasks:
  each_one:
    uses: command
    matrix: { values: { symbol: '\${{ params.symbols }}', n: [1, 2] }, fail-fast: false }
    with: { argv: [echo, '\${{ matrix.symbol }}', 'n \${{ matrix.n }}'] }
  inner: { uses: pipeline/inner, needs: each_one, with: {} }
outputs:
  all: '\${{ tasks.each_one.map(x, x.stdout) }}'
`)
      const text = yield* toTypeScript(document, (type) => (type === "pipeline/inner" ? "./inner.ts" : undefined)).pipe(
        Effect.provide(shipped),
      )
      assert.strictEqual(
        text,
        `import { each, expression, matrix, pipeline } from "dandori"
import { command } from "dandori/tasks"
import inner from "./inner.ts"

export default pipeline(
  "p",
  { params: { symbols: { type: "array", items: { type: "string" } } } },
  ({ params, task }) => {
    const eachOneMatrix = matrix({ symbol: each(params.symbols), n: [1, 2] }, { failFast: false })
    const eachOne = task(
      "each_one",
      command,
      { argv: ["echo", eachOneMatrix.of.symbol, \`n \${eachOneMatrix.of.n}\`] },
      { matrix: eachOneMatrix },
    )
    task("inner", inner, {}, { needs: [eachOne] })

    return { all: expression("tasks.each_one.map(x, x.stdout)") }
  },
)
`,
      )
    }),
  )

  it.effect("gives constants names that nothing else has", () =>
    Effect.gen(function* () {
      const text = yield* tasks(
        `  command: { ${echo} }`,
        `  class: { ${echo}, needs: command }`,
        `  a_b: { ${echo}, needs: class }`,
        `  a__b: { ${echo}, needs: a_b }`,
        `  z: { ${echo}, needs: a__b }`,
      )
      for (const id of ["command", "class", "a_b", "a__b"])
        assert.match(text, new RegExp(`const \\w+ = task\\("${id}"`))
      assert.include(text, "const commandTask =")
      assert.include(text, "const classTask =")
      assert.include(text, "const aBTask =")
    }),
  )

  it.effect("imports the task types of a project from their files", () =>
    Effect.gen(function* () {
      const document: Document = { id: "p", tasks: { a: { uses: "my-type", with: {} }, b: { uses: "when" } } }
      const text = yield* toTypeScript(document, (type) => `../tasks/${type}/index.ts`).pipe(Effect.provide(shipped))
      assert.include(text, 'import myType from "../tasks/my-type/index.ts"')
      assert.include(text, 'import whenType from "../tasks/when/index.ts"')
      assert.include(text, 'task("b", whenType, {})')
    }),
  )

  it.live("is laid out as the formatter wants it", () =>
    Effect.gen(function* () {
      const long = "words ".repeat(30).trim()
      const text = yield* tasks(
        `  one: { ${echo}, description: "${long}" }`,
        `  two: { uses: notify, with: { channel: ops, text: "${long}" }, needs: one, retry: { attempts: 2, backoff: { initial: 90s, factor: 2, max: 1h } } }`,
        `  three: { uses: worm-append, with: { recordType: retrain, payload: { a: [1, 2, [true, null]], 'odd key': {}, b: "it's \\"so\\"" } } }`,
      )
      assert.strictEqual(yield* formatted(text), text)
    }),
  )
})
