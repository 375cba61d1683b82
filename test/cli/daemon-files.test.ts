import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Sqlite from "../../src/services/sqlite.ts"
import { daemon, ended, entries, says, until } from "./daemon-project.ts"
import { dandori } from "./evidence-project.ts"
import { project } from "./run-project.ts"

/** A pipeline that writes down which file each of its runs is for. */
const arrivals = (complete: string, ...more: ReadonlyArray<string>) =>
  [
    "version: 1",
    "id: arrivals",
    "params: { path: { type: string, pattern: '^incoming/' }, bytes: { type: integer }, n: { type: integer, default: 1 } }",
    "on:",
    "  files:",
    "    path: incoming/**/*.csv",
    `    complete: ${complete}`,
    "    params: { path: '${{ run.file.path }}', bytes: '${{ run.file.size }}' }",
    ...more,
    "tasks:",
    "  work:",
    "    uses: command",
    "    with:",
    "      effects: idempotent",
    "      argv: [sh, -c, 'echo $0 $1 >> done.txt', '${{ params.path }}', '${{ string(params.bytes) }}']",
    "",
  ].join("\n")

const write = (folder: string, path: string, text: string) =>
  Effect.promise(async () => {
    await Fs.mkdir(join(folder, path, ".."), { recursive: true })
    await Fs.writeFile(join(folder, path), text)
  })

/** Which files runs were asked for, with their bytes, in order. */
const asked = (folder: string) =>
  Effect.map(entries(folder, "arrivals"), (all) =>
    all.flatMap(({ authid, data, type }) => {
      if (type !== "dev.dandori.schedule.run.requested.v1") return []
      const { params, run, trigger } = data as {
        readonly params: { readonly path: string; readonly bytes: number; readonly n: number }
        readonly run: string
        readonly trigger: string
      }
      return [{ ...params, run, trigger, authid }]
    }),
  )

const done = (folder: string) =>
  Effect.promise(() => Fs.readFile(join(folder, "done.txt"), "utf8").catch(() => "")).pipe(
    Effect.map((text) => text.split("\n").filter((line) => line !== "")),
  )

/** Does something to the state store, which daemons have open as well. */
const state = <A, E>(folder: string, work: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  Effect.provide(work, Sqlite.layer({ path: join(folder, ".dandori/state.db") }))

/** Waits until the first look at the folder is over: what comes now arrives. */
const begun = (folder: string) =>
  until(
    state(
      folder,
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT watch FROM file_watches`),
    ).pipe(
      Effect.orElseSucceed(() => []),
      Effect.map((rows) => (rows.length > 0 ? true : undefined)),
    ),
  )

/** Waits until so many runs of files have ended. */
const runsEnded = (folder: string, count: number) =>
  until(Effect.map(ended(folder, "arrivals"), (all) => (all.size >= count ? all : undefined)))

const watching = /arrivals is started by files/

describe("dandori daemon, for files that arrive", () => {
  it.live(
    "starts one run for each that is complete, over kill -9, and none for what was there before",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        yield* write(folder, "pipelines/arrivals.yaml", arrivals("{ marker: .done }"))
        yield* write(folder, "incoming/before.csv", "old")
        yield* write(folder, "incoming/before.csv.done", "")
        const first = yield* daemon(folder)
        yield* says(first, watching)
        yield* says(first, /Leading/)
        yield* begun(folder)
        const names = () => Effect.map(asked(folder), (all) => all.map(({ path }) => path))
        yield* write(folder, "incoming/half.csv", "ha")
        yield* write(folder, "incoming/deep/whole.csv", "whole")
        yield* write(folder, "incoming/deep/whole.csv.done", "")
        yield* until(Effect.map(names(), (all) => (all.length > 0 ? true : undefined)))
        assert.deepStrictEqual(yield* names(), ["incoming/deep/whole.csv"])
        first.signal("SIGKILL")
        assert.strictEqual(yield* first.ended, 137)

        yield* write(folder, "incoming/half.csv", "half and half")
        yield* write(folder, "incoming/half.csv.done", "")
        yield* write(folder, "incoming/.moving.csv", "moved")
        yield* Effect.promise(() => Fs.rename(join(folder, "incoming/.moving.csv"), join(folder, "incoming/moved.csv")))
        yield* write(folder, "incoming/moved.csv.done", "")
        const second = yield* daemon(folder)
        yield* until(Effect.map(names(), (all) => (all.length >= 3 ? true : undefined)))
        second.signal("SIGKILL")
        assert.strictEqual(yield* second.ended, 137)

        // As a crash leaves it that comes after the run is asked for and before the file is remembered.
        const remembers = (path: string) =>
          state(
            folder,
            Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT path FROM arrived_files WHERE path = ${path}`),
          ).pipe(Effect.map((rows) => (rows.length === 1 ? true : undefined)))
        yield* state(
          folder,
          Effect.flatMap(SqlClient.SqlClient, (sql) => sql`DELETE FROM arrived_files WHERE path = 'deep/whole.csv'`),
        )
        assert.isUndefined(yield* remembers("deep/whole.csv"))
        yield* write(folder, "incoming/last.csv", "last")
        yield* write(folder, "incoming/last.csv.done", "")
        const third = yield* daemon(folder)
        yield* until(Effect.map(names(), (all) => (all.length >= 4 ? true : undefined)))
        yield* until(remembers("deep/whole.csv"))
        const all = yield* asked(folder)
        const runs = yield* runsEnded(folder, all.length)
        assert.deepStrictEqual([...new Set(runs.values())], ["succeeded"], third.said())
        third.signal("SIGTERM")
        assert.strictEqual(yield* third.ended, 0, third.said())

        assert.deepStrictEqual(yield* asked(folder), all)
        assert.deepStrictEqual(all.map(({ bytes, path }) => `${path} ${bytes}`).toSorted(), [
          "incoming/deep/whole.csv 5",
          "incoming/half.csv 13",
          "incoming/last.csv 4",
          "incoming/moved.csv 5",
        ])
        for (const { authid, n, trigger } of all) {
          assert.deepStrictEqual({ authid, n, trigger }, { authid: "files arrivals", n: 1, trigger: "file" })
        }
        assert.strictEqual(new Set(all.map(({ run }) => run)).size, all.length)
        assert.strictEqual(new Set(all.map(({ path }) => path)).size, all.length)
        assert.deepStrictEqual(new Set(yield* done(folder)), new Set(all.map(({ bytes, path }) => `${path} ${bytes}`)))
        assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
      }),
    120_000,
  )

  it.live(
    "keeps a file whose params do not fit until the pipeline is deployed anew, and refuses a folder elsewhere",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        const small = arrivals("rename").replace("bytes: { type: integer }", "bytes: { type: integer, maximum: 5 }")
        yield* write(folder, "pipelines/arrivals.yaml", small)
        const elsewhere = arrivals("rename").replace("id: arrivals", "id: elsewhere").replace("incoming/**", "/etc")
        yield* write(folder, "pipelines/elsewhere.yaml", elsewhere)
        const process = yield* daemon(folder)
        yield* says(process, /Files of elsewhere do not arrive: The path \/etc is refused/)
        yield* says(process, watching)
        yield* until(
          state(
            folder,
            Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT watch FROM file_watches`),
          ).pipe(
            Effect.orElseSucceed(() => []),
            Effect.map((rows) => (rows.length > 0 ? true : undefined)),
          ),
        )
        yield* write(folder, "incoming/.large.csv", "too large")
        yield* Effect.promise(() => Fs.rename(join(folder, "incoming/.large.csv"), join(folder, "incoming/large.csv")))
        yield* write(folder, "incoming/.tiny.csv", "tiny")
        yield* Effect.promise(() => Fs.rename(join(folder, "incoming/.tiny.csv"), join(folder, "incoming/tiny.csv")))
        yield* says(process, /The file incoming\/large\.csv starts no run of arrivals .* bytes: 9 must be at most 5/)
        yield* runsEnded(folder, 1)
        assert.deepStrictEqual(
          (yield* asked(folder)).map(({ path }) => path),
          ["incoming/tiny.csv"],
        )
        yield* write(folder, "pipelines/arrivals.yaml", arrivals("rename"))
        yield* runsEnded(folder, 2)
        process.signal("SIGTERM")
        assert.strictEqual(yield* process.ended, 0, process.said())
        assert.deepStrictEqual(
          (yield* asked(folder)).map(({ path }) => path),
          ["incoming/tiny.csv", "incoming/large.csv"],
        )
      }),
    60_000,
  )

  it.live(
    "takes as many as may wait, and the others when there is room",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        const usual = yield* Effect.promise(() =>
          Fs.readFile(join(import.meta.dirname, "../../configs/base/daemon.yaml"), "utf8"),
        )
        const narrow = usual.replace(/^max_runs: \d+/m, "max_runs: 1").replace(/^queue: \d+/m, "queue: 1")
        yield* write(folder, "configs/base/daemon.yaml", narrow)
        const held = arrivals("rename").replace(
          "sh, -c, 'echo",
          "sh, -c, 'while ! [ -e go ]; do sleep 0.05; done; echo",
        )
        yield* write(folder, "pipelines/arrivals.yaml", held)
        const process = yield* daemon(folder)
        yield* until(
          state(
            folder,
            Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT watch FROM file_watches`),
          ).pipe(
            Effect.orElseSucceed(() => []),
            Effect.map((rows) => (rows.length > 0 ? true : undefined)),
          ),
        )
        yield* write(folder, "staged/1.csv", "1")
        for (const name of ["2", "3", "4", "5", "6"]) yield* write(folder, `staged/${name}.csv`, name)
        yield* Effect.promise(() => Fs.rename(join(folder, "staged"), join(folder, "incoming")))
        yield* until(Effect.map(asked(folder), (all) => (all.length >= 2 ? true : undefined)))
        yield* write(folder, "go", "")
        yield* runsEnded(folder, 6)
        process.signal("SIGTERM")
        assert.strictEqual(yield* process.ended, 0, process.said())
        assert.deepStrictEqual(
          (yield* done(folder)).toSorted(),
          ["1", "2", "3", "4", "5", "6"].map((name) => `incoming/${name}.csv 1`),
        )
      }),
    60_000,
  )
})
