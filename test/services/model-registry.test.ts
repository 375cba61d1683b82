import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import * as Sha256 from "../../src/domain/sha256.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import * as Postgres from "../../src/services/postgres.ts"
import * as Sqlite from "../../src/services/sqlite.ts"
import * as Databases from "../support/servers/databases.ts"
import { approve, deploy, dropTrigger, how, message, model, other, slot, status, warrant } from "./registry-models.ts"

const server = ManagedRuntime.make(Databases.layer)
afterAll(() => server.dispose())

const inSqlite = Layer.suspend(() =>
  Sqlite.layer({ path: join(mkdtempSync(join(tmpdir(), "dandori-registry-")), "state.db") }),
)
const inPostgres = Layer.effect(
  SqlClient.SqlClient,
  Effect.gen(function* () {
    const { make } = yield* Effect.promise(() => server.runPromise(Databases.Databases))
    return yield* Postgres.open(Databases.options(yield* make))
  }),
)

/** The same on both databases, each time a new one. */
const test = <A, E>(name: string, body: Effect.Effect<A, E, ModelRegistry | SqlClient.SqlClient>) => {
  const on = (database: typeof inSqlite) => () => Effect.provide(body, Layer.provideMerge(RegistrySql.layer, database))
  it.effect(`${name} (SQLite)`, on(inSqlite))
  it.effect(`${name} (PostgreSQL)`, on(inPostgres))
}

describe("ModelRegistry.register", () => {
  test(
    "keeps the whole row, theta and its history included",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* registry.register(model("v1"), "draft", warrant("trained"))
      const row = Option.getOrThrow(yield* registry.find("v1"))
      assert.deepStrictEqual(row, {
        ...model("v1"),
        status: "draft",
        reason: "trained",
        registered: "1970-01-01T00:00:00.000Z",
        changed: "1970-01-01T00:00:00.000Z",
      })
    }),
  )

  test(
    "does nothing for the same bytes again and refuses other bytes",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* registry.register(model("v1"), "candidate", warrant("trained"))
      yield* registry.register(model("v1"), "candidate", warrant("trained again"))
      const error = yield* Effect.flip(
        registry.register(model("v1", { digest: Sha256.of("x") }), "candidate", warrant("y")),
      )
      assert.strictEqual(error._tag, "VersionConflict")
      assert.strictEqual((yield* registry.histories).events.length, 1)
    }),
  )

  test(
    "refuses a change without a reason",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      const error = yield* Effect.flip(registry.register(model("v1"), "candidate", warrant("  ")))
      assert.strictEqual(error._tag, "ReasonMissing")
      assert.deepStrictEqual(yield* registry.list(), [])
    }),
  )
})

describe("ModelRegistry.transition", () => {
  test(
    "refuses what the diagram does not show and names what may follow",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* registry.register(model("v1"), "candidate", warrant("trained"))
      const skipped = yield* Effect.flip(registry.deploy("v1", how, warrant("now")))
      assert.strictEqual(skipped._tag, "TransitionRefused")
      assert.include(skipped.message, "may become approved or rejected")
      yield* registry.transition("v1", "rejected", warrant("bad"))
      const back = yield* Effect.flip(registry.transition("v1", "approved", warrant("again")))
      assert.strictEqual(back._tag, "TransitionRefused")
      assert.strictEqual(yield* status("v1"), "rejected")
    }),
  )

  test(
    "knows no version that was not registered",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      assert.strictEqual((yield* Effect.flip(registry.deploy("v9", how, warrant("x"))))._tag, "VersionUnknown")
      assert.strictEqual((yield* Effect.flip(registry.show("v9")))._tag, "VersionUnknown")
    }),
  )

  test(
    "leaves the slot without champion, on record, when its deployed version is taken out",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* deploy("v1")
      yield* registry.transition("v1", "rolled_back", warrant("wrong signals"))
      assert.isTrue(Option.isNone(yield* registry.champion(slot)))
      const last = (yield* registry.history(slot)).at(-1)
      assert.deepInclude(last, { version: null, from: "v1", reason: "wrong signals" })
    }),
  )
})

describe("ModelRegistry.deploy", () => {
  test(
    "moves the alias, demotes the one before and writes the outbox, together",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* deploy("v1")
      yield* approve("v2")
      const move = yield* registry.deploy("v2", { ...how, outbox: [message] }, warrant("better"))
      assert.deepInclude(move, { slot: "EURUSD-GBPUSD/1h", alias: "champion", version: "v2", from: "v1" })
      assert.deepStrictEqual([yield* status("v1"), yield* status("v2")], ["archived", "deployed"])
      assert.strictEqual(Option.getOrThrow(yield* registry.champion(slot)).version, "v2")
      const pending = yield* registry.pendingOutbox(10)
      assert.deepStrictEqual(
        pending.map(({ kind, payload }) => ({ kind, payload })),
        [message],
      )
      yield* registry.markDelivered(pending.map(({ id }) => id))
      assert.deepStrictEqual(yield* registry.pendingOutbox(10), [])
    }),
  )

  test(
    "rolls back to an archived version and marks the one that failed",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* deploy("v1")
      yield* deploy("v2")
      yield* registry.deploy("v1", { ...how, previousBecomes: "rolled_back" }, warrant("v2 loses money"))
      assert.deepStrictEqual([yield* status("v1"), yield* status("v2")], ["deployed", "rolled_back"])
      const again = yield* Effect.flip(registry.deploy("v2", how, warrant("again")))
      assert.strictEqual(again._tag, "TransitionRefused")
    }),
  )

  test(
    "keeps the slots apart",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* deploy("v1")
      yield* deploy("v2", { slot: other })
      assert.deepStrictEqual(
        (yield* registry.list({ status: "deployed" })).map(({ version }) => version),
        ["v2", "v1"],
      )
      assert.deepStrictEqual(
        (yield* registry.list({ slot: other })).map(({ version }) => version),
        ["v2"],
      )
    }),
  )

  test(
    "is undone with everything else of its transaction",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* deploy("v1")
      const before = yield* registry.histories
      const changes = Effect.andThen(deploy("v2"), Effect.fail("stop" as const))
      assert.strictEqual(yield* Effect.flip(registry.atomically(changes)), "stop")
      assert.deepStrictEqual(yield* registry.histories, before)
      assert.isTrue(Option.isNone(yield* registry.find("v2")))
      assert.strictEqual(yield* status("v1"), "deployed")
    }),
  )
})

describe("the registry's tables", () => {
  test(
    "hold at most one deployed version per slot, whoever writes",
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* deploy("v1")
      yield* approve("v2")
      const error = yield* Effect.flip(sql`UPDATE model_registry SET status = 'deployed' WHERE version = 'v2'`)
      assert.strictEqual(error.reason._tag, "UniqueViolation")
    }),
  )

  test(
    "refuse every edit of a history and of a registered version's facts",
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* deploy("v1")
      const attempts = [
        "UPDATE alias_history SET who = 'eve'",
        "DELETE FROM alias_history",
        "UPDATE model_registry_events SET reason = 'x'",
        "DELETE FROM model_registry_events",
        "DELETE FROM model_registry",
        "UPDATE model_registry SET digest = 'x'",
        "UPDATE model_registry SET theta = '{}'",
      ]
      const messages = yield* Effect.forEach(attempts, (statement) =>
        Effect.map(Effect.flip(sql.unsafe(statement)), (error) => error.message),
      )
      for (const text of messages) assert.match(text, /append-only|not deleted|only the status/)
    }),
  )

  test(
    "betray an edit, a deletion and a forged row even when the triggers are gone",
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const registry = yield* ModelRegistry
      yield* deploy("v1")
      yield* deploy("v2")
      assert.deepStrictEqual(yield* registry.verify, [])
      yield* dropTrigger("alias_history_no_update", "alias_history")
      yield* sql`UPDATE alias_history SET who = 'eve' WHERE sequence = 1`
      assert.deepStrictEqual(yield* registry.verify, [
        { history: "alias_history", sequence: 1, problem: "its contents are not what its hash says" },
      ])
      yield* sql`UPDATE alias_history SET who = 'ann' WHERE sequence = 1`
      yield* sql`UPDATE alias_history SET previous_hash = ${Sha256.of("x")} WHERE sequence = 2`
      assert.strictEqual((yield* registry.verify)[0].problem, "it does not name the row before it")
      yield* dropTrigger("model_registry_events_no_delete", "model_registry_events")
      yield* sql`DELETE FROM model_registry_events WHERE sequence IN (2, 3)`
      const missing = (yield* registry.verify).filter((found) => found.history === "model_registry_events")
      assert.deepStrictEqual(missing, [
        { history: "model_registry_events", sequence: 4, problem: "2 rows before it are missing" },
      ])
    }),
  )
})

describe("ModelRegistry.at", () => {
  test(
    "says who was champion at a minute, who moved it, and on which receipt",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      const time = (text: string) => Date.parse(`2025-05-0${text}Z`)
      yield* TestClock.setTime(time("4T12:00:00"))
      yield* deploy("v1")
      yield* TestClock.setTime(time("5T03:14:30"))
      yield* deploy("v2")
      assert.isTrue(Option.isNone(yield* registry.at(slot, time("4T11:59:59"))))
      const before = Option.getOrThrow(yield* registry.at(slot, time("5T03:14:00")))
      assert.deepInclude(before, { version: "v1", who: "ann", at: "2025-05-04T12:00:00.000Z", receipt: how.receipt })
      assert.strictEqual(Option.getOrThrow(yield* registry.at(slot, time("5T03:14:30"))).version, "v2")
      assert.isTrue(Option.isNone(yield* registry.at(other, time("6T00:00:00"))))
    }),
  )

  test(
    "never orders a later move before an earlier one, also when the clock goes back",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* TestClock.setTime(10_000)
      yield* deploy("v1")
      yield* TestClock.setTime(5_000)
      yield* deploy("v2")
      assert.strictEqual(Option.getOrThrow(yield* registry.at(slot, 10_000)).version, "v2")
      assert.deepStrictEqual(
        (yield* registry.history(slot)).map(({ at }) => at),
        ["1970-01-01T00:00:10.000Z", "1970-01-01T00:00:10.000Z"],
      )
    }),
  )
})

describe("ModelRegistry.show and doneBy", () => {
  test(
    "gather what happened to a version and what a task did",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* deploy("v1")
      yield* approve("v2")
      yield* registry.deploy("v2", how, warrant("better", "other key"))
      const shown = yield* registry.show("v1")
      assert.deepStrictEqual(
        shown.events.map(({ to }) => to),
        ["candidate", "approved", "deployed", "archived"],
      )
      assert.deepStrictEqual(
        shown.moves.map(({ version }) => version),
        ["v1", "v2"],
      )
      const done = yield* registry.doneBy("other key")
      assert.deepStrictEqual(
        done.events.map(({ version, to }) => `${version} ${to}`),
        ["v1 archived", "v2 deployed"],
      )
      assert.deepStrictEqual(
        done.moves.map(({ intent }) => intent),
        [Sha256.of("intent other key")],
      )
    }),
  )

  test(
    "writes what becomes of the files of a version, in order, once, and lets them go only from an archived one",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* TestClock.setTime(Date.UTC(2025, 4, 5))
      yield* registry.register(model("v1"), "candidate", warrant("new"))
      yield* registry.register(model("v2"), "candidate", warrant("new"))
      assert.isTrue(Option.isNone(yield* registry.filesOf("v1")))
      const early = yield* Effect.flip(registry.recordFiles("v1", "purging", 7, warrant("old", "p")))
      assert.strictEqual(early._tag, "FilesStateRefused")
      assert.match(early.message, /they are whole and cannot become purging/)
      yield* registry.recordFiles("v1", "due", 7, warrant("old", "m"))
      yield* registry.recordFiles("v1", "due", 7, warrant("old", "m2"))
      yield* registry.recordFiles("v1", "kept", 7, warrant("held", "m3"))
      yield* registry.recordFiles("v1", "due", 7, warrant("old", "m4"))
      const candidate = yield* Effect.flip(registry.recordFiles("v1", "purging", 7, warrant("old", "p")))
      assert.match(candidate.message, /it is candidate, and only the files of an archived version go/)
      yield* registry.transition("v1", "rejected", warrant("old"))
      yield* registry.transition("v1", "archived", warrant("old"))
      yield* registry.recordFiles("v1", "purging", 7, warrant("old", "p"))
      const deployed = yield* Effect.flip(registry.deploy("v1", how, warrant("back")))
      assert.strictEqual(deployed._tag, "FilesPurged")
      const late = yield* Effect.flip(registry.recordFiles("v1", "kept", 7, warrant("late")))
      assert.match(late.message, /they are purging and cannot become kept/)
      yield* registry.recordFiles("v1", "purged", 7, warrant("old", "p"))
      assert.strictEqual(
        (yield* Effect.flip(registry.recordFiles("v9", "due", 0, warrant("x"))))._tag,
        "VersionUnknown",
      )
      assert.strictEqual((yield* Effect.flip(registry.recordFiles("v2", "due", 0, warrant(" "))))._tag, "ReasonMissing")
      const { files } = yield* registry.show("v1")
      assert.deepStrictEqual(
        files.map(({ sequence, state }) => [sequence, state]),
        [
          [1, "due"],
          [2, "kept"],
          [3, "due"],
          [4, "purging"],
          [5, "purged"],
        ],
      )
      assert.deepInclude(files[0], { digest: model("v1").digest, bytes: 7, at: "2025-05-05T00:00:00.000Z" })
      assert.deepStrictEqual((yield* registry.doneBy("p")).files, files.slice(3))
      assert.deepStrictEqual((yield* registry.histories).files, files)
      assert.deepStrictEqual((yield* registry.show("v2")).files, [])
      assert.deepStrictEqual(yield* registry.verify, [])
      const sql = yield* SqlClient.SqlClient
      for (const statement of ["UPDATE model_files_events SET bytes = 0", "DELETE FROM model_files_events"]) {
        assert.strictEqual((yield* Effect.flip(sql.unsafe(statement)))._tag, "SqlError", statement)
      }
    }),
  )

  test(
    "sweeps the messages of the outbox that were delivered before a time, signals before one of their own, and no others",
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* TestClock.setTime(Date.UTC(2025, 4, 5))
      yield* registry.register(model("v1"), "candidate", warrant("new"))
      yield* registry.transition("v1", "approved", warrant("good"))
      yield* registry.deploy(
        "v1",
        { ...how, outbox: [message, message, { ...message, kind: "signal" }, message] },
        warrant("live"),
      )
      const [first, second, signal] = yield* registry.pendingOutbox(9)
      yield* registry.markDelivered([first.id, signal.id])
      yield* TestClock.adjust("1 day")
      yield* registry.markDelivered([second.id])
      const [begin, noon, year] = [Date.UTC(2025, 4, 5), Date.UTC(2025, 4, 5, 12), Date.UTC(2026, 4, 5)]
      assert.strictEqual(yield* registry.sweepOutbox({ signals: begin, others: begin }), 0)
      assert.strictEqual(yield* registry.sweepOutbox({ signals: begin, others: noon }), 1)
      assert.strictEqual(yield* registry.sweepOutbox({ signals: begin, others: year }), 1)
      assert.strictEqual(yield* registry.sweepOutbox({ signals: noon, others: begin }), 1)
      assert.strictEqual(yield* registry.sweepOutbox({ signals: year, others: year }), 0)
      assert.strictEqual((yield* registry.pendingOutbox(9)).length, 1)
    }),
  )
})
