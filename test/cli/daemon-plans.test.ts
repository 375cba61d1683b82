import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { asked } from "./daemon-callers.ts"
import { daemon, says, until } from "./daemon-project.ts"
import { dandori } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

/** A pipeline whose first task waits for a file, and whose second one says which plan it is of. */
const twoSteps = (word: string) =>
  [
    "version: 1",
    "id: steps",
    "tasks:",
    "  first:",
    "    uses: command",
    "    with:",
    "      effects: idempotent",
    "      argv: [sh, -c, 'echo begun >> begun.txt; while ! [ -e go ]; do sleep 0.05; done']",
    "  second:",
    "    uses: command",
    "    needs: [first]",
    `    with: { effects: idempotent, argv: [sh, -c, 'echo ${word} >> said.txt'] }`,
    "",
  ].join("\n")

const file = "pipelines/steps.yaml"
const textOf = (folder: string, path: string) =>
  Effect.promise(() => Fs.readFile(join(folder, path), "utf8").catch(() => ""))
const linesOf = (folder: string, path: string) =>
  Effect.map(textOf(folder, path), (text) => text.split("\n").filter((line) => line !== ""))

/** A run of the old plan whose first task waits, and a newer plan that is deployed meanwhile. */
const changedMeanwhile = Effect.gen(function* () {
  const folder = yield* project
  yield* write(folder, file, twoSteps("old"))
  const place = yield* asked(folder)
  const operator = yield* place.token("operator")
  const ask = (path: string, body?: unknown, at?: string) => place.ask(path, operator, body, {}, at)
  const planOf = (at?: string) => Effect.map(ask("/pipelines/steps", undefined, at), ({ json }) => json.plan)
  const old = yield* until(planOf())
  assert.match(old, /^[0-9a-f]{64}$/)
  const start = (at?: string) =>
    Effect.map(ask("/pipelines/steps/runs", {}, at), ({ json, status }) => {
      assert.strictEqual(status, 201, JSON.stringify(json))
      return json.run as string
    })
  const succeeds = (run: string, at?: string) =>
    until(
      Effect.map(ask(`/runs/${run}`, undefined, at), ({ json }) => {
        assert.notInclude(["failed", "cancelled"], json.status, JSON.stringify(json))
        return json.status === "succeeded" ? json : undefined
      }),
    )
  const first = yield* start()
  yield* until(Effect.map(linesOf(folder, "begun.txt"), (all) => (all.length > 0 ? all : undefined)))
  yield* write(folder, file, twoSteps("new"))
  yield* says(place.process, /steps\.yaml is deployed anew/)
  yield* until(Effect.map(planOf(), (plan) => (plan === old ? undefined : true)))
  assert.strictEqual(yield* textOf(folder, "said.txt"), "")
  return { ...place, first, start, succeeds }
})

describe("a run of a daemon", () => {
  it.live("keeps its plan to its last task, whatever is deployed meanwhile; the next one has the new plan", () =>
    Effect.gen(function* () {
      const { first, folder, process, start, succeeds } = yield* changedMeanwhile
      yield* write(folder, "go", "")
      yield* succeeds(first)
      assert.strictEqual(yield* textOf(folder, "said.txt"), "old\n")
      yield* succeeds(yield* start())
      assert.strictEqual(yield* textOf(folder, "said.txt"), "old\nnew\n")
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0, process.said())
    }),
  )

  it.live("keeps its plan also where the daemon is killed and another one goes on with it", () =>
    Effect.gen(function* () {
      const { first, folder, process, start, succeeds } = yield* changedMeanwhile
      process.signal("SIGKILL")
      assert.strictEqual(yield* process.ended, 137)
      const next = yield* daemon(folder)
      const [, url] = yield* says(next, /The API listens on (\S+)/)
      // The first task is begun again: the second one is begun by this daemon, for whom the new plan is deployed.
      yield* until(Effect.map(linesOf(folder, "begun.txt"), (all) => (all.length > 1 ? all : undefined)))
      assert.strictEqual(yield* textOf(folder, "said.txt"), "")
      yield* write(folder, "go", "")
      yield* succeeds(first, url)
      assert.strictEqual(yield* textOf(folder, "said.txt"), "old\n")
      yield* succeeds(yield* start(url), url)
      assert.strictEqual(yield* textOf(folder, "said.txt"), "old\nnew\n")
      next.signal("SIGTERM")
      assert.strictEqual(yield* next.ended, 0, next.said())
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )
})
