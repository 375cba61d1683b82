import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import { AuthenticationError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import type { DatabaseSection } from "../domain/config/database.ts"
import { parseDuration } from "../domain/quantity.ts"
import * as Address from "./postgres-address.ts"
import * as Connection from "./postgres-connection.ts"
import * as Errors from "./postgres-errors.ts"
import { Secrets } from "./secrets.ts"

/** How a database is used. */
export interface PostgresOptions {
  /**
   * `postgres://user:password@host:port/database`, with `sslmode` and `sslrootcert` as libpq has them. Asked for at each
   * new connection, so that a password that was changed is taken up.
   */
  readonly url: Effect.Effect<Redacted.Redacted<string>, SqlError>
  /** Connections that are kept, and the most that are open. */
  readonly pool: { readonly min: number; readonly max: number }
  /** For connecting, for a free connection, and for what the server takes to answer beyond a statement's own time. */
  readonly timeoutMillis: number
  /** The server ends a statement after so long. */
  readonly statementTimeoutMillis: number
  /** What `pg_stat_activity` shows. */
  readonly applicationName: string
  /** Schemas in which names without one are looked up, after `core` and `audit`, which Dandori's own tables are in. */
  readonly searchPath: ReadonlyArray<string>
  /** A channel on which each connection listens. */
  readonly listen?: Connection.Listen
}

const idleMillis = 60_000

/** Makes what it is given interruptible, where what is around it may be interrupted. */
type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Connections that are lent, at most `max`. The driver's own `reserve()` is not used: released after its connection was
 * lost, it takes statements that never end. So each connection is a driver of one, and a lost one is never lent.
 */
const makePool = Effect.fnUntraced(function* (options: PostgresOptions) {
  const { max, min } = options.pool
  const room = Semaphore.makeUnsafe(max)
  const idle: Array<Connection.PostgresConnection> = []
  let count = 0
  let isClosed = false
  let place = "of the dsn"

  const discard = (connection: Connection.PostgresConnection) =>
    Effect.andThen(
      Effect.sync(() => count--),
      connection.close,
    )

  const connect = Effect.fnUntraced(
    function* (restore: Restore) {
      const kept = ++count <= min
      const address = yield* Effect.flatMap(options.url, Address.parse)
      place = address.place
      const { default: driver } = yield* Effect.promise(() => import("postgres"))
      const how: Connection.Options = {
        address,
        applicationName: options.applicationName,
        searchPath: [...new Set(["core", "audit", ...options.searchPath])],
        timeoutMillis: options.timeoutMillis,
        statementTimeoutMillis: options.statementTimeoutMillis,
        idleMillis: kept ? undefined : idleMillis,
        listen: options.listen,
      }
      return yield* Connection.open(driver, how, restore)
    },
    Effect.onError(() => Effect.sync(() => count--)),
  )

  const take = (restore: Restore): Effect.Effect<Connection.PostgresConnection, SqlError> =>
    Effect.suspend(() => {
      const connection = idle.pop()
      if (connection === undefined) return connect(restore)
      return connection.isLost() ? Effect.andThen(discard(connection), take(restore)) : Effect.succeed(connection)
    })

  const waiting = room.takeScoped(1).pipe(
    Effect.timeoutOrElse({
      duration: options.timeoutMillis,
      orElse: () =>
        Effect.fail(
          Errors.lost("connect", place, `all ${max} connections of the pool were in use for too long; raise pool.max`),
        ),
    }),
  )

  const give = (connection: Connection.PostgresConnection) =>
    Effect.suspend(() => {
      if (isClosed || connection.isLost()) return discard(connection)
      idle.push(connection)
      return Effect.void
    })

  // What must not be interrupted, as a finalizer, waits too: `restore` and not `interruptible`.
  const acquirer = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const own = yield* Scope.fork(yield* Effect.scope)
      return yield* restore(waiting).pipe(
        Effect.andThen(take(restore)),
        Effect.tap((connection) => Scope.addFinalizer(own, give(connection))),
        Scope.provide(own),
        Effect.onError(() => Scope.close(own, Exit.void)),
      )
    }),
  )

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      isClosed = true
      return Effect.forEach(idle.splice(0), discard, { discard: true, concurrency: "unbounded" })
    }),
  )
  return acquirer
})

/**
 * Opens a database of PostgreSQL as effect/sql's client. A statement that is interrupted is cancelled at the server. A
 * connection that is lost in a transaction fails the transaction; the next one connects anew. Connects when it is first
 * used.
 */
export const open = (options: PostgresOptions): Effect.Effect<SqlClient.SqlClient, never, Scope.Scope> =>
  Effect.gen(function* () {
    const acquirer = yield* makePool(options)
    return yield* SqlClient.make({
      acquirer,
      borrower: (use) => Effect.scoped(Effect.flatMap(acquirer, use)),
      isTransaction: (connection) => !(connection as Connection.PostgresConnection).isLost(),
      compiler: Statement.makeCompiler({
        dialect: "pg",
        placeholder: (index) => `$${index}`,
        onIdentifier: Statement.defaultEscape('"'),
        onRecordUpdate: (placeholders, alias, columns, values, returning) => [
          `(values ${placeholders}) AS ${alias}${columns}${returning === undefined ? "" : ` RETURNING ${returning[0]}`}`,
          returning === undefined ? values.flat() : [...values.flat(), ...returning[1]],
        ],
        onCustom: () => ["", []],
      }),
      releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
      driver: "postgres",
      spanAttributes: [["db.system.name", "postgresql"]],
    })
  }).pipe(Effect.provide(Reactivity.layer))

/** The client of one database. */
export const layer = (options: PostgresOptions): Layer.Layer<SqlClient.SqlClient> =>
  Layer.effect(SqlClient.SqlClient, open(options))

/** How the database is used that the configuration names; its dsn is looked up when it is first used. */
export const optionsOf = (section: DatabaseSection, secrets: Secrets["Service"]): PostgresOptions => ({
  url: Effect.mapError(
    secrets.resolve(section.dsn),
    (cause) =>
      new SqlError({ reason: new AuthenticationError({ cause, message: cause.message, operation: "connect" }) }),
  ),
  pool: section.pool,
  timeoutMillis: parseDuration(section.timeout) ?? 5_000,
  statementTimeoutMillis: parseDuration(section.statement_timeout) ?? 30_000,
  applicationName: "dandori",
  searchPath: section.search_path,
})

/** The client of the database that the configuration names. */
export const layerOf = (section: DatabaseSection): Layer.Layer<SqlClient.SqlClient, never, Secrets> =>
  Layer.effect(
    SqlClient.SqlClient,
    Effect.flatMap(Secrets, (secrets) => open(optionsOf(section, secrets))),
  )
