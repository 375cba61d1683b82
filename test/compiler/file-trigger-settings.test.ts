import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Plan from "../../src/domain/plan.ts"
import { command, pipeline, plan, told } from "./compiled.ts"

const params = "params: { path: { type: string }, size: { type: integer, default: 3 } }"
const path = "params: { path: '${{ run.file.path }}' }"

/** A pipeline with the param path and these files on one line, the fourth. */
const triggered = (...parts: ReadonlyArray<string>) =>
  pipeline(params, `on: { files: { ${parts.join(", ")} } }`, "tasks:", command("a"))

const filesOf = (text: string) => Effect.map(plan(text), ({ on }) => on?.files)

const refused = (text: string, expected: ReadonlyArray<RegExp>) =>
  Effect.map(told(text), (all) => {
    assert.lengthOf(all, expected.length, all.join("\n"))
    all.forEach((one, i) => assert.match(one, expected[i]))
  })

describe("files that start a pipeline", () => {
  it.effect("are in the plan with all that is said of them, durations in milliseconds", () =>
    Effect.gen(function* () {
      const text = pipeline(
        params,
        "on:",
        "  files:",
        "    path: incoming/**/*.csv",
        "    complete: 10s",
        "    params: { path: 'of ${{run.file.name}}', size: '${{ run.file.size + 1 }}' }",
        "tasks:",
        command("a"),
      )
      assert.deepStrictEqual(yield* filesOf(text), {
        path: "incoming/**/*.csv",
        complete: 10_000,
        params: { path: "of ${{ run.file.name }}", size: "${{ run.file.size + 1 }}" },
      })
    }),
  )

  it.effect("are complete by their name, or by a marker", () =>
    Effect.gen(function* () {
      const renamed = yield* filesOf(triggered("path: in/*", "complete: rename", path))
      assert.strictEqual(renamed?.complete, "rename")
      const marked = yield* filesOf(triggered("path: in/*", "complete: { marker: .done }", path))
      assert.deepStrictEqual(marked?.complete, { marker: ".done" })
    }),
  )

  it.effect("leave the digest of a pipeline without them as it is, and are part of that of one with them", () =>
    Effect.gen(function* () {
      const without = yield* plan(pipeline("tasks:", command("a")))
      assert.notProperty(without, "on")
      const digest = (...parts: ReadonlyArray<string>) => Effect.map(plan(triggered(...parts, path)), Plan.digest)
      const first = yield* digest("path: in/*", "complete: 10s")
      assert.strictEqual(yield* digest("complete: 10 seconds", "path: in/*"), first)
      const others = yield* Effect.all([
        digest("path: in/*", "complete: 11s"),
        digest("path: in/*", "complete: rename"),
        digest("path: out/*", "complete: 10s"),
      ])
      assert.strictEqual(new Set([first, ...others]).size, 4)
    }),
  )

  it.effect("have all their mistakes told at once, each at its place", () =>
    Effect.gen(function* () {
      yield* refused(triggered("path: ../in/*", "complete: soon", "params: { size: '${{ run.file.name }}' }"), [
        /4:\d+.*"\.\.\/in\/\*" goes up/,
        /4:\d+.*complete must be 10s .* not "soon"/,
        /4:\d+.*The param path has no default, so a file must give it a value/,
        /4:\d+.*(integer|whole number)/,
      ])
    }),
  )

  it.effect("have no key that is not known, and need a path and when a file is complete", () =>
    refused(triggered("folder: in", path), [/files has no path/, /files has no complete/, /files has no key "folder"/]),
  )

  for (const [parts, expected] of [
    [["path: ''", "complete: 1s"], /path is empty/],
    [["path: 5", "complete: 1s"], /path must be text/],
    [["path: in/", "complete: 1s"], /names a folder/],
    [["path: in//*", "complete: 1s"], /has an empty part/],
    [["path: '${{ params.path }}/*'", "complete: 1s"], /can hold no expression/],
    [["path: in/*", "complete: 0s"], /complete must be longer than 0/],
    [["path: in/*", "complete: 5"], /complete must be 10s .* not 5/],
    [["path: in/*", "complete: [rename]"], /complete must be 10s .* not a list/],
    [["path: in/*", "complete: {}"], /complete has no marker/],
    [["path: in/*", "complete: { marker: a/b }"], /marker is the end of a file's name/],
  ] as const) {
    it.effect(`that say ${parts.join(", ")} are refused`, () => refused(triggered(...parts, path), [expected]))
  }

  it.effect("give params what is known of a file, and nothing else", () =>
    Effect.gen(function* () {
      const given = (value: string) =>
        triggered("path: in/*", "complete: rename", `params: { path: '\${{ ${value} }}' }`)
      yield* refused(given("run.tick.date"), [/tick/])
      yield* refused(given("params.size"), [/The params of files may name run\.file only/])
      yield* refused(given("run.file.digest"), [/digest/])
      yield* refused(given("run.file.size"), [/text|string/])
      const other = "params: { path: '${{ run.file.path }}', paht: a }"
      yield* refused(triggered("path: in/*", "complete: rename", other), [/no param "paht".*Did you mean "path"/])
    }),
  )

  it.effect("are a map in a map", () =>
    Effect.gen(function* () {
      yield* refused(pipeline("on: push", "tasks:", command("a")), [/on must be a map/])
      yield* refused(pipeline("on: {}", "tasks:", command("a")), [/on has no files/])
      yield* refused(pipeline("on: { files: in }", "tasks:", command("a")), [/files must be a map/])
      yield* refused(pipeline("on: { file: {} }", "tasks:", command("a")), [/on has no files/, /no key "file"/])
    }),
  )
})
