import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as SqlClient from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import * as Hold from "../../src/domain/hold.ts"
import { Holds } from "../../src/services/holds.ts"
import * as HoldsSql from "../../src/services/holds-sql.ts"
import * as Postgres from "../../src/services/postgres.ts"
import * as Sqlite from "../../src/services/sqlite.ts"
import * as Databases from "../support/servers/databases.ts"

const server = ManagedRuntime.make(Databases.layer)
afterAll(() => server.dispose())

const inSqlite = Layer.suspend(() =>
  Sqlite.layer({ path: join(mkdtempSync(join(tmpdir(), "dandori-holds-")), "state.db") }),
)
const inPostgres = Layer.effect(
  SqlClient.SqlClient,
  Effect.gen(function* () {
    const { make } = yield* Effect.promise(() => server.runPromise(Databases.Databases))
    return yield* Postgres.open(Databases.options(yield* make))
  }),
)

/** The same on both databases, each time a new one. */
const test = <A, E>(name: string, body: Effect.Effect<A, E, Holds | SqlClient.SqlClient>) => {
  const on = (database: typeof inSqlite) => () => Effect.provide(body, Layer.provideMerge(HoldsSql.layer, database))
  it.effect(`${name} (SQLite)`, on(inSqlite))
  it.effect(`${name} (PostgreSQL)`, on(inPostgres))
}

const hold = (id: string, until: string | null = null) => ({
  id,
  subject: "model/v1",
  who: "ann",
  reason: "the regulator asks",
  until,
})

describe("the holds", () => {
  test(
    "are kept as they were added, oldest first, and the same id again changes nothing",
    Effect.gen(function* () {
      const holds = yield* Holds
      yield* TestClock.setTime(Date.UTC(2025, 4, 5))
      assert.deepStrictEqual(yield* holds.list, [])
      const first = yield* holds.add(hold("h2", "2026-01-01T00:00:00.000Z"))
      assert.strictEqual(first.added, "2025-05-05T00:00:00.000Z")
      yield* TestClock.adjust("1 hour")
      const second = yield* holds.add({ ...hold("h1"), subject: "run/0190a000-0000-7000-8000-000000000001" })
      assert.deepStrictEqual(yield* holds.add({ ...hold("h2"), reason: "another" }), first)
      assert.deepStrictEqual(yield* holds.list, [first, second])
    }),
  )

  test(
    "are released once, with who and why, and stay in the list",
    Effect.gen(function* () {
      const holds = yield* Holds
      yield* TestClock.setTime(Date.UTC(2025, 4, 5))
      yield* holds.add(hold("h1"))
      yield* TestClock.adjust("1 day")
      const released = yield* holds.release("h1", { who: "bob", reason: "the case is closed" })
      assert.deepInclude(released, {
        released: "2025-05-06T00:00:00.000Z",
        releasedBy: "bob",
        releaseReason: "the case is closed",
      })
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(yield* holds.release("h1", { who: "eve", reason: "me too" }), released)
      assert.deepStrictEqual(yield* holds.list, [released])
      const unknown = yield* Effect.flip(holds.release("h9", { who: "bob", reason: "x" }))
      assert.strictEqual(unknown._tag, "HoldUnknown")
      assert.match(unknown.message, /dandori hold list/)
    }),
  )

  test(
    "cannot be removed, changed, moved in time, or released again behind the registry's back",
    Effect.gen(function* () {
      const holds = yield* Holds
      const sql = yield* SqlClient.SqlClient
      yield* holds.add(hold("h1"))
      const before = yield* holds.list
      for (const statement of [
        "DELETE FROM holds",
        "UPDATE holds SET reason = 'none'",
        "UPDATE holds SET subject = 'model/v2'",
        "UPDATE holds SET until = added",
      ]) {
        assert.strictEqual((yield* Effect.flip(sql.unsafe(statement)))._tag, "SqlError", statement)
      }
      assert.deepStrictEqual(yield* holds.list, before)
      yield* holds.release("h1", { who: "bob", reason: "over" })
      assert.strictEqual((yield* Effect.flip(sql`UPDATE holds SET released_by = 'eve'`))._tag, "SqlError")
    }),
  )

  test(
    "say that they cannot be read where the table is gone or a row is no hold",
    Effect.gen(function* () {
      const holds = yield* Holds
      const sql = yield* SqlClient.SqlClient
      yield* holds.add(hold("h1"))
      yield* sql`INSERT INTO holds ${sql.insert({ ...hold("h2"), subject: "nothing", added: "2025-05-05T00:00:00.000Z" })}`
      const odd = yield* Effect.flip(holds.list)
      assert.strictEqual(odd._tag, "HoldsUnavailable")
      assert.match(odd.message, /counts as everything held/)
      yield* sql`ALTER TABLE holds RENAME TO taken_away`
      assert.strictEqual((yield* Effect.flip(holds.list))._tag, "HoldsUnavailable")
      assert.strictEqual((yield* Effect.flip(holds.add(hold("h3"))))._tag, "HoldsUnavailable")
    }),
  )

  it("hold until they are released or their time is over", () => {
    const open: Hold.Hold = {
      ...hold("h1"),
      added: "2025-05-05T00:00:00.000Z",
      released: null,
      releasedBy: null,
      releaseReason: null,
    }
    const at = Date.parse("2025-06-01T00:00:00.000Z")
    assert.isTrue(Hold.isActive(open, at))
    assert.isTrue(Hold.isActive({ ...open, until: "2025-06-01T00:00:00.001Z" }, at))
    assert.isFalse(Hold.isActive({ ...open, until: "2025-06-01T00:00:00.000Z" }, at))
    const released = { released: "2025-05-06T00:00:00.000Z", releasedBy: "bob", releaseReason: "over" }
    assert.isFalse(Hold.isActive({ ...open, ...released, until: "2027-01-01T00:00:00.000Z" }, at))
  })
})
