import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { daemon, ended, entries, says, until } from "../cli/daemon-project.ts"
import { dandori, ndjson } from "../cli/evidence-project.ts"
import * as Sample from "../support/sample-project.ts"

const project = Effect.map(
  Effect.acquireRelease(
    Effect.promise(() => Sample.make()),
    (made) => Effect.promise(() => Sample.remove(made)),
  ),
  ({ folder }) => folder,
)

const edit = (file: string, from: string, to: string) =>
  Effect.promise(async () => {
    const text = await Fs.readFile(file, "utf8")
    assert.include(text, from)
    await Fs.writeFile(file, text.replace(from, to))
  })

describe("the nightly retrain under a daemon", () => {
  it.live(
    "trains, tests and publishes what passes its gate",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        const process = yield* daemon(folder)
        yield* until(Effect.map(entries(folder, "nightly-retrain"), (all) => all[0]))
        const night = ["--from", "2026-03-03", "--to", "2026-03-04"]
        const asked = yield* dandori(folder, "schedule", "backfill", "nightly-retrain", ...night, "--yes")
        assert.match(asked.out, /^\S+ {2}1 tick of nightly-retrain$/m)
        const runs = yield* until(
          Effect.map(ended(folder, "nightly-retrain"), (all) => (all.size > 0 ? all : undefined)),
        )
        process.signal("SIGTERM")
        assert.strictEqual(yield* process.ended, 0, process.said())
        assert.deepStrictEqual([...runs.values()], ["succeeded"], process.said())
        const [model] = ndjson((yield* dandori(folder, "model", "list", "--json")).out)
        const history = yield* dandori(folder, "model", "show", String(model.version))
        assert.strictEqual(history.code, 0, history.err)
        assert.include(history.out, "The nightly retrain of 2026-03-03 passed its gate")
        assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
      }),
    120_000,
  )

  it.live(
    "tells what fails, and pauses after two nights in a row",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        yield* edit(join(folder, "configs/base/schedules.yaml"), "30 2 * * 2-6", '"*/3 * * * * *"')
        yield* edit(join(folder, "samples/expectations.yaml"), "min_rows:", "min_rows: 100000000 # was")
        const process = yield* daemon(folder)
        const paused = yield* until(
          Effect.map(entries(folder, "nightly-retrain"), (all) =>
            all.find(({ type }) => type === "dev.dandori.schedule.paused.v1"),
          ),
        )
        assert.deepStrictEqual(paused.data, {
          pipeline: "nightly-retrain",
          reason: "2 runs in a row failed",
          failures: 2,
        })
        assert.deepStrictEqual([...(yield* ended(folder, "nightly-retrain")).values()], ["failed", "failed"])
        yield* says(process, /nightly-retrain of \d{4}-\d\d-\d\d failed, run/)
        process.signal("SIGTERM")
        assert.strictEqual(yield* process.ended, 0)
      }),
    120_000,
  )
})
