import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { compileFile } from "../../src/compiler/compile-file.ts"
import { shipped } from "./compiled.ts"

const inner = `version: 1
id: inner
params:
  who: { type: string, minLength: 2 }
  greeting: { type: string, default: Hello }
env: [TEAM]
tasks:
  hello: { uses: command, with: { argv: [echo, '\${{ params.greeting }}, \${{ params.who }}'] } }
  shout: { uses: command, with: { argv: [echo, '\${{ tasks.hello.stdout }} of \${{ env.TEAM }}'] } }
finally:
  bye: { uses: notify, with: { channel: ops, text: 'bye \${{ params.who }}' } }
outputs:
  text: '\${{  tasks.shout.stdout }}'
`

const outer = (task: string, more = "") => `version: 1
id: outer
tasks:
  first: { uses: command, with: { argv: [whoami] } }
  greet: ${task}
  tell: { uses: notify, with: { channel: ops, text: '\${{ tasks.greet.text }}' } }
${more}`

/** Compiles `outer.yaml` beside these pipelines, in a folder with a space in its name. */
const compiled = (files: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori sub"))),
      (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
    )
    for (const [name, text] of Object.entries(files))
      yield* Effect.promise(() => Fs.writeFile(join(folder, name), text))
    return yield* compileFile(join(folder, "outer.yaml")).pipe(Effect.provide(shipped))
  }).pipe(Effect.scoped)

const told = (files: Readonly<Record<string, string>>) =>
  compiled(files).pipe(
    Effect.flip,
    Effect.map((error) =>
      error._tag === "PipelineInvalid"
        ? error.diagnostics.map(
            ({ column, file, line, message }) => `${file.split("/").at(-1)}:${line}:${column} ${message}`,
          )
        : [error.message],
    ),
  )

const used = "{ uses: pipeline/inner, with: { who: '${{ tasks.first.stdout }}' } }"

describe("a sub-pipeline", () => {
  it.effect("is compiled in: its tasks are <task>/<id>, its handlers come along, and so do its names", () =>
    Effect.gen(function* () {
      const { plan } = yield* compiled({ "outer.yaml": outer(used), "inner.yaml": inner })
      assert.deepStrictEqual(
        plan.tasks.map(({ block, id, needs, type }) => [id, type, needs, block]),
        [
          ["first", "command", [], undefined],
          ["greet", "pipeline/inner", ["first"], undefined],
          ["greet/hello", "command", [], undefined],
          ["greet/shout", "command", ["greet/hello"], undefined],
          ["greet/bye", "notify", [], "finally"],
          ["tell", "notify", ["greet"], undefined],
        ],
      )
      assert.deepStrictEqual(plan.tasks[1].pipeline?.outputs, { text: "${{ tasks.shout.stdout }}" })
      assert.deepStrictEqual(Object.keys(plan.tasks[1].pipeline?.params ?? {}), ["who", "greeting"])
      assert.deepStrictEqual(plan.env, ["TEAM"])
    }),
  )

  it.effect("keeps its timeout and its handlers, in a handler too", () =>
    Effect.gen(function* () {
      const { plan } = yield* compiled({
        "outer.yaml": outer(used, "finally:\n  again: { uses: pipeline/inner, with: { who: ada } }"),
        "inner.yaml": inner.replace("env:", "timeout: 1h\nenv:"),
      })
      assert.deepStrictEqual(
        plan.tasks.slice(-4).map(({ block, id, pipeline }) => [id, block, pipeline?.timeout]),
        [
          ["again", "finally", 3_600_000],
          ["again/hello", undefined, undefined],
          ["again/shout", undefined, undefined],
          ["again/bye", "finally", undefined],
        ],
      )
    }),
  )

  it.effect("may use another one, and its outputs keep their types on the way up", () =>
    Effect.gen(function* () {
      const middle = `version: 1
id: middle
params: { who: { type: string } }
tasks:
  deep: { uses: pipeline/inner, with: { who: '\${{ params.who }}' } }
outputs: { text: '\${{ tasks.deep.text }}' }
`
      const { plan } = yield* compiled({
        "outer.yaml": outer("{ uses: pipeline/middle, with: { who: ada } }"),
        "middle.yaml": middle,
        "inner.yaml": inner,
      })
      assert.includeMembers(
        plan.tasks.map(({ id }) => id),
        ["greet", "greet/deep", "greet/deep/hello", "greet/deep/shout", "greet/deep/bye", "tell"],
      )
    }),
  )

  const refused: ReadonlyArray<readonly [string, Readonly<Record<string, string>>, RegExp]> = [
    [
      "that is not there",
      { "outer.yaml": outer("{ uses: pipeline/iner }"), "inner.yaml": inner },
      /^outer\.yaml:5:18 There is no pipeline "iner".*Did you mean "inner"/,
    ],
    [
      "without a param that it needs",
      { "outer.yaml": outer("{ uses: pipeline/inner }"), "inner.yaml": inner },
      /^outer\.yaml:5:3 "who" is missing/,
    ],
    [
      "with a param that it does not have",
      { "outer.yaml": outer("{ uses: pipeline/inner, with: { who: ada, greting: Hi } }"), "inner.yaml": inner },
      /^outer\.yaml:5:52 There is no input "greting"\. Did you mean "greeting"/,
    ],
    [
      "with a param of another type",
      {
        "outer.yaml": outer("{ uses: pipeline/inner, with: { who: '${{ tasks.first.exitCode }}' } }"),
        "inner.yaml": inner,
      },
      /tasks\.first\.exitCode: expected string, got integer/,
    ],
    [
      "with a param that its schema refuses",
      { "outer.yaml": outer("{ uses: pipeline/inner, with: { who: a } }"), "inner.yaml": inner },
      /^outer\.yaml:5:47 who: at least 2 characters/,
    ],
    [
      "with what only its tasks can say",
      { "outer.yaml": outer("{ uses: pipeline/inner, with: { who: ada }, timeout: 3m }"), "inner.yaml": inner },
      /A task that uses a pipeline has no "timeout": say it on a task of inner/,
    ],
    [
      "with a heartbeat",
      { "outer.yaml": outer("{ uses: pipeline/inner, with: { who: ada }, heartbeat: 3m }"), "inner.yaml": inner },
      /A task that uses a pipeline has no "heartbeat": say it on a task of inner/,
    ],
    [
      "of which an output is read that it does not have",
      { "outer.yaml": outer(used).replace("greet.text", "greet.txt"), "inner.yaml": inner },
      /tasks\.greet has no field "txt"; it has text, status/,
    ],
    [
      "that uses its user",
      {
        "outer.yaml": outer("{ uses: pipeline/inner }"),
        "inner.yaml": "version: 1\nid: inner\ntasks:\n  a: { uses: pipeline/outer }\n",
      },
      /outer → inner → outer/,
    ],
    [
      "whose output a condition may leave out",
      {
        "outer.yaml": outer(used),
        "inner.yaml": inner.replace("hello: { uses: command,", "hello: { uses: command, if: 'run.env == \"dev\"',"),
      },
      /Task shout may have no output, as hello may be skipped/,
    ],
  ]
  for (const [what, files, message] of refused) {
    it.effect(`${what} is refused`, () =>
      Effect.gen(function* () {
        const all = yield* told(files)
        assert.isTrue(
          all.some((text) => message.test(text)),
          all.join("\n"),
        )
      }),
    )
  }

  it.effect("that does not compile is told with its own mistakes, at their places", () =>
    Effect.gen(function* () {
      const all = yield* told({ "outer.yaml": outer(used), "inner.yaml": inner.replace("tasks.hello", "tasks.helo") })
      assert.deepStrictEqual(
        all.map((text) => text.split(" ")[0]),
        ["outer.yaml:5:18", "inner.yaml:9:59"],
      )
    }),
  )

  it.effect("is named as its user is: from the same folder on", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.promise(async () => Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "dandori sub")))),
        (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
      )
      const place = relative(process.cwd(), folder)
      yield* Effect.promise(() => Fs.writeFile(join(folder, "outer.yaml"), outer(used)))
      yield* Effect.promise(() => Fs.writeFile(join(folder, "inner.yaml"), inner.replace("tasks.hello", "tasks.helo")))
      const error = yield* compileFile(join(place, "outer.yaml")).pipe(Effect.provide(shipped), Effect.flip)
      const files = error._tag === "PipelineInvalid" ? error.diagnostics.map(({ file }) => file) : []
      assert.deepStrictEqual(files, [join(place, "outer.yaml"), join(place, "inner.yaml")])
    }).pipe(Effect.scoped),
  )
})
