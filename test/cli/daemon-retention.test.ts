import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { daemon, ended, says, ticking, until } from "./daemon-project.ts"
import { dandori, ndjson } from "./evidence-project.ts"
import { edit, write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

describe("a daemon with a short retention", () => {
  it.live("purges the runs that have ended, as the root says, and leaves one that is held", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/often.yaml", ticking("often", "* * * * * *", ["true"]))
      const first = yield* daemon(folder)
      yield* until(Effect.map(ended(folder, "often"), (all) => (all.size >= 3 ? all : undefined)))
      // Nothing comes to what there is: with a weaker retention the daemon would go on with the schedule as it was.
      assert.strictEqual((yield* dandori(folder, "schedule", "pause", "often", "--reason", "the audit")).code, 0)
      first.signal("SIGTERM")
      assert.strictEqual(yield* first.ended, 0, first.said())
      const left = [...(yield* ended(folder, "often")).keys()]
      const [held, ...others] = left
      const hold = yield* dandori(folder, "hold", "add", `run/${held}`, "--reason", "the audit")
      assert.strictEqual(hold.code, 0, hold.err)

      yield* edit(folder, "configs/base/retention.yaml", "succeeded: 730d", "succeeded: 1s")
      yield* edit(folder, "configs/base/retention.yaml", "others: 1095d", "others: 1s")
      yield* edit(folder, "configs/base/retention.yaml", "at_least: 100", "at_least: 0")
      // The first look of the daemon finds all of them older than they are kept; the next is a minute later.
      yield* Effect.sleep("1 second")
      const second = yield* daemon(folder)
      yield* says(second, /Retention purged \d+ runs?/)
      const purged = yield* until(
        Effect.map(dandori(folder, "ledger", "show", "root", "--json"), ({ out }) => {
          const all = ndjson(out).filter(({ type }) => type === "dev.dandori.run.purged.v1")
          const runs = all.map(({ data }) => (data as { readonly run: string }).run)
          return others.every((run) => runs.includes(run)) ? all : undefined
        }),
      )
      const runs = purged.map(({ data }) => (data as { readonly run: string }).run)
      assert.notInclude(runs, held)
      assert.strictEqual(new Set(runs).size, runs.length)
      for (const { data } of purged) {
        const { head, rule } = data as { readonly head: string; readonly rule: string }
        assert.match(head, /^[0-9a-f]{64}$/)
        assert.include(rule, "succeeded runs are kept 1s")
      }
      second.signal("SIGTERM")
      assert.strictEqual(yield* second.ended, 0, second.said())

      const { out: list } = yield* dandori(folder, "runs", "list", "--json")
      const kept = ndjson(list).flatMap(({ run }) => (typeof run === "string" ? [run] : []))
      assert.include(kept, held)
      for (const run of others) assert.notInclude(kept, run)
      assert.strictEqual((yield* dandori(folder, "runs", "show", held)).code, 0)
      const gone = yield* dandori(folder, "runs", "show", others[0])
      assert.strictEqual(gone.code, 66)
      assert.include(gone.err, "was purged at")
      const { code, out } = yield* dandori(folder, "ledger", "verify")
      assert.strictEqual(code, 0, out)
      assert.match(out, /^intact/)
      assert.match(out, /purged +\d+ runs, each testified to by root/)
    }),
  )
})
