import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { asked } from "./daemon-callers.ts"
import { says, until } from "./daemon-project.ts"
import { dandori } from "./evidence-project.ts"
import { edit, project as guardedProject, system, write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

/** The deployments of a pipeline. */
const deploymentsOf = (folder: string, pipeline: string) =>
  Effect.map(system(folder), (all) =>
    all.flatMap(({ data }) => {
      const found = data as { readonly pipeline: string; readonly plan: string; readonly weaker?: unknown }
      return found.pipeline === pipeline ? [found] : []
    }),
  )

/** A pipeline in TypeScript that waits for a file and says a word, which it has from where the daemon does not look. */
const saying = `import { pipeline } from "dandori"
import { command } from "dandori/tasks"
import { word } from "../words/word.ts"

const script = "echo begun >> begun.txt; while ! [ -e go ]; do sleep 0.05; done; echo $0 >> said.txt"

export default pipeline("saying", {}, ({ task }) => {
  task("work", command, { effects: "idempotent", argv: ["sh", "-c", script, word] })
})
`
const textOf = (folder: string, path: string) =>
  Effect.promise(() => Fs.readFile(join(folder, path), "utf8").catch(() => ""))

describe("a change of a file under a daemon", () => {
  it.live("that weakens a safeguard is refused and shown, until it is accepted by name", () =>
    Effect.gen(function* () {
      const folder = yield* guardedProject
      const { ask, process, token } = yield* asked(folder)
      const viewer = yield* token("viewer")
      const view = Effect.map(ask("/pipelines", viewer), ({ json }) => {
        const all = (json.pipelines ?? []) as ReadonlyArray<Record<string, any>>
        return all.find(({ id }) => id === "guarded")
      })
      const before = yield* until(Effect.map(view, (found) => (found?.plan === undefined ? undefined : found)))
      assert.isUndefined(before.broken)

      yield* edit(folder, "bars.yaml", "max: 2h", "max: 3h")
      const refused = yield* until(Effect.map(view, (found) => (found?.broken === undefined ? undefined : found)))
      assert.include(refused.broken.message, "bars.yaml: max_gap.max: the gate expects less of the data")
      assert.include(refused.broken.message, "dandori deploy pipelines/guarded.yaml --accept-weaker REASON")
      assert.strictEqual(refused.plan, before.plan)
      yield* says(process, /pipelines\/guarded\.yaml: it weakens safeguards/)
      assert.lengthOf(yield* deploymentsOf(folder, "guarded"), 1)
      const command = ["deploy", "pipelines/guarded.yaml"]
      assert.strictEqual((yield* dandori(folder, ...command)).code, 3)
      assert.lengthOf(yield* deploymentsOf(folder, "guarded"), 1)

      const taken = yield* dandori(folder, ...command, "--accept-weaker", "the feed has gaps")
      assert.strictEqual(taken.code, 0, taken.err)
      yield* says(process, /pipelines\/guarded\.yaml is in order again/)
      const after = yield* until(Effect.map(view, (found) => (found?.broken === undefined ? found : undefined)))
      const [first, second, ...more] = yield* deploymentsOf(folder, "guarded")
      assert.lengthOf(more, 0)
      assert.strictEqual(first.plan, before.plan)
      assert.strictEqual(second.plan, after.plan)
      assert.deepStrictEqual(second.weaker, {
        reason: "the feed has gaps",
        accepted: ["expectations: bars.yaml: max_gap.max"],
      })
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0, process.said())
    }),
  )

  it.live(
    "is taken up at once with SIGHUP, also where the daemon would not look, and nothing that runs is stopped",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        yield* Effect.promise(() => Fs.mkdir(join(folder, "words")))
        yield* write(folder, "words/word.ts", 'export const word = "old"\n')
        yield* write(folder, "pipelines/saying.ts", saying)
        const { ask, process, token } = yield* asked(folder)
        const operator = yield* token("operator")
        const planNow = Effect.map(ask("/pipelines", operator), ({ json }) => {
          const all = (json.pipelines ?? []) as ReadonlyArray<Record<string, any>>
          return all.find(({ id }) => id === "saying")?.plan as string | undefined
        })
        const old = yield* until(planNow)
        const run = Effect.map(ask("/pipelines/saying/runs", operator, {}), ({ json }) => json.run as string)
        const ended = (id: string) =>
          until(
            Effect.map(ask(`/runs/${id}`, operator), ({ json }) =>
              ["queued", "running"].includes(json.status) || json.code !== undefined
                ? undefined
                : (json.status as string),
            ),
          )
        const first = yield* run
        yield* until(Effect.map(textOf(folder, "begun.txt"), (text) => (text === "" ? undefined : text)))

        yield* write(folder, "words/word.ts", 'export const word = "new"\n')
        process.signal("SIGHUP")
        yield* says(process, /saying\.ts is deployed anew/)
        yield* until(Effect.map(planNow, (plan) => (plan === old ? undefined : plan)))
        assert.strictEqual((yield* ask(`/runs/${first}`, operator)).json.status, "running")

        const second = yield* run
        yield* write(folder, "go", "")
        assert.strictEqual(yield* ended(first), "succeeded")
        assert.strictEqual(yield* ended(second), "succeeded")
        assert.deepStrictEqual((yield* textOf(folder, "said.txt")).split("\n").toSorted(), ["", "new", "old"])
        // Each of the runs was begun once, by the process that was told.
        assert.strictEqual(yield* textOf(folder, "begun.txt"), "begun\nbegun\n")
        process.signal("SIGTERM")
        assert.strictEqual(yield* process.ended, 0, process.said())
      }),
  )
})
