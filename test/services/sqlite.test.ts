import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Database } from "bun:sqlite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { migrate } from "../../src/services/sql-migrations.ts"
import * as Sqlite from "../../src/services/sqlite.ts"

const path = () => join(mkdtempSync(join(tmpdir(), "dandori-sqlite-")), "inner", "state.db")
const scoped = <A, E>(use: Effect.Effect<A, E, Scope.Scope>) => Effect.scoped(use)

describe("Sqlite.open", () => {
  it.live("says what to do about a file that is none of its own", () =>
    scoped(
      Effect.gen(function* () {
        const folder = mkdtempSync(join(tmpdir(), "dandori-sqlite-"))
        writeFileSync(join(folder, "state.db"), "no database at all, but long enough to be taken for one".repeat(20))
        const broken = yield* Effect.flip(Sqlite.open({ path: join(folder, "state.db") }))
        assert.match(broken.message, /state\.db: file is not a database; it is damaged; move it away/)
        const away = yield* Effect.flip(Sqlite.open({ path: folder }))
        assert.match(away.message, /check that it is a file in a folder where this user may write/)
      }),
    ),
  )

  it.live("opens in write-ahead mode, with every commit flushed and no waiting inside SQLite", () =>
    scoped(
      Effect.gen(function* () {
        const sql = yield* Sqlite.open({ path: path() })
        assert.deepStrictEqual(yield* sql`PRAGMA journal_mode`, [{ journal_mode: "wal" }])
        assert.deepStrictEqual(yield* sql`PRAGMA busy_timeout`, [{ timeout: 0 }])
        assert.deepStrictEqual(yield* sql`PRAGMA synchronous`, [{ synchronous: 2 }])
      }),
    ),
  )

  it.live("rolls a failed transaction back and keeps a successful one", () =>
    scoped(
      Effect.gen(function* () {
        const sql = yield* Sqlite.open({ path: path() })
        yield* sql`CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT) STRICT`
        yield* sql.withTransaction(
          sql`INSERT INTO t ${sql.insert([
            { a: 1, b: "x" },
            { a: 2, b: "y" },
          ])}`,
        )
        const failed = yield* sql
          .withTransaction(sql`INSERT INTO t VALUES (3, 'z')`.pipe(Effect.andThen(Effect.fail("no" as const))))
          .pipe(Effect.flip)
        assert.strictEqual(failed, "no")
        assert.deepStrictEqual(yield* sql`SELECT a FROM t ORDER BY a`, [{ a: 1 }, { a: 2 }])
      }),
    ),
  )

  it.live("names the unique index that a row violates", () =>
    scoped(
      Effect.gen(function* () {
        const sql = yield* Sqlite.open({ path: path() })
        yield* sql`CREATE TABLE t (a INTEGER UNIQUE) STRICT`
        yield* sql`INSERT INTO t VALUES (1)`
        const error = yield* Effect.flip(sql`INSERT INTO t VALUES (1)`)
        assert.strictEqual(error.reason._tag, "UniqueViolation")
        assert.match(error.message, /t\.a/)
      }),
    ),
  )

  it.live.each([
    ["as long as it is told to", undefined],
    ["for ever", Number.POSITIVE_INFINITY],
  ] as const)(
    "waits %s for another connection's lock while the event loop goes on, then succeeds",
    ([, patienceMillis]) =>
      scoped(
        Effect.gen(function* () {
          const file = path()
          const sql = yield* Sqlite.open({ path: file, ...(patienceMillis === undefined ? {} : { patienceMillis }) })
          yield* sql`CREATE TABLE t (a INTEGER) STRICT`
          const other = yield* Effect.acquireRelease(
            Effect.sync(() => new Database(file)),
            (database) => Effect.sync(() => database.close()),
          )
          other.run("BEGIN IMMEDIATE")
          const waiting = yield* Effect.forkChild(sql.withTransaction(sql`INSERT INTO t VALUES (1)`))
          for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
          assert.isUndefined(waiting.pollUnsafe())
          other.run("COMMIT")
          yield* Fiber.join(waiting)
          assert.deepStrictEqual(yield* sql`SELECT a FROM t`, [{ a: 1 }])
        }),
      ),
  )

  it.live("gives up after its patience with an error that may be retried", () =>
    scoped(
      Effect.gen(function* () {
        const file = path()
        const sql = yield* Sqlite.open({ path: file, patienceMillis: 20 })
        const other = new Database(file)
        other.run("BEGIN IMMEDIATE")
        const error = yield* Effect.flip(sql.withTransaction(sql`CREATE TABLE t (a INTEGER)`))
        assert.strictEqual(error._tag, "SqlError")
        assert.isTrue(error.isRetryable)
        other.close()
      }),
    ),
  )

  it.live("can be interrupted while it waits for a lock, and works afterwards", () =>
    scoped(
      Effect.gen(function* () {
        const file = path()
        const sql = yield* Sqlite.open({ path: file })
        const other = new Database(file)
        other.run("BEGIN IMMEDIATE")
        const waiting = yield* Effect.forkChild(sql.withTransaction(sql`CREATE TABLE t (a INTEGER)`))
        for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
        yield* Fiber.interrupt(waiting)
        other.run("COMMIT")
        other.close()
        yield* sql.withTransaction(sql`CREATE TABLE u (a INTEGER)`)
        assert.deepStrictEqual(yield* sql`SELECT name FROM sqlite_master WHERE type = 'table'`, [{ name: "u" }])
      }),
    ),
  )

  it.live("loses no increment of four connections that write at the same time", () =>
    scoped(
      Effect.gen(function* () {
        const file = path()
        const clients = yield* Effect.all([1, 2, 3, 4].map(() => Sqlite.open({ path: file })))
        const [first] = clients
        yield* first`CREATE TABLE n (v INTEGER) STRICT`
        yield* first`INSERT INTO n VALUES (0)`
        const increment = (sql: (typeof clients)[number]) =>
          sql.withTransaction(
            Effect.gen(function* () {
              const [{ v }] = yield* sql<{ v: number }>`SELECT v FROM n`
              yield* Effect.yieldNow
              yield* sql`UPDATE n SET v = ${v + 1}`
            }),
          )
        yield* Effect.all(
          clients.map((sql) => Effect.repeat(increment(sql), { times: 9 })),
          { concurrency: "unbounded" },
        )
        assert.deepStrictEqual(yield* first`SELECT v FROM n`, [{ v: 40 }])
      }),
    ),
  )
})

describe("Sqlite.migrate", () => {
  const one = { name: "one", statements: ["CREATE TABLE a (x INTEGER) STRICT"] }
  const two = { name: "two", statements: ["ALTER TABLE a ADD COLUMN y TEXT", "INSERT INTO a VALUES (1, 'b')"] }

  it.live("runs each step once, also when two processes start together", () =>
    scoped(
      Effect.gen(function* () {
        const file = path()
        const clients = yield* Effect.all([Sqlite.open({ path: file }), Sqlite.open({ path: file })])
        yield* migrate(clients[0], "test", [one])
        yield* Effect.all(
          clients.map((sql) => migrate(sql, "test", [one, two])),
          { concurrency: 2 },
        )
        assert.deepStrictEqual(yield* clients[0]`SELECT * FROM a`, [{ x: 1, y: "b" }])
        assert.deepStrictEqual(yield* clients[0]`SELECT component, version, name FROM schema_version`, [
          { component: "test", version: 1, name: "one" },
          { component: "test", version: 2, name: "two" },
        ])
      }),
    ),
  )

  it.live("leaves nothing of a step that fails", () =>
    scoped(
      Effect.gen(function* () {
        const sql = yield* Sqlite.open({ path: path() })
        const bad = { name: "bad", statements: ["CREATE TABLE b (x INTEGER)", "INSERT INTO nowhere VALUES (1)"] }
        yield* Effect.flip(migrate(sql, "test", [one, bad]))
        assert.deepStrictEqual(yield* sql`SELECT name FROM sqlite_master WHERE name IN ('a', 'b')`, [])
      }),
    ),
  )

  it.live("refuses tables that a newer program has written", () =>
    scoped(
      Effect.gen(function* () {
        const sql = yield* Sqlite.open({ path: path() })
        yield* migrate(sql, "test", [one, two])
        const error = yield* Effect.flip(migrate(sql, "test", [one]))
        assert.strictEqual(error._tag, "SchemaTooNew")
        assert.include(error.message, "use a newer dandori")
      }),
    ),
  )
})
