import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, project } from "./evidence-project.ts"

const many = `version: 1
id: many
tasks:
  many:
    uses: command
    labels: [gpu, eu]
    matrix: { values: { x: [a, b] }, fail-fast: false }
    with: { argv: [sh, -c, 'echo "say $0"; test "$0" = a || test -e repaired', '\${{ matrix.x }}'], effects: pure }
`
const plain = `version: 1
id: plain
tasks:
  one: { uses: command, labels: [eu], with: { argv: [echo, hello], effects: pure } }
`

const fan = Effect.tap(project, (folder) =>
  Effect.promise(async () => {
    await Fs.mkdir(join(folder, "pipelines"))
    await Fs.writeFile(join(folder, "pipelines/many.yaml"), many)
    await Fs.writeFile(join(folder, "pipelines/plain.yaml"), plain)
  }),
)

const newest = Effect.fnUntraced(function* (folder: string, ...args: ReadonlyArray<string>) {
  return ndjson((yield* dandori(folder, "runs", "list", "--json", ...args)).out)
})

describe("an instance of a matrix on the command line", () => {
  it.live("has logs of its own, and its matrix those of all; it is run alone by its id", () =>
    Effect.gen(function* () {
      const folder = yield* fan
      const first = yield* dandori(folder, "run", "many")
      assert.strictEqual(first.code, 1, first.err)
      assert.include(first.out, "'many[1]'")
      const [{ run }] = yield* newest(folder)
      const one = yield* dandori(folder, "runs", "logs", String(run), "many[1]")
      assert.strictEqual(one.out, "say b\n")
      const all = yield* dandori(folder, "runs", "logs", String(run), "many")
      assert.strictEqual(all.out, "say a\nsay b\n")
      assert.include(all.err, "── many[0], attempt 1")
      yield* Effect.promise(() => Fs.writeFile(join(folder, "repaired"), ""))
      const again = yield* dandori(folder, "runs", "retry", String(run), "--only", "many[1]")
      assert.strictEqual(again.code, 0, again.err)
      assert.include(again.err, "many[0]  taken over")
      const [{ run: second }] = yield* newest(folder)
      const told = yield* dandori(folder, "runs", "show", String(second))
      assert.match(told.out, new RegExp(`from +run ${run}\\n +only +many\\[1\\]`))
      const shown = ndjson((yield* dandori(folder, "runs", "show", String(run), "--json")).out)[0]
      const tasks = shown.tasks as ReadonlyArray<{ readonly instances: ReadonlyArray<Record<string, unknown>> }>
      assert.deepStrictEqual(
        tasks[0].instances.map(({ id, matrix, status }) => [id, matrix, status]),
        [
          ["many[0]", { x: "a" }, "succeeded"],
          ["many[1]", { x: "b" }, "failed"],
        ],
      )
    }),
  )
})

describe("dandori runs list --label", () => {
  it.live("lists the runs that have a task with all of the labels", () =>
    Effect.gen(function* () {
      const folder = yield* fan
      yield* dandori(folder, "run", "many")
      yield* dandori(folder, "run", "plain")
      const all = yield* newest(folder)
      assert.deepStrictEqual(
        all.map(({ labels, pipeline }) => [pipeline, labels]),
        [
          ["plain", ["eu"]],
          ["many", ["eu", "gpu"]],
        ],
      )
      assert.lengthOf(yield* newest(folder, "--label", "eu"), 2)
      const both = yield* newest(folder, "--label", "eu", "--label", "gpu")
      assert.deepStrictEqual(
        both.map(({ pipeline }) => pipeline),
        ["many"],
      )
      const none = yield* dandori(folder, "runs", "list", "--label", "tpu")
      assert.strictEqual(none.code, 0)
      assert.include(none.err, "No run has a task with the label tpu.")
    }),
  )
})
