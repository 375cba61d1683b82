import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { who } from "../../src/cli/who.ts"
import { type ClosedTick, daemon, ended, entries, says, ticking, ticks, until } from "./daemon-project.ts"
import { dandori, ndjson } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

/** Waits for a tick that was closed so. */
const closedAs = (folder: string, is: string, after = 0) =>
  until(Effect.map(ticks(folder, "often"), (all) => all.find(({ outcome, time }) => time > after && outcome.is === is)))

const explained = (folder: string, { tick }: Pick<ClosedTick, "tick">) =>
  Effect.map(dandori(folder, "schedule", "explain", "often", tick, "--json"), ({ out }) => ndjson(out)[0])

describe("dandori schedule", () => {
  it.live("pauses and resumes a schedule that a daemon keeps, and explains what became of its ticks", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/often.yaml", ticking("often", "* * * * * *", ["true"]))
      const process = yield* daemon(folder)
      const ran = yield* closedAs(folder, "ran")
      const paused = yield* dandori(folder, "schedule", "pause", "often", "--reason", "the feed is late")
      assert.deepStrictEqual([paused.code, paused.out], [0, "often  paused\n"])
      assert.match((yield* dandori(folder, "schedule", "pause", "often", "--reason", "again")).err, /paused already/)
      const held = yield* closedAs(folder, "held")
      assert.match((yield* dandori(folder, "schedule", "explain", "often")).err, /Paused since .*: the feed is late/)
      const resumed = yield* dandori(folder, "schedule", "resume", "often", "--reason", "it is there")
      assert.deepStrictEqual([resumed.code, resumed.out], [0, "often  resumed\n"])
      const later = yield* closedAs(folder, "ran", held.time)
      yield* until(
        Effect.map(ended(folder, "often"), (all) =>
          later.outcome.is === "ran" && all.has(later.outcome.run) ? all : undefined,
        ),
      )
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0)
      assert.deepInclude(yield* explained(folder, ran), { is: "ran", fate: "succeeded" })
      assert.deepInclude(yield* explained(folder, held), {
        is: "held",
        reason: "the schedule is paused: the feed is late",
      })
      assert.deepInclude(yield* explained(folder, { tick: "2020-01-01T00:00Z" }), { is: "no tick" })
      assert.deepInclude(yield* explained(folder, { tick: "2120-01-01T00:00Z" }), {
        is: "due",
        reason: "it is still to come",
      })
      const shown = yield* dandori(folder, "schedule", "explain", "often", "--last", "1")
      assert.match(shown.out, /^tick +outcome +why +decided\n\S+Z +ran +run \S+ succeeded/)
      assert.match(shown.err, /Next tick: \S+Z/)
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )

  it.live("lists what is paused and what is deployed, also where the files say otherwise", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const ids = ["broken", "changed", "gone", "often"]
      for (const id of ids) yield* write(folder, `pipelines/${id}.yaml`, ticking(id, "0 0 * * *", ["true"]))
      const process = yield* daemon(folder)
      for (const id of ids) yield* until(Effect.map(entries(folder, id), (all) => all[0]))
      process.signal("SIGTERM")
      yield* process.ended
      yield* dandori(folder, "schedule", "pause", "often", "--reason", "the feed is late")
      yield* dandori(folder, "schedule", "pause", "broken", "--reason", "a holiday")
      yield* write(folder, "pipelines/broken.yaml", ticking("broken", "@dayly", ["true"]))
      yield* write(folder, "pipelines/changed.yaml", ticking("changed", "0 1 * * *", ["true"]))
      yield* Effect.promise(() => Fs.rm(join(folder, "pipelines/gone.yaml")))
      const said = yield* dandori(folder, "schedule", "list", "--json")
      assert.strictEqual(said.code, 65)
      const all = new Map(ndjson(said.out).map((row) => [String(row.pipeline), row]))
      assert.deepStrictEqual([...all.keys()].toSorted(), ids)
      const pauseOf = (id: string) => all.get(id)?.paused as Record<string, string> | undefined
      assert.deepInclude(pauseOf("often") ?? {}, { by: who(), reason: "the feed is late" })
      assert.deepInclude(pauseOf("broken") ?? {}, { by: who(), reason: "a holiday" })
      assert.isFalse(Number.isNaN(Date.parse(pauseOf("often")?.since ?? "")))
      assert.isUndefined(pauseOf("gone"))
      assert.deepInclude(all.get("often") ?? {}, { file: "pipelines/often.yaml", cron: "0 0 * * *" })
      for (const id of ["broken", "gone"]) {
        assert.deepInclude(all.get(id) ?? {}, { kind: "schedule", cron: "0 0 * * *", timezone: "UTC" })
        assert.notProperty(all.get(id), "file")
        assert.property(all.get(id), "next")
      }
      assert.deepInclude(all.get("changed") ?? {}, { cron: "0 1 * * *" })
      const shown = yield* dandori(folder, "schedule", "list")
      assert.match(shown.out, /^often .*00:00:00Z +pipelines\/often\.yaml +paused$/m)
      assert.match(shown.out, /^broken .*00:00:00Z +as deployed, paused$/m)
      assert.match(shown.out, /^gone .*00:00:00Z +as deployed$/m)
      assert.match(shown.err, /broken\.yaml is no pipeline as it stands, and what is deployed of it goes on/)
      assert.match(shown.err, /changed: another schedule is deployed: 0 0 \* \* \* UTC/)
      const stream = join(folder, ".dandori/ledger/schedules/dev.ndjson")
      const text = yield* Effect.promise(() => Fs.readFile(stream, "utf8"))
      yield* Effect.promise(() => Fs.writeFile(stream, text.replace('"pipeline":"', '"pipeline":"x')))
      const altered = yield* dandori(folder, "schedule", "list", "--json")
      assert.deepStrictEqual(
        ndjson(altered.out).map(({ pipeline }) => pipeline),
        ["changed", "often"],
      )
      assert.strictEqual(altered.code, 10)
      assert.match(altered.err, /What is paused or deployed cannot be read: /)
    }),
  )

  it.live("runs the ticks of a backfill once more, by the same daemon, and says which runs those were", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/often.yaml", ticking("often", "0 0 * * *", ["true"]))
      const process = yield* daemon(folder)
      yield* until(Effect.map(entries(folder, "often"), (all) => all[0]))
      const range = ["--from", "2026-03-01", "--to", "2026-03-04"]
      const looked = yield* dandori(folder, "schedule", "backfill", "often", ...range, "--dry-run")
      assert.match(
        looked.out,
        /^often: 3 ticks with the definition of today: 2026-03-01T00:00:00Z, .*03-03T00:00:00Z\n$/,
      )
      const then = yield* dandori(folder, "schedule", "backfill", "often", ...range, "--definition", "then", "--yes")
      assert.strictEqual(then.code, 64)
      assert.match(then.err, /no tick in that time; the definition of today may have some/)
      const later = yield* dandori(
        folder,
        "schedule",
        "backfill",
        "often",
        "--from",
        "2026-03-01",
        "--to",
        "2126-03-04",
      )
      assert.match(later.err, /A backfill ends in the past/)
      const unsaid = yield* dandori(folder, "schedule", "backfill", "often", ...range)
      assert.deepStrictEqual([unsaid.code, unsaid.out], [64, ""])
      const asked = yield* dandori(folder, "schedule", "backfill", "often", ...range, "--yes", "--json")
      assert.deepInclude(ndjson(asked.out)[0], { kind: "backfill", pipeline: "often", ticks: 3 })
      const runs = yield* until(Effect.map(ended(folder, "often"), (all) => (all.size === 3 ? all : undefined)))
      assert.deepStrictEqual([...runs.values()], ["succeeded", "succeeded", "succeeded"])
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0)
      const { out } = yield* dandori(folder, "schedule", "explain", "often", "2026-03-02", "--json")
      const run = [...runs.keys()][1]
      assert.deepInclude(ndjson(out)[0], { is: "ran", run, backfills: [{ run, status: "succeeded" }] })
      const shown = yield* dandori(folder, "schedule", "explain", "often", "2026-03-02")
      assert.match(shown.out, new RegExp(`ran +run ${run} succeeded: a backfill asked for it: [^;]* at this time `))
    }),
  )

  it.live("leaves out what a cancelled backfill has not run", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/often.yaml", ticking("often", "0 0 * * *", ["true"]))
      const process = yield* daemon(folder)
      yield* until(Effect.map(entries(folder, "often"), (all) => all[0]))
      process.signal("SIGTERM")
      yield* process.ended
      const range = ["--from", "2026-03-01", "--to", "2026-03-04", "--yes"]
      const { out } = yield* dandori(folder, "schedule", "backfill", "often", ...range, "--json")
      const id = String(ndjson(out)[0].backfill)
      const cancelled = yield* dandori(folder, "schedule", "backfill", "often", "--cancel", id)
      assert.match(cancelled.out, /3 ticks are left out/)
      assert.strictEqual((yield* dandori(folder, "schedule", "backfill", "often", "--cancel", id)).code, 64)
      const missing = yield* dandori(folder, "schedule", "pause", "nothing", "--reason", "x")
      assert.deepStrictEqual([missing.code, missing.out], [66, ""])
      assert.match(missing.err, /No schedule of nothing was ever deployed here/)
    }),
  )

  it.live("pauses by itself after as many failures in a row as its pipeline says", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/often.yaml", ticking("often", "* * * * * *", ["false"], ["pauseAfter: 2"]))
      const process = yield* daemon(folder)
      const paused = yield* until(
        Effect.map(entries(folder, "often"), (all) =>
          all.find(({ type }) => type === "dev.dandori.schedule.paused.v1"),
        ),
      )
      assert.deepStrictEqual(paused.data, { pipeline: "often", reason: "2 runs in a row failed", failures: 2 })
      yield* closedAs(folder, "held")
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0)
      assert.deepStrictEqual([...(yield* ended(folder, "often")).values()], ["failed", "failed"])
      yield* says(process, /Stopping/)
    }),
  )
})
