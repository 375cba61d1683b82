import { connect, createServer } from "node:net"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Postgres from "../../src/services/postgres.ts"
import * as Session from "../../src/services/postgres-session.ts"
import * as CutProxy from "../support/cut-proxy.ts"
import * as Databases from "../support/servers/databases.ts"
import * as Servers from "../support/servers/scoped.ts"

/** A place that takes connections and does with each what it is told; counts them. */
const listener = (answer: "close" | "silence") =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly taken: () => number; readonly close: () => void }>((resume) => {
      let taken = 0
      const server = createServer((socket) => {
        taken++
        socket.on("error", () => {})
        if (answer === "close") socket.destroy()
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ port, taken: () => taken, close: () => void server.close() }))
      })
    }),
    ({ close }) => Effect.sync(close),
  )

describe("a session at PostgreSQL", () => {
  layer(Databases.layer, { excludeTestServices: true })((test) => {
    /** Uses a database for which the server has other settings than PostgreSQL's own. */
    const withSettings = <A, E, R>(
      settings: ReadonlyArray<string>,
      use: (sql: SqlClient, url: string) => Effect.Effect<A, E, R>,
      changes: Partial<Postgres.PostgresOptions> = {},
    ) =>
      Effect.scoped(
        Effect.gen(function* () {
          const url = yield* Effect.flatMap(Databases.Databases, ({ make }) => make)
          const admin = yield* Postgres.open(Databases.options(url))
          const name = new URL(url).pathname.slice(1)
          for (const setting of settings) yield* admin`ALTER DATABASE ${admin(name)} SET ${admin.literal(setting)}`
          return yield* use(yield* Postgres.open({ ...Databases.options(url), ...changes }), url)
        }),
      )

    test.effect("reads times as they are, whatever the database shows them like", () =>
      Effect.forEach(
        ["datestyle = 'German, DMY'", "datestyle = 'SQL, DMY'", "datestyle = 'Postgres'", "timezone = 'Asia/Kolkata'"],
        (setting) =>
          withSettings([setting], (sql) =>
            Effect.gen(function* () {
              const read = yield* sql`SELECT '2026-11-02T03:04:05.678Z'::timestamptz`.values
              assert.deepStrictEqual(read, [["2026-11-02T03:04:05.678Z"]], setting)
            }),
          ),
      ),
    )

    test.effect("flushes what it commits, and sees what others committed before each statement", () =>
      withSettings(["synchronous_commit = off", "default_transaction_isolation = 'serializable'"], (sql) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* sql`SHOW synchronous_commit`.values, [["on"]])
          assert.deepStrictEqual(yield* sql.withTransaction(sql`SHOW transaction_isolation`.values), [
            ["read committed"],
          ])
        }),
      ),
    )

    test.effect("leaves a stricter flush as it is", () =>
      withSettings(["synchronous_commit = remote_apply"], (sql) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* sql`SHOW synchronous_commit`.values, [["remote_apply"]])
        }),
      ),
    )

    test.effect("is ended by the server when it leaves a transaction open, so that its locks hold nobody up", () =>
      withSettings(
        [],
        (sql, url) =>
          Effect.gen(function* () {
            const other = yield* Postgres.open(Databases.options(url))
            const lost = yield* Effect.flip(
              sql.withTransaction(
                Effect.gen(function* () {
                  yield* sql`SELECT pg_advisory_xact_lock(7)`
                  yield* Effect.orDie(other`SELECT pg_advisory_lock(7)`)
                  return yield* sql`SELECT 1`
                }),
              ),
            )
            assert.isTrue(lost.isRetryable, lost.message)
            assert.deepStrictEqual(yield* sql`SELECT 1`.values, [[1]])
          }),
        { statementTimeoutMillis: 200 },
      ),
    )

    test.effect("refuses a database whose encoding cannot hold every text, at once", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const url = yield* Effect.flatMap(Databases.Databases, ({ make }) => make)
          const admin = yield* Postgres.open(Databases.options(url))
          const name = `latin_${crypto.randomUUID().slice(0, 8)}`
          yield* Effect.acquireRelease(
            admin`CREATE DATABASE ${admin(name)} ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'`,
            () => Effect.orDie(admin`DROP DATABASE ${admin(name)} WITH (FORCE)`),
          )
          const elsewhere = new URL(url)
          elsewhere.pathname = `/${name}`
          const refused = yield* Effect.flip(
            Effect.scoped(Effect.flatMap(Postgres.open(Databases.options(elsewhere.href)), (sql) => sql`SELECT 1`)),
          )
          assert.match(refused.message, /encoding is LATIN1.*make it with ENCODING 'UTF8'/)
          assert.isFalse(refused.isRetryable)
        }),
      ),
    )
  })

  it("is refused where a pooler leaves out what it is begun with", () => {
    const error = Session.problem("host:1/db", [["UTF8", false, ""]])
    assert.match(error?.message ?? "", /host:1\/db: a pooler on the way .*; name the server itself in the dsn/)
    assert.isUndefined(Session.problem("host:1/db", [["UTF8", true, ""]]))
  })

  it.live("gives a statement up that it cannot have cancelled, since nobody listens any more", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const url = new URL(yield* Servers.postgresUrl)
        const port = Number(url.port)
        const door = createServer((client) => {
          const server = connect({ host: "127.0.0.1", port })
          for (const socket of [client, server]) socket.on("error", () => {})
          client.on("data", (bytes) => void server.write(bytes))
          server.on("data", (bytes) => void client.write(bytes))
        })
        yield* Effect.callback<void>((resume) => void door.listen(0, "127.0.0.1", () => resume(Effect.void)))
        const address = door.address()
        const other = yield* Postgres.open(Databases.options(url.href))
        url.port = String(typeof address === "object" && address !== null ? address.port : 0)
        const sql = yield* Postgres.open(Databases.options(url.href))
        const [[pid]] = yield* sql`SELECT pg_backend_pid()`.values
        const fiber = yield* Effect.forkChild(sql`SELECT pg_sleep(6002)`)
        const running = other`SELECT 1 FROM pg_stat_activity WHERE pid = ${pid} AND query LIKE '%sleep(6002)%'`
        yield* Effect.repeat(running, { until: (rows) => rows.length === 1 })
        door.close()
        yield* Fiber.interrupt(fiber)
        const error = yield* Effect.flip(sql`SELECT 1`)
        assert.match(error.message, /ECONNREFUSED/)
        yield* other`SELECT pg_terminate_backend(${pid})`
      }),
    ),
  )

  it.live.each(["RELEASE SAVEPOINT", "ROLLBACK TO", "COMMIT"])(
    "fails, and has no defect, where it is lost at %s",
    (word) =>
      Effect.scoped(
        Effect.gen(function* () {
          const url = new URL(yield* Servers.postgresUrl)
          const proxy = yield* CutProxy.make(Number(url.port))
          url.port = String(proxy.port)
          const sql = yield* Postgres.open(Databases.options(url.href))
          yield* sql`SELECT 1`
          proxy.cutAt(word, "before")
          const inner = sql.withTransaction(
            word === "ROLLBACK TO" ? Effect.flip(sql`wrong`).pipe(Effect.flip) : sql`SELECT 1`,
          )
          const error = yield* Effect.flip(sql.withTransaction(Effect.andThen(Effect.ignore(inner), sql`SELECT 2`)))
          assert.isTrue(error.isRetryable)
          assert.deepStrictEqual(yield* sql`SELECT 1`.values, [[1]])
        }),
      ),
  )

  it.live("does not hammer a place that closes each connection", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { port, taken } = yield* listener("close")
        const options = { ...Databases.options(`postgres://u@127.0.0.1:${port}/db`), timeoutMillis: 1_000 }
        const sql = yield* Postgres.open(options)
        const error = yield* Effect.flip(sql`SELECT 1`)
        assert.strictEqual(error.reason._tag, "ConnectionError")
        assert.match(error.message, /closed the connection/)
        assert.strictEqual(taken(), 1)
      }),
    ),
  )

  it.live.each(["sslmode=disable", "sslmode=require"])(
    "waits no longer than its time for a place that says nothing (%s)",
    (mode) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { port } = yield* listener("silence")
          const url = `postgres://u@127.0.0.1:${port}/db?${mode}`
          const sql = yield* Postgres.open({ ...Databases.options(url), timeoutMillis: 300 })
          const begun = performance.now()
          const error = yield* Effect.flip(sql`SELECT 1`)
          assert.match(error.message, /the server does not answer; check that it runs/)
          assert.isBelow(performance.now() - begun, 3_000)
          const fiber = yield* Effect.forkChild(sql`SELECT 1`)
          yield* Effect.yieldNow
          yield* Fiber.interrupt(fiber)
        }),
      ),
  )
})
