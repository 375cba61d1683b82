import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Purge from "../../src/ledger/purge.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as DataRemoval from "../../src/services/data-removal.ts"
import * as DataUnits from "../../src/services/data-units.ts"
import { Holds } from "../../src/services/holds.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as Sqlite from "../../src/services/sqlite.ts"
import purgeType from "../../tasks/data-purge/index.ts"
import * as Project from "../ledger/fixtures/project.ts"
import * as PurgePlace from "../ledger/fixtures/purge-place.ts"
import * as Place from "./data-place.ts"
import * as Stage from "./publish/stage.ts"
import * as Retention from "./retention-place.ts"

const { test } = Place

const canonical = ".dandori/canonical"
const old = `${canonical}/1h/EURUSD/2020-01`
const paths = (all: ReadonlyArray<{ readonly path: string }>) => all.map(({ path }) => path)
const isThere = (root: string, path: string) => Fs.existsSync(join(root, path))

/** Marks, waits for the grace, and purges. */
const through = Effect.fnUntraced(function* (wait: (days: number) => void, name = "through") {
  const marked = yield* Place.pass(`${name} marks`)
  wait(3)
  return { marked, gone: yield* Place.pass(`${name} purges`) }
})

describe("the retention of data", () => {
  test("marks what is old, lets it go after the grace with the folders that are empty then, and keeps what is young", ({
    root,
    wait,
  }) =>
    Effect.gen(function* () {
      Place.partition(root, old, "old bars")
      Place.partition(
        root,
        `${canonical}/1h/GBPUSD/2032-02`,
        "bars of a young month",
        Place.start - 40 * 365 * Place.dayMillis,
      )
      Place.partition(root, `${canonical}/4h/EURUSD/2020-01`, "put not long ago", Place.start - 300 * Place.dayMillis)
      Place.put(root, ".dandori/features/a b/c/x.parquet", "old features")
      Place.put(root, ".dandori/features/a b/y.parquet", "young features", Place.start - 300 * Place.dayMillis)
      Place.put(root, ".dandori/features/.lock", "no data")
      Place.put(root, "raw files/d/delivery 1.csv", "old raw")
      Place.put(root, "raw files/delivery 2.csv", "young raw", Place.start - 50 * Place.dayMillis)
      Place.put(root, ".dandori/snapshots/s 1/deep/a", "a")
      Place.put(root, ".dandori/snapshots/s 1/b", "b")
      Place.put(root, ".dandori/snapshots/s2.tar", "tar")
      Place.put(root, ".dandori/snapshots/s3/a", "a")
      Place.put(root, ".dandori/snapshots/s3/b", "young", Place.start - 700 * Place.dayMillis)
      const first = yield* Place.pass("r1")
      const gone = [
        old,
        ".dandori/features/a b/c/x.parquet",
        ".dandori/snapshots/s 1",
        ".dandori/snapshots/s2.tar",
        "raw files/d/delivery 1.csv",
      ]
      assert.deepStrictEqual(paths(first.due).toSorted(), gone)
      assert.deepStrictEqual([first.purged, first.left, first.bytes, first.kept], [[], [], 0, 5])
      assert.strictEqual(first.due[0]?.from, new Date(Place.start + 3 * Place.dayMillis).toISOString())
      wait(2.9)
      assert.deepStrictEqual((yield* Place.pass("r2")).purged, [])
      wait(0.1)
      const dry = yield* (purgeType.dryRun?.({ reason: "old" }) ?? Effect.succeed("")).pipe(
        Effect.provide(Stage.attempt("dry")),
      )
      assert.match(dry, /would remove 5 entries, .*; 0 go later \(0 B\), 5 are kept/)
      assert.include(dry, `remove canonical ${old}, `)
      assert.isTrue(isThere(root, old))
      const third = yield* Place.pass("r3")
      assert.deepStrictEqual(paths(third.purged).toSorted(), gone)
      assert.isAbove(third.bytes, 50)
      assert.deepStrictEqual([third.due, third.left, third.kept], [[], [], 5])
      assert.deepStrictEqual(Place.below(root, canonical), [
        "1h",
        "1h/GBPUSD",
        "1h/GBPUSD/2032-02",
        "1h/GBPUSD/2032-02/__meta.json",
        "1h/GBPUSD/2032-02/canonical.parquet",
        "1h/GBPUSD/2032-02/dq_expectations.yaml",
        "4h",
        "4h/EURUSD",
        "4h/EURUSD/2020-01",
        "4h/EURUSD/2020-01/__meta.json",
        "4h/EURUSD/2020-01/canonical.parquet",
        "4h/EURUSD/2020-01/dq_expectations.yaml",
      ])
      assert.deepStrictEqual(Place.below(root, ".dandori/features"), [".lock", "a b", "a b/y.parquet"])
      assert.deepStrictEqual(Place.below(root, ".dandori/snapshots"), ["s3", "s3/a", "s3/b"])
      assert.deepStrictEqual(Place.below(root, "raw files"), ["delivery 2.csv"])
      assert.deepStrictEqual(yield* Place.pass("r3"), third, "a second attempt of the same task has the same result")
      assert.deepStrictEqual((yield* Place.pass("r4")).purged, [])
    }))

  test("says by its probe what a task has removed, once all of it is gone", ({ root, wait }) =>
    Effect.gen(function* () {
      Place.partition(root, old, "old bars")
      const probe = (run: string) =>
        (purgeType.probe?.({ reason: "old" }) ?? Effect.succeedNone).pipe(Effect.provide(Stage.attempt(run)))
      const { gone } = yield* through(wait)
      assert.deepStrictEqual(yield* probe("through purges"), Option.some(gone))
      assert.deepStrictEqual(yield* probe("through marks"), Option.none())
      Place.partition(root, old, "bars that came back", Place.start)
      assert.deepStrictEqual(yield* probe("through purges"), Option.none())
    }))

  test("only marks where nothing is to be purged, and goes on from that mark", ({ root, wait }) =>
    Effect.gen(function* () {
      Place.partition(root, old, "old bars")
      yield* Place.pass("r1", false)
      wait(30)
      const ready = yield* Place.pass("r2", false)
      assert.deepStrictEqual([paths(ready.due), ready.purged], [[old], []])
      assert.isTrue(isThere(root, old))
      assert.deepStrictEqual(paths((yield* Place.pass("r3")).purged), [old])
    }))

  test(
    "lets what is marked go with the next pass where there is no grace",
    ({ root }) =>
      Effect.gen(function* () {
        Place.partition(root, old, "old bars")
        assert.deepStrictEqual(paths((yield* Place.pass("r1")).due), [old])
        assert.deepStrictEqual(paths((yield* Place.pass("r2")).purged), [old])
      }),
    Place.sectionsWith({}, 0),
  )

  test("keeps a partition that a run's output names, until that run is purged", ({ root, wait }) =>
    Effect.gen(function* () {
      const sha256 = Place.partition(root, old, "old bars")
      const run = Project.runId(1)
      yield* Project.writeRun(run, PurgePlace.says({ dataset: { partitions: [{ path: old, sha256 }] } }, "seed"))
      const { gone, marked } = yield* through(wait)
      assert.deepStrictEqual([marked.due, gone.purged, gone.kept], [[], [], 1])
      assert.lengthOf((yield* Purge.runs([{ run, because: { reason: "why" } }])).purged, 1)
      assert.deepStrictEqual(paths((yield* through(wait, "again")).gone.purged), [old])
    }))

  test("keeps what an artifact names that a run names, and what a model's row or provenance names", ({ root, wait }) =>
    Effect.gen(function* () {
      const inArtifact = Place.partition(root, old, "named by an artifact")
      const inRow = Place.put(root, ".dandori/features/row.parquet", "named by a row")
      const inModel = Place.put(root, ".dandori/features/model.parquet", "named by a model")
      Place.put(root, ".dandori/features/free.parquet", "named by nobody")
      const artifact = yield* (yield* Artifacts).put("output.json", "application/json", JSON.stringify({ inArtifact }))
      const said = {
        type: "dev.dandori.attempt.succeeded.v1",
        data: { task: "seed", attempt: 1, outputArtifact: artifact },
      } as const
      yield* Project.writeRun(Project.runId(1), [said])
      Place.put(root, ".dandori/models/v1/provenance.json", JSON.stringify({ inModel }))
      const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
      const facts = { theta: {}, metrics: {}, datasets: [inRow], receipts: [], synthetic: true }
      yield* (yield* ModelRegistry).register(
        { version: "v1", slot, digest: Sha256.of("model"), path: "models/v1", ...facts },
        "candidate",
        Retention.warrant("register"),
      )
      assert.deepStrictEqual(paths((yield* through(wait)).gone.purged), [".dandori/features/free.parquet"])
    }))

  test("does not keep anything because it has told of it: no digest stands in its outputs", ({ root, wait }) =>
    Effect.gen(function* () {
      Place.partition(root, old, "old bars")
      const marked = yield* Place.pass("marks")
      yield* Project.writeRun(Project.runId(1), PurgePlace.says(marked, "data"))
      wait(3)
      const dry = purgeType.dryRun?.({ reason: "old" }) ?? Effect.succeed("")
      const text = yield* dry.pipe(Effect.provide(Stage.attempt("dry")))
      const gone = yield* Place.pass("purges")
      assert.deepStrictEqual(paths(gone.purged), [old])
      assert.notMatch(`${JSON.stringify([marked, gone])}${text}`, /[0-9a-f]{64}/)
    }))

  test("keeps what a run names by its path that has not ended", ({ root, wait }) =>
    Effect.gen(function* () {
      Place.put(root, "raw files/a.csv", "raw")
      yield* Place.pass("marks")
      const run = Project.runId(1)
      const started = {
        type: "dev.dandori.attempt.started.v1",
        data: { task: "dq", attempt: 1, input: { path: "raw files/a.csv" } },
      } as const
      yield* Project.writeRun(run, [started], { open: true })
      wait(3)
      assert.deepStrictEqual((yield* Place.pass("names")).purged, [])
      assert.isTrue(isThere(root, "raw files/a.csv"))
    }))

  test("keeps a snapshot that is held, and begins its grace anew when the hold is over", ({ root, wait }) =>
    Effect.gen(function* () {
      Place.put(root, ".dandori/snapshots/held/a", "a")
      Place.put(root, ".dandori/snapshots/free/a", "b")
      yield* Place.pass("marks")
      yield* Retention.addHold("h1", "snapshot/held")
      wait(3)
      const { kept, purged } = yield* Place.pass("purges")
      assert.deepStrictEqual([paths(purged), kept], [[".dandori/snapshots/free"], 1])
      wait(10)
      yield* (yield* Holds).release("h1", { who: "bob", reason: "the case is closed" })
      assert.deepStrictEqual(paths((yield* Place.pass("anew")).due), [".dandori/snapshots/held"])
      wait(3)
      assert.deepStrictEqual(paths((yield* Place.pass("goes")).purged), [".dandori/snapshots/held"])
    }))

  test("lets nothing go while the holds cannot be read, and keeps its marks", ({ root, wait }) =>
    Effect.gen(function* () {
      Place.partition(root, old, "old bars")
      yield* Place.pass("marks")
      wait(3)
      const rename = (from: string, to: string) =>
        Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(`ALTER TABLE ${from} RENAME TO ${to}`)).pipe(
          Effect.provide(Sqlite.layer({ path: join(root, ".dandori/state.db") })),
        )
      yield* rename("holds", "taken_away")
      const { doubt, due, purged } = yield* Place.pass("cannot")
      assert.match(doubt ?? "", /counts as everything held/)
      assert.deepStrictEqual([due, purged], [[], []])
      yield* rename("taken_away", "holds")
      assert.deepStrictEqual(paths((yield* Place.pass("can")).purged), [old])
    }))

  test(
    "lets nothing go while the ledger may not be all that names it",
    ({ root, wait }) =>
      Effect.gen(function* () {
        Place.partition(root, old, "old bars")
        assert.strictEqual((yield* Place.pass("empty")).doubt, "the ledger is empty")
        yield* Project.writeRun(Project.runId(1), [])
        yield* Place.pass("marks")
        wait(3)
        const foreign = join(root, ".dandori/logs", Project.runId(7))
        Fs.mkdirSync(foreign, { recursive: true })
        const { doubt, purged } = yield* Place.pass("foreign")
        assert.match(doubt ?? "", /is of a run that this ledger does not know/)
        assert.deepStrictEqual(purged, [])
        Fs.rmdirSync(foreign)
        assert.deepStrictEqual(paths((yield* Place.pass("known")).purged), [old])
      }),
    undefined,
    [],
  )

  test("leaves what something has come to while it was digested", ({ root }) =>
    Effect.gen(function* () {
      Place.put(root, ".dandori/snapshots/s1/a", "a")
      Place.put(root, ".dandori/snapshots/s1/b", "b")
      const unit: DataUnits.Unit = {
        class: "snapshots",
        path: join(root, ".dandori/snapshots/s1"),
        root: join(root, ".dandori/snapshots"),
      }
      const seen = yield* Effect.flatMap(DataUnits.look(unit), (looked) => DataUnits.digest(unit, looked))
      const meanwhile = (change: () => void) =>
        DataRemoval.removeOne(
          unit,
          seen,
          Effect.sync(() => {
            change()
            return undefined
          }),
        )
      const add = meanwhile(() => Place.put(root, ".dandori/snapshots/s1/c", "c"))
      assert.strictEqual(yield* add, "it was put again, or changed, since it was judged")
      assert.strictEqual(yield* add, "it was put again, or changed, since it was judged")
      assert.deepStrictEqual(Place.below(root, ".dandori/snapshots/s1"), ["a", "b", "c"])
      Fs.rmSync(join(root, ".dandori/snapshots/s1/c"))
      assert.isUndefined(yield* meanwhile(() => {}))
      assert.deepStrictEqual(Place.below(root, ".dandori/snapshots"), [])
    }))

  test("goes on where a folder cannot be looked into, and says of a whole lot no more than it can", ({ root, wait }) =>
    Effect.gen(function* () {
      Place.put(root, "raw files/closed/a.csv", "a")
      for (let n = 0; n < 5_010; n++) Place.put(root, `raw files/many/${n}.csv`, "same")
      Fs.chmodSync(join(root, "raw files/closed"), 0o000)
      const isClosed = yield* Effect.isFailure(Effect.try(() => Fs.readdirSync(join(root, "raw files/closed"))))
      const { gone } = yield* through(wait)
      if (isClosed) Fs.chmodSync(join(root, "raw files/closed"), 0o755)
      assert.lengthOf(gone.purged, 5_000)
      assert.strictEqual(gone.unlisted, isClosed ? 10 : 11)
      assert.deepStrictEqual(Place.below(root, "raw files"), isClosed ? ["closed", "closed/a.csv"] : [])
      const second = yield* Place.pass("through purges")
      assert.strictEqual(second.bytes, gone.bytes)
    }))

  test("tells of no removal by an earlier attempt where a root is not there", ({ root, wait }) =>
    Effect.gen(function* () {
      Place.put(root, "raw files/a.csv", "a")
      assert.lengthOf((yield* through(wait)).gone.purged, 1)
      Fs.rmdirSync(join(root, "raw files"))
      assert.deepStrictEqual((yield* Place.pass("through purges")).purged, [])
    }))

  test("begins the grace anew where its marks are damaged or missing, and for other bytes", ({ root, wait }) =>
    Effect.gen(function* () {
      const marks = join(root, ".dandori/retention/due.json")
      Place.put(root, "raw files/a.csv", "one")
      yield* Place.pass("marks")
      for (const spoil of [
        () => Fs.writeFileSync(marks, "{"),
        () => Fs.rmSync(marks),
        () => Place.put(root, "raw files/a.csv", "two"),
      ]) {
        wait(3)
        spoil()
        const { due, purged } = yield* Place.pass(`anew ${String(spoil)}`)
        assert.deepStrictEqual([paths(due), purged], [["raw files/a.csv"], []])
      }
      wait(3)
      assert.deepStrictEqual(paths((yield* Place.pass("goes")).purged), ["raw files/a.csv"])
    }))
})
