import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { daemon, ended, ticking, ticks, until } from "./daemon-project.ts"
import { dandori, ndjson } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

const asking = `version: 1
id: asking
schedule: { cron: "* * * * * *", timezone: UTC, overlap: skip }
tasks:
  work:
    uses: command
    with: { effects: idempotent, argv: ["sh", "-c", "echo done >> asked.txt"] }
    approval: { approvers: 1, timeout: 1h, onTimeout: fail }
`

describe("a run of a daemon that waits for people", () => {
  it.live("keeps no other one from running, and goes on when they have answered", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* Effect.promise(async () => {
        const file = join(folder, "configs/base/daemon.yaml")
        await Fs.writeFile(file, (await Fs.readFile(file, "utf8")).replace(/max_runs: \d+/, "max_runs: 1"))
      })
      yield* write(folder, "pipelines/asking.yaml", asking)
      const process = yield* daemon(folder)
      const waiting = yield* until(
        Effect.map(dandori(folder, "runs", "list", "--json"), ({ out }) =>
          out === "" ? undefined : ndjson(out).find(({ status }) => status === "waiting"),
        ),
      )
      yield* write(folder, "pipelines/often.yaml", ticking("often", "* * * * * *", ["true"]))
      yield* until(Effect.map(ended(folder, "often"), (all) => (all.size >= 2 ? all : undefined)))
      const run = String(waiting.run)
      const skipped = (yield* ticks(folder, "asking")).find(({ outcome }) => outcome.is === "skipped")
      assert.deepInclude(skipped?.outcome, { is: "skipped" })
      const approved = yield* dandori(folder, "runs", "approve", run, "work", "--yes")
      assert.strictEqual(approved.code, 0, approved.err)
      const over = yield* until(Effect.map(ended(folder, "asking"), (all) => (all.has(run) ? all : undefined)))
      assert.strictEqual(over.get(run), "succeeded")
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0, process.said())
      const { out } = yield* dandori(folder, "ledger", "show", run)
      assert.lengthOf(out.match(/run\.resumed/g) ?? [], 1, out)
    }),
  )
})
