import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import * as Postgres from "../../src/services/postgres.ts"
import * as Sqlite from "../../src/services/sqlite.ts"
import * as Server from "../support/servers/postgres.ts"
import * as Databases from "../support/servers/databases.ts"

const thousand = Array.from({ length: 1_000 }, (_, a) => a)

type Open = Effect.Effect<SqlClient, SqlError, Scope.Scope>

/** Opens clients of a new, empty database. */
class Place extends Context.Service<Place, { readonly open: Open }>()("test/Place") {}

const sqlite = Layer.sync(Place, () => {
  const folder = mkdtempSync(join(tmpdir(), "sql client "))
  let made = 0
  return { open: Effect.suspend(() => Sqlite.open({ path: join(folder, `${made++}.db`) })) }
})

const postgres = Layer.effect(
  Place,
  Effect.map(Databases.maker, (make) => ({
    open: Effect.flatMap(make, (url) => Postgres.open(Databases.options(url))),
  })),
)

describe.each([
  ["SQLite", sqlite],
  ["PostgreSQL", postgres],
] as const)("a client of %s", (_, place) => {
  layer(place, { excludeTestServices: true })((test) => {
    const withClient = <A, E>(use: (sql: SqlClient) => Effect.Effect<A, E, Scope.Scope>) =>
      Effect.scoped(
        Effect.flatMap(
          Effect.flatMap(Place, ({ open }) => open),
          use,
        ),
      )

    test.effect("gives rows by column name and as values, in the types that were put in", () =>
      withClient((sql) =>
        Effect.gen(function* () {
          yield* sql`CREATE TABLE t (a BIGINT PRIMARY KEY, b TEXT, c DOUBLE PRECISION)`
          yield* sql`INSERT INTO t ${sql.insert([
            { a: 1, b: "x 'quoted' \"so\"", c: 0.1 },
            { a: 9_007_199_254_740_991, b: null, c: null },
          ])}`
          const rows = yield* sql`SELECT a, b, c FROM t ORDER BY a`
          assert.deepStrictEqual(
            rows.map((row) => ({ ...row })),
            [
              { a: 1, b: "x 'quoted' \"so\"", c: 0.1 },
              { a: 9_007_199_254_740_991, b: null, c: null },
            ],
          )
          const values = yield* sql`SELECT a, b FROM t WHERE ${sql.in("a", [1, 2])}`.values
          assert.deepStrictEqual(
            values.map((row) => [...row]),
            [[1, "x 'quoted' \"so\""]],
          )
          assert.deepStrictEqual([...(yield* sql`UPDATE t SET b = 'y' WHERE a = 5`)], [])
        }),
      ),
    )

    test.effect("rolls a failed transaction back and keeps a successful one", () =>
      withClient((sql) =>
        Effect.gen(function* () {
          yield* sql`CREATE TABLE t (a INTEGER PRIMARY KEY)`
          yield* sql.withTransaction(sql`INSERT INTO t VALUES (1)`)
          const failed = yield* sql
            .withTransaction(Effect.andThen(sql`INSERT INTO t VALUES (2)`, Effect.fail("no" as const)))
            .pipe(Effect.flip)
          assert.strictEqual(failed, "no")
          assert.deepStrictEqual(yield* sql`SELECT a FROM t`.values, [[1]])
        }),
      ),
    )

    test.effect(
      "keeps what an inner transaction's failure does not undo, and shows changes to others at the end only",
      () =>
        withClient((sql) =>
          Effect.gen(function* () {
            yield* sql`CREATE TABLE t (a INTEGER PRIMARY KEY)`
            yield* sql.withTransaction(
              Effect.gen(function* () {
                yield* sql`INSERT INTO t VALUES (1)`
                yield* Effect.flip(sql.withTransaction(sql`INSERT INTO t VALUES (1)`))
                yield* Effect.flip(
                  sql.withTransaction(Effect.andThen(sql`INSERT INTO t VALUES (2)`, Effect.fail("no"))),
                )
                yield* sql.withTransaction(sql`INSERT INTO t VALUES (3)`)
              }),
            )
            assert.deepStrictEqual(yield* sql`SELECT a FROM t ORDER BY a`.values, [[1], [3]])
          }),
        ),
    )

    test.effect("names the constraint that a row violates, and goes on", () =>
      withClient((sql) =>
        Effect.gen(function* () {
          yield* sql`CREATE TABLE t (a INTEGER NOT NULL CHECK (a > 0), CONSTRAINT t_a UNIQUE (a))`
          yield* sql`INSERT INTO t VALUES (1)`
          const twice = yield* Effect.flip(sql`INSERT INTO t VALUES (1)`)
          assert.strictEqual(twice.reason._tag, "UniqueViolation")
          assert.match(twice.message, /t[._]a/)
          const low = yield* Effect.flip(sql`INSERT INTO t VALUES (-1)`)
          assert.strictEqual(low.reason._tag, "ConstraintError")
          const wrong = yield* Effect.flip(sql`SELECT nothing FROM t`)
          assert.isFalse(wrong.isRetryable)
          assert.match(wrong.message, /nothing/)
          assert.deepStrictEqual(yield* sql`SELECT a FROM t`.values, [[1]])
        }),
      ),
    )

    test.effect("streams rows, and can be left early", () =>
      withClient((sql) =>
        Effect.gen(function* () {
          yield* sql`CREATE TABLE t (a INTEGER)`
          yield* sql`INSERT INTO t ${sql.insert([{ a: 0 }, ...thousand.slice(1).map((a) => ({ a }))])}`
          const all = yield* Stream.runCollect(sql<{ a: number }>`SELECT a FROM t ORDER BY a`.stream)
          assert.deepStrictEqual(
            all.map(({ a }) => a),
            thousand,
          )
          const some = yield* Stream.runCollect(Stream.take(sql<{ a: number }>`SELECT a FROM t ORDER BY a`.stream, 3))
          assert.deepStrictEqual(
            some.map(({ a }) => a),
            [0, 1, 2],
          )
          assert.deepStrictEqual(yield* sql`SELECT count(*) AS n FROM t`.values, [[1_000]])
        }),
      ),
    )

    test.effect("runs the statements by which an interrupted fiber cleans up", () =>
      withClient((sql) =>
        Effect.gen(function* () {
          yield* sql`CREATE TABLE t (a INTEGER)`
          const begun = yield* Deferred.make<void>()
          const work = Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
          const clean = Effect.orDie(
            Effect.andThen(sql`INSERT INTO t VALUES (1)`, sql.withTransaction(sql`INSERT INTO t VALUES (2)`)),
          )
          const fiber = yield* Effect.forkChild(Effect.ensuring(work, clean))
          yield* Deferred.await(begun)
          yield* Fiber.interrupt(fiber)
          assert.deepStrictEqual(yield* sql`SELECT a FROM t ORDER BY a`.values, [[1], [2]])
        }),
      ),
    )

    test.effect("takes as many statements and transactions at once as there are", () =>
      withClient((sql) =>
        Effect.gen(function* () {
          yield* sql`CREATE TABLE t (a INTEGER)`
          yield* Effect.forEach(
            Array.from({ length: 100 }, (__, a) => a),
            (a) =>
              a % 2 === 0 ? sql`INSERT INTO t VALUES (${a})` : sql.withTransaction(sql`INSERT INTO t VALUES (${a})`),
            { concurrency: "unbounded", discard: true },
          )
          assert.deepStrictEqual(yield* sql`SELECT count(*) AS n, sum(a) AS s FROM t`.values, [[100, 4_950]])
        }),
      ),
    )

    test.effect("undoes a transaction that is interrupted, and works afterwards", () =>
      withClient((sql) =>
        Effect.gen(function* () {
          yield* sql`CREATE TABLE t (a INTEGER)`
          const begun = yield* Deferred.make<void>()
          const inside = Effect.andThen(
            sql`INSERT INTO t VALUES (1)`,
            Effect.andThen(Deferred.succeed(begun, undefined), Effect.never),
          )
          const fiber = yield* Effect.forkChild(sql.withTransaction(inside))
          yield* Deferred.await(begun)
          yield* Fiber.interrupt(fiber)
          yield* sql`INSERT INTO t VALUES (2)`
          assert.deepStrictEqual(yield* sql`SELECT a FROM t`.values, [[2]])
        }),
      ),
    )
  })
})

describe("a client of PostgreSQL", () => {
  layer(Databases.layer, { excludeTestServices: true })((test) => {
    const withClient = <A, E, R>(
      use: (sql: SqlClient, url: string) => Effect.Effect<A, E, R>,
      changes: Partial<Postgres.PostgresOptions> = {},
    ) =>
      Effect.scoped(
        Effect.gen(function* () {
          const url = yield* Effect.flatMap(Databases.Databases, ({ make }) => make)
          return yield* use(yield* Postgres.open({ ...Databases.options(url), ...changes }), url)
        }),
      )

    test.effect("gives times as ISO 8601 and JSON as the text that the server keeps", () =>
      withClient((sql) =>
        Effect.gen(function* () {
          yield* sql`CREATE TABLE t (at TIMESTAMPTZ, body JSONB, yes BOOLEAN, big NUMERIC)`
          yield* sql`INSERT INTO t ${sql.insert({ at: "2026-05-05T03:14:00.123Z", body: '{"a":[1,"x"]}', yes: true, big: "1e30" })}`
          const [row] = yield* sql`SELECT *, body->'a'->>1 AS x FROM t`
          assert.deepStrictEqual(
            { ...row },
            {
              at: "2026-05-05T03:14:00.123Z",
              body: '{"a": [1, "x"]}',
              yes: true,
              big: "1000000000000000000000000000000",
              x: "x",
            },
          )
        }),
      ),
    )

    test.effect("ends a statement that takes too long, and goes on", () =>
      withClient(
        (sql) =>
          Effect.gen(function* () {
            const slow = yield* Effect.flip(sql`SELECT pg_sleep(60)`)
            assert.strictEqual(slow.reason._tag, "StatementTimeoutError")
            assert.deepStrictEqual(yield* sql`SELECT 1`.values, [[1]])
          }),
        { statementTimeoutMillis: 50 },
      ),
    )

    test.effect("cancels a statement that is interrupted at the server", () =>
      withClient((sql, url) =>
        Effect.gen(function* () {
          const other = yield* Postgres.open(Databases.options(url))
          const running = other`SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%sleep(6001)%' AND pid <> pg_backend_pid()`
          const fiber = yield* Effect.forkChild(sql`SELECT pg_sleep(6001)`)
          yield* Effect.repeat(running, { until: (rows) => rows.length === 1 })
          yield* Fiber.interrupt(fiber)
          yield* Effect.repeat(running, { until: (rows) => rows.length === 0 })
          assert.deepStrictEqual(yield* sql`SELECT 1`.values, [[1]])
        }),
      ),
    )

    test.effect("fails a transaction whose connection is lost, runs nothing of it elsewhere, and connects anew", () =>
      withClient((sql, url) =>
        Effect.gen(function* () {
          const other = yield* Postgres.open(Databases.options(url))
          yield* sql`CREATE TABLE t (a INTEGER)`
          const exit = yield* Effect.exit(
            sql.withTransaction(
              Effect.gen(function* () {
                yield* sql`INSERT INTO t VALUES (1)`
                const [row] = yield* sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`
                yield* other`SELECT pg_terminate_backend(${row.pid}, 5000)`
                const lost = yield* Effect.flip(sql`INSERT INTO t VALUES (2)`)
                assert.strictEqual(lost.reason._tag, "ConnectionError")
                assert.isTrue(lost.isRetryable)
                yield* Effect.flip(sql`INSERT INTO t VALUES (3)`)
              }),
            ),
          )
          assert.isTrue(Exit.isFailure(exit))
          assert.deepStrictEqual(yield* sql`SELECT a FROM t`.values, [])
        }),
      ),
    )

    test.effect("gives a server up that does not answer, and connects anew", () =>
      withClient(
        (sql) =>
          Effect.gen(function* () {
            const hung = yield* Effect.flip(
              sql.withTransaction(
                Effect.gen(function* () {
                  const [{ pid }] = yield* sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`
                  yield* Effect.acquireRelease(
                    Effect.sync(() => process.kill(pid, "SIGSTOP")),
                    () => Effect.sync(() => process.kill(pid, "SIGCONT")),
                  )
                  return yield* sql`SELECT 1`
                }),
              ),
            )
            assert.match(hung.message, /the server does not answer any more/)
            assert.deepStrictEqual(yield* sql`SELECT 1`.values, [[1]])
          }),
        { statementTimeoutMillis: 100, timeoutMillis: 500 },
      ),
    )

    test.effect("says so when no connection becomes free, and gives each back", () =>
      withClient(
        (sql) =>
          Effect.gen(function* () {
            const held = yield* Effect.scoped(
              Effect.andThen(Effect.andThen(sql.reserve, sql.reserve), Effect.flip(sql`SELECT 1`)),
            )
            assert.match(held.message, /all 2 connections of the pool were in use for too long; raise pool.max/)
            assert.deepStrictEqual(yield* sql`SELECT 1`.values, [[1]])
          }),
        { pool: { min: 0, max: 2 }, timeoutMillis: 200 },
      ),
    )
  })

  it.live("speaks TLS as the dsn says, and refuses a certificate that it does not trust", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = mkdtempSync(join(tmpdir(), "tls "))
        const server = yield* Effect.acquireRelease(
          Effect.promise(() => Server.start(folder, { tls: true })),
          ({ stop }) => Effect.promise(() => stop("SIGINT")),
        )
        const certificate = encodeURIComponent(join(folder, "server.crt"))
        const ask = (parameters: string, host = "localhost") =>
          Effect.scoped(
            Effect.flatMap(
              Postgres.open(Databases.options(`postgres://dandori@${host}:${server.port}/postgres?${parameters}`)),
              (sql) => sql`SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`.values,
            ),
          )
        assert.deepStrictEqual(yield* ask("sslmode=disable"), [[false]])
        assert.deepStrictEqual(yield* ask("sslmode=require"), [[true]])
        assert.deepStrictEqual(yield* ask(`sslmode=verify-full&sslrootcert=${certificate}`), [[true]])
        assert.deepStrictEqual(yield* ask(`sslmode=verify-ca&sslrootcert=${certificate}`, "127.0.0.1"), [[true]])
        const stranger = yield* Effect.flip(ask("sslmode=verify-full"))
        assert.match(stranger.message, /certificate/)
        const elsewhere = yield* Effect.flip(ask(`sslmode=verify-full&sslrootcert=${certificate}`, "127.0.0.1"))
        assert.strictEqual(elsewhere.reason._tag, "ConnectionError")
        const lacking = yield* Effect.flip(ask("sslmode=verify-full&sslrootcert=/nowhere.crt"))
        assert.match(lacking.message, /nowhere.crt/)
      }),
    ),
  )

  it.live.each([
    [
      "nobody listens",
      "postgres://u:s3cret@127.0.0.1:1/db",
      /127\.0\.0\.1:1\/db: .*; start the server, or correct host and port/,
    ],
    ["it is of another kind", "mysql://u:s3cret@127.0.0.1/db", /the dsn is not postgres:\/\/user/],
    ["its port is none", "postgres://u:s3cret@127.0.0.1:port/db", /the dsn is not postgres:\/\/user/],
    ["its password is not encoded", "postgres://u:s3cret%zz@127.0.0.1/db", /not percent-encoded/],
    ["it has an unknown word", "postgres://u:s3cret@127.0.0.1/db?sslmod=x", /the parameter sslmod, which is not known/],
    ["its sslmode is none", "postgres://u:s3cret@127.0.0.1/db?sslmode=maybe", /sslmode is maybe; use disable, require/],
  ] as const)("says in one line what is wrong with a dsn when %s, and shows no password", ([, url, expected]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(Effect.flatMap(Postgres.open(Databases.options(url)), (sql) => sql`SELECT 1`)),
      )
      assert.match(error.message, expected)
      assert.notInclude(JSON.stringify(error) + error.message + String(error.reason.cause), "s3cret")
    }),
  )
})
