import { assert, describe, it } from "@effect/vitest"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { compileFile } from "../../src/compiler/compile-file.ts"
import * as Plan from "../../src/domain/plan.ts"
import * as Catalog from "../../tasks/catalog.ts"
import { compiled, greeting, head, hello, printed, project, told } from "./typescript-project.ts"

describe("a task type of a project", () => {
  it.effect("shares this program's modules, whatever copy of effect lies beside it", () =>
    Effect.gen(function* () {
      const text = yield* printed({
        "node_modules/effect/package.json": '{"name":"effect","version":"0.0.1","exports":{"./*":"./*.js"}}',
        "node_modules/effect/Schema.js": "export const String = 'another copy'",
        "tasks/hello/index.ts": hello("hello"),
        "pipelines/p.ts": greeting,
      })
      const plan = JSON.parse(text) as Plan.Plan
      assert.deepStrictEqual(
        plan.tasks.map(({ id, type, version, with: input }) => [id, type, version, input.name]),
        [
          ["hello_1", "hello", 7, "${{ params.who }} 1"],
          ["hello_2", "hello", 7, "${{ params.who }} 2"],
        ],
      )
    }),
  )

  it.effect("has the name of its folder, which no shipped task type has", () =>
    Effect.gen(function* () {
      const renamed = yield* printed({
        "tasks/hello/index.ts": hello("hallo"),
        "pipelines/p.ts": greeting.replace("hello_", "h"),
      })
      assert.match(renamed, /There is no task type "hallo"\. Did you mean "hello"\?/)
      const taken = yield* printed({
        "tasks/seed/index.ts": hello("seed"),
        "pipelines/p.ts": greeting.replace("tasks/hello", "tasks/seed"),
      })
      assert.match(taken, /The task type seed cannot be loaded: .*belongs to a task type that ships with dandori/)
    }),
  )

  it.effect("that is none says why it cannot be loaded", () =>
    Effect.gen(function* () {
      const files = {
        "pipelines/p.ts": greeting.replace(
          'import hello from "../tasks/hello/index.ts"',
          "const hello = { type: 'hello' } as never",
        ),
      }
      assert.match(
        yield* printed({ ...files, "tasks/hello/index.ts": "export default 1" }),
        /its default export is not what taskType\(\) returns/,
      )
      assert.match(
        yield* printed({ ...files, "tasks/hello/index.ts": "throw new Error('no luck')" }),
        /cannot be loaded: .*no luck/,
      )
    }),
  )
})

describe("a TypeScript pipeline", () => {
  it.effect("has its mistakes at the key of the call that made them, all at once", () =>
    Effect.gen(function* () {
      const all = yield* told(`${head}export default pipeline("p", { timeout: "5 parsecs" }, ({ task }) => {
  const data = task("seed", seed, { symbols: ["EURUSD"], timeframe: "2h" as "1h", month: "2025-13" })
  task("train", train, { dataset: data.dataset as never },
    { timeout: "3" })
  task("other", command, {} as never)
})
`)
      assert.deepStrictEqual(
        all.map((text) => text.slice(0, 28)),
        [
          "3:32 timeout must be a durat",
          '4:58 "2h" is none of 15m, 1h',
          "4:83 month: must be a month ",
          "5:26 tasks.seed.dataset: exp",
          "6:7 timeout must be a durati",
          '7:3 "argv" is missing: list ',
        ],
      )
    }),
  )

  it.effect("has the mistakes of its schedule at the keys of cron()", () =>
    Effect.gen(function* () {
      const all = yield* told(`import { command } from "dandori/tasks"
import { cron, pipeline, tick } from "dandori"
export default pipeline("p", {
  params: { month: { type: "string" } },
  schedule: cron("61 2 * * *", {
    timezone: "Asia/Tokio",
    params: { mnth: tick.month },
  }),
}, ({ task }) => {
  task("a", command, { argv: ["a"] })
})
`)
      assert.deepStrictEqual(
        all.map((text) => text.slice(0, 34)),
        [
          '5:13 "61 2 * * *" is no cron patte',
          '6:5 "Asia/Tokio" is no IANA time z',
          "7:5 The param month has no default",
          '7:15 The pipeline has no param "mn',
        ],
      )
    }),
  )

  it.effect("has the mistakes of the files that start it at their keys", () =>
    Effect.gen(function* () {
      const all = yield* told(`import { command } from "dandori/tasks"
import { file, pipeline } from "dandori"
export default pipeline("p", {
  params: { path: { type: "string" } },
  on: {
    files: {
      path: "../in/*",
      complete: "renamed",
      params: { paht: file.path },
    },
  },
}, ({ task }) => {
  task("a", command, { argv: ["a"] })
})
`)
      assert.deepStrictEqual(
        all.map((text) => text.slice(0, 34)),
        [
          '7:7 "../in/*" goes up with "..", a',
          "8:7 complete must be 10s (its size",
          "9:7 The param path has no default,",
          '9:17 The pipeline has no param "pa',
        ],
      )
    }),
  )

  it.effect("that throws is one mistake, at the throw", () =>
    Effect.gen(function* () {
      const all = yield* told(`${head}export default pipeline("p", {}, () => {
  const fail = () => { throw new Error("no luck") }
  fail()
})
`)
      assert.lengthOf(all, 1)
      assert.match(all[0], /^4:\d+ no luck$/)
    }),
  )

  it.effect("with an id twice or a value that is no JSON is told at the call", () =>
    Effect.gen(function* () {
      const twice = yield* told(`${head}export default pipeline("p", {}, ({ task }) => {
  task("a", command, { argv: ["a"] })
  task("a", command, { argv: ["a"] })
})
`)
      assert.deepStrictEqual(twice, ['5:3 The task id "a" is taken. Rename one of them.'])
      const date = yield* told(`${head}export default pipeline("p", {}, ({ task }) => {
  task("a", notify, { channel: "c", text: new Date(0) as never })
})
`)
      assert.deepStrictEqual(date, ["4:3 tasks.a.with.text must be plain JSON or a reference, not a Date"])
    }),
  )

  it.effect("that is no TypeScript is one mistake, where it breaks", () =>
    Effect.gen(function* () {
      const all = yield* told(`${head}export default pipeline("p", {}, () => {\n  const = 4\n})\n`)
      assert.lengthOf(all, 1)
      assert.match(all[0], /^4:9 /)
    }),
  )

  it.effect("that exports no pipeline says what is missing", () =>
    Effect.gen(function* () {
      for (const text of ["export const a = 1\n", "export default 1\n", "export default { _tag: 'other' }\n"]) {
        assert.deepStrictEqual(yield* told(text), [
          "1:1 The file has no pipeline: it must have a default export, like: export default pipeline(…).",
        ])
      }
    }),
  )

  it.effect("that imports what is not there is told at the import, and nothing is fetched for it", () =>
    Effect.gen(function* () {
      const [module] = yield* told('// first\nimport { x } from "nowhere"\nexport default x\n')
      assert.strictEqual(module, "2:19 Cannot find package 'nowhere'")
      const [file] = yield* told("import { x } from './gone.ts'\nexport default x\n")
      assert.strictEqual(file, "1:19 Cannot find module './gone.ts'")
      const [name] = yield* told('import { nothing } from "dandori"\nexport default nothing\n')
      assert.match(name, /^1:25 Export named 'nothing' not found in module 'dandori'/)
    }),
  )

  it.effect("with pipelines under names only is told to have one by default", () =>
    Effect.gen(function* () {
      const one = (name: string) =>
        `export const ${name} = pipeline("${name}", {}, ({ task }) => { task("a", command, { argv: ["a"] }) })\n`
      assert.deepStrictEqual(yield* told(`${head}${one("day")}${one("night")}`), [
        "1:1 The file has no pipeline of its own, only day, night: it must have a default export, like: export default pipeline(…). A file holds one.",
      ])
    }),
  )

  it.effect("uses the pipelines that it imports, never another of the same id", () =>
    Effect.gen(function* () {
      const inner = (id: string) =>
        `${head}export default pipeline("inner", {}, ({ task }) => { task("${id}", command, { argv: ["a"] }) })\n`
      const outer = (from: string) =>
        `${head}import inner from "${from}"\nexport default pipeline("p", {}, ({ task }) => { task("a", inner, {}) })\n`
      const yaml = "version: 1\nid: inner\ntasks:\n  yaml: { uses: command, with: { argv: [a] } }\n"
      const { plan } = yield* compiled({
        "pipelines/p.ts": outer("./inner.ts"),
        "pipelines/inner.ts": inner("beside"),
        "pipelines/inner.yaml": yaml,
      })
      assert.deepStrictEqual(
        plan.tasks.map(({ id }) => String(id)),
        ["a", "a/beside"],
      )
      const error = yield* compiled({
        "pipelines/p.ts": outer("./shared/inner.ts"),
        "pipelines/shared/inner.ts": inner("shared"),
        "pipelines/inner.yaml": yaml,
      }).pipe(Effect.flip)
      assert.match(error.message, /p\.ts:4:50: The pipeline "inner" is not the one of inner\.ts in this folder\./)
    }),
  )

  it.effect("whose tasks come late would lose them, and is told so", () =>
    Effect.gen(function* () {
      const add = 'task("a", command, { argv: ["a"] })'
      const [waits] = yield* told(`${head}export default pipeline("p", {}, async ({ task }) => { await 1; ${add} })\n`)
      assert.match(waits, /^3:16 The function of pipeline\("p"\) is async\. .*await what it needs before/)
      const [late] = yield* told(`${head}let task: any
export default pipeline("p", {}, (to) => { task = to.task; ${add} })
task("b", command, { argv: ["b"] })
`)
      assert.match(late, /^5:1 Task "b" comes after its pipeline was built\./)
    }),
  )

  it.effect("with a value that holds itself is told at the call", () =>
    Effect.gen(function* () {
      const [round] = yield* told(`${head}const list: any = []
list.push(list)
export default pipeline("p", {}, ({ task }) => { task("a", notify, { channel: "c", text: list }) })
`)
      assert.strictEqual(round, "5:50 tasks.a.with.text[0] holds itself")
    }),
  )

  it.effect("is compiled the same every time", () =>
    Effect.gen(function* () {
      const file = fileURLToPath(new URL("fixtures/sample.ts", import.meta.url))
      const twice = yield* Effect.forEach([1, 2], () => compileFile(file)).pipe(
        Effect.provide(Catalog.layer("/nowhere")),
      )
      assert.strictEqual(Plan.digest(twice[0].plan), Plan.digest(twice[1].plan))
    }),
  )
})

describe("a pipeline file", () => {
  it.effect("that is not there, is a folder, or is of another kind is missing", () =>
    Effect.gen(function* () {
      const root = yield* project({ "folder.yaml/x": "" })
      const messages = yield* Effect.forEach(["none.yaml", "none.ts", "folder.yaml", "p.json"], (name) =>
        compileFile(join(root, name)).pipe(Effect.provide(Catalog.layer(root)), Effect.flip),
      )
      assert.deepStrictEqual(
        messages.map(({ _tag, message }) => [_tag, message.split(": ").at(-1)]),
        [
          ["PipelineMissing", "there is no such file"],
          ["PipelineMissing", "there is no such file"],
          ["PipelineMissing", "it is a folder; name a file in it"],
          ["PipelineMissing", "a pipeline is a .yaml, .yml or .ts file"],
        ],
      )
    }).pipe(Effect.scoped),
  )
})
