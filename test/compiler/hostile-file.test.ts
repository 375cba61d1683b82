import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { compileFile } from "../../src/compiler/compile-file.ts"
import { render } from "../../src/compiler/diagnostic.ts"
import { command, mistakes, pipeline, shipped, told } from "./compiled.ts"

/** Why the first of these files, which lie in one folder, does not compile. */
const refusal = (files: Readonly<Record<string, string | Uint8Array>>) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori hostile"))),
      (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
    )
    for (const [name, text] of Object.entries(files))
      yield* Effect.promise(() => Fs.writeFile(join(folder, name), text))
    const error = yield* compileFile(join(folder, Object.keys(files)[0])).pipe(Effect.provide(shipped), Effect.flip)
    return { tag: error._tag, message: error.message.replaceAll(`${folder}/`, "") }
  }).pipe(Effect.scoped)

const text = pipeline("tasks:", command("a"))

describe("a pipeline file", () => {
  it.effect("that is not UTF-8 is refused where it stops being so, since its letters would be lost", () =>
    Effect.gen(function* () {
      const latin = Buffer.from(pipeline("description: caf\u00e9", "tasks:", command("a")), "latin1")
      const { message, tag } = yield* refusal({ "a.yaml": latin })
      assert.strictEqual(tag, "PipelineNotUtf8")
      assert.match(message, /^a\.yaml:3:17: This is not UTF-8\./)
      const wide = yield* refusal({ "a.yaml": Buffer.from(`\ufeff${text}`, "utf16le") })
      assert.match(wide.message, /^a\.yaml:1:1: This is not UTF-8\./)
    }),
  )

  it.effect("of two documents is told at the second, in words of this language", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* told(`${text}---\n${text}`), [
        "5:1 A second document starts here. A file holds one pipeline: move the second to a file of its own.",
      ])
    }),
  )

  it.effect("that breaks YAML's rules is one mistake, not one for each thing after it", () =>
    Effect.gen(function* () {
      const broken = pipeline(
        "tasks:",
        "  a: { uses: notify, with: { text: >-",
        "     x } }",
        command("b"),
        command("c"),
      )
      const found = yield* told(broken)
      assert.lengthOf(found, 1)
      assert.match(found[0], /^4:36 This is not valid YAML/)
    }),
  )

  it.effect("with a merge key is told that there are none", () =>
    Effect.gen(function* () {
      const merged = pipeline("tasks:", "  a: &a { uses: command, with: { argv: [a] } }", "  b:", "    <<: *a")
      assert.include(yield* told(merged), "6:5 There are no merge keys: YAML 1.2 took them out. Write the keys here.")
    }),
  )

  it.effect("on one long line is shown around the mistake, not whole", () =>
    Effect.gen(function* () {
      const long = pipeline(`description: "${"x".repeat(5_000)}"`, `tasks: { a: { uses: ${"y".repeat(5_000)} } }`)
      const [wrong] = yield* mistakes(long)
      const [, line, carets] = render({ ...wrong, message: "" }).split("\n")
      assert.isBelow(line.length, 200)
      assert.isBelow(carets.length, 200)
      assert.include(line, "uses: yyy")
      assert.strictEqual(carets.indexOf("^"), line.indexOf("yyy"))
    }),
  )

  it.effect("that is nested without end is told so, and an expression without end too", () =>
    Effect.gen(function* () {
      const [deep] = yield* told("[".repeat(200_000))
      assert.match(deep, /^1:\d+ This is nested deeper than 100 levels\.$/)
      const sum = (terms: number) =>
        pipeline("tasks:", `  a: { uses: notify, with: { channel: x, text: '\${{ ${"1+".repeat(terms)}1 }}' } }`)
      assert.deepStrictEqual(yield* told(sum(30_000)), [
        "4:53 An expression has at most 10000 characters. Let a task work it out.",
      ])
      const [long] = yield* told(sum(4_900))
      assert.match(long, /expected string, got integer/)
    }),
  )

  it.effect("whose sub-pipelines double again and again is refused before it fills the memory", () =>
    Effect.gen(function* () {
      const level = (n: number) =>
        n === 0 ? text : pipeline("tasks:", `  a: { uses: pipeline/l${n - 1} }`, `  b: { uses: pipeline/l${n - 1} }`)
      const names = Array.from({ length: 25 }, (_, i) => 24 - i)
      const files = Object.fromEntries(names.map((n) => [`l${n}.yaml`, level(n).replace("id: p", `id: l${n}`)]))
      const { message } = yield* refusal(files)
      assert.match(message, /The pipelines that this one uses have more than 20000 tasks together/)
    }),
  )
})

describe("a value of the language", () => {
  it.effect("that no record could hold exactly is refused", () =>
    Effect.gen(function* () {
      const more = [
        command("a", "timeout: 99999999999999999999d"),
        command("b", "retry: { attempts: 2, backoff: { initial: 40000d } }"),
        command("c", "resources: { memory: 99999999999TiB }"),
        command("d", "approval: { timeout: 40000d }"),
        "  e: { uses: command, with: { argv: [e], grace: 99999999999999999999d } }",
      ]
      assert.deepStrictEqual(
        (yield* told(pipeline("timeout: 36501d", "tasks:", ...more))).map((line) => line.replace(/^\S+ /, "")),
        [
          "timeout must be at most 36500d.",
          "timeout must be at most 36500d.",
          "initial must be at most 36500d.",
          "memory must be at most 4096TiB.",
          "timeout must be at most 36500d.",
          "This must be a duration with a unit, like 90s, 5m or 2d.",
        ],
      )
    }),
  )

  it.effect("that would stop a task before it starts is refused", () =>
    Effect.gen(function* () {
      const found = yield* told(
        pipeline("timeout: 0s", "tasks:", command("a", "timeout: 0ms"), command("b", "approval: { timeout: 0s }")),
      )
      assert.deepStrictEqual(
        found.map((line) => line.replace(/^\S+ /, "")),
        Array.from({ length: 3 }, () => "timeout must be longer than 0."),
      )
    }),
  )

  it.effect("that holds half a character is refused, as no record could hold it", () =>
    Effect.gen(function* () {
      const [half] = yield* told(pipeline("tasks:", '  a: { uses: command, with: { argv: ["\\ud800"] } }'))
      assert.match(half, /^4:38 This text holds half a character/)
    }),
  )

  it.effect("that is empty is called empty", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* told(pipeline("schedule: { cron: '', timezone: UTC }", "tasks:", command("a"))), [
        "3:19 cron is empty.",
      ])
    }),
  )

  it.effect("that is a number where text is wanted is told how to make text of it", () =>
    Effect.gen(function* () {
      const task =
        "  a: { uses: command, matrix: { values: { n: [1, 2] } }, with: { argv: [echo, '${{ matrix.n }}'] } }"
      assert.deepStrictEqual(yield* told(pipeline("tasks:", task)), [
        "4:84 matrix.n: expected string, got integer. Write string(matrix.n).",
      ])
    }),
  )

  it.effect("that names a day that does not exist is no moment", () =>
    Effect.gen(function* () {
      const found = yield* told(
        pipeline("tasks:", command("a", "pauseUntil: { reason: r, until: '2026-02-30T00:00:00Z' }")),
      )
      assert.lengthOf(found, 1)
      assert.match(found[0], /until must be a moment with its offset/)
    }),
  )
})

describe("a name", () => {
  it.effect("that every object of JavaScript answers to is taken, wherever a pipeline gives names", () =>
    Effect.gen(function* () {
      const found = yield* told(
        pipeline(
          "params: { constructor: { type: string, default: x }, __proto__: { type: string, default: x } }",
          "tasks:",
          command("constructor"),
          "  many: { uses: command, matrix: { values: { constructor: [a] } }, with: { argv: [a] } }",
          "outputs: { constructor: '${{ tasks.many }}' }",
        ),
      )
      assert.deepStrictEqual(
        found.map((line) => line.replace(/: small.*?_/, "").replace(/ \(a dash.*\)/, "")),
        [
          '3:11 "constructor" is no param name. This one is taken.',
          '3:54 "__proto__" is no param name.',
          '5:3 "constructor" is no task id. This one is taken.',
          '6:46 "constructor" is no axis.',
          '7:12 "constructor" is no output name. This one is taken.',
        ],
      )
    }),
  )
})
