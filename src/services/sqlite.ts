import { mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Database, SQLQueryBindings } from "bun:sqlite"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { Workspace } from "./workspace.ts"

/** How a database file is opened. */
export interface SqliteOptions {
  /** Absolute path; the folder is made when it is missing. */
  readonly path: string
  /** How long a statement waits for another process's lock, milliseconds; Infinity: for ever. Default 30 s. */
  readonly patienceMillis?: number
}

/** An open file. */
interface Opened {
  readonly database: Database
  readonly connection: Connection
}

const damaged =
  "it is damaged; move it away, with its -wal and -shm, and put back the one of a snapshot: what it alone knows is the model registry"

/** What to do about an error of SQLite, by its code (https://www.sqlite.org/rescode.html). */
const advice: Readonly<Record<string, string>> = {
  SQLITE_NOTADB: damaged,
  SQLITE_CORRUPT: damaged,
  SQLITE_CANTOPEN: "check that it is a file in a folder where this user may write",
  SQLITE_READONLY: "it may not be written; give this user the right to it and its folder",
  SQLITE_FULL: "the disk is full; free some space",
  SQLITE_BUSY: "another program keeps it locked; find it (fuser) and end it",
}

const adviceFor = (cause: unknown): string => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  const known = Object.entries(advice).find(([name]) => code.startsWith(name))
  return known === undefined ? "" : `; ${known[1]}`
}

const failure = (operation: string, path: string) => (cause: unknown) =>
  new SqlError({
    reason: classifySqliteError(cause, {
      message: `${operation} ${path}: ${cause instanceof Error ? cause.message : String(cause)}${adviceFor(cause)}`,
      operation,
    }),
  })

/** A statement that was refused because of a lock did nothing, so it may be tried again. A stale snapshot may not. */
const isBusy = ({ reason }: SqlError): boolean => {
  if (reason._tag !== "LockTimeoutError") return false
  const code = reason.cause instanceof Error && "code" in reason.cause ? reason.cause.code : undefined
  return code !== "SQLITE_BUSY_SNAPSHOT" && code !== "SQLITE_LOCKED"
}

/** Waits for locks asynchronously (SQLite's own waiting would stop the event loop), at jittered intervals up to 50 ms. */
const patiently = <A>(statement: Effect.Effect<A, SqlError>, patience: number): Effect.Effect<A, SqlError> =>
  Effect.catchIf(statement, isBusy, () =>
    Effect.gen(function* () {
      const since = yield* Clock.monotonicTimeNanos
      for (let longest = 2; ; longest = Math.min(longest * 2, 50)) {
        yield* Effect.interruptible(Effect.sleep((yield* Random.next) * longest))
        const late = Number((yield* Clock.monotonicTimeNanos) - since) >= patience * 1e6
        const result = yield* Effect.result(statement)
        if (result._tag === "Success") return result.success
        if (late || !isBusy(result.failure)) return yield* result.failure
      }
    }),
  )

const connect = (database: Database, path: string, patience: number): Connection => {
  const run = <A>(operation: string, use: () => A) =>
    patiently(Effect.try({ try: use, catch: failure(operation, path) }), patience)
  const bindings = (params: ReadonlyArray<unknown>) => params as Array<SQLQueryBindings>
  const all = (sql: string, params: ReadonlyArray<unknown>) =>
    run("query", () => database.query<Record<string, unknown>, Array<SQLQueryBindings>>(sql).all(...bindings(params)))
  const values = (sql: string, params: ReadonlyArray<unknown>) =>
    run("query", () => database.query(sql).values(...bindings(params)) ?? [])
  const execute: Connection["execute"] = (sql, params, transformRows) =>
    transformRows === undefined ? all(sql, params) : Effect.map(all(sql, params), transformRows)
  return {
    execute,
    executeRaw: all,
    executeStream: (sql, params, transformRows) => Stream.fromIterableEffect(execute(sql, params, transformRows)),
    executeValues: values,
    executeValuesUnprepared: values,
    executeUnprepared: execute,
  }
}

/** Opens the file, write-ahead log on, every commit flushed, foreign keys on; closes it with the scope. */
const openFile = (options: SqliteOptions): Effect.Effect<Opened, SqlError, Scope.Scope> =>
  Effect.gen(function* () {
    const { path } = options
    const sqlite = yield* Effect.promise(() => import("bun:sqlite"))
    const database = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          mkdirSync(dirname(path), { recursive: true })
          return new sqlite.Database(path, { create: true, readwrite: true })
        },
        catch: failure("open", path),
      }),
      (opened) => Effect.sync(() => opened.close()),
    )
    const connection = connect(database, path, options.patienceMillis ?? 30_000)
    for (const pragma of ["busy_timeout = 0", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"]) {
      yield* connection.execute(`PRAGMA ${pragma}`, [], undefined)
    }
    return { database, connection }
  })

/** A client whose file is opened by its first statement, and the opening alone. */
const make = Effect.fnUntraced(function* (options: SqliteOptions) {
  const scope = yield* Effect.scope
  let opened: Opened | undefined
  const turn = Semaphore.makeUnsafe(1)
  const ready = turn.withPermit(
    Effect.gen(function* () {
      if (opened !== undefined) return opened.connection
      const own = yield* Scope.fork(scope)
      opened = yield* Scope.provide(openFile(options), own).pipe(
        Effect.onError((cause) => Scope.close(own, Exit.failCause(cause))),
      )
      return opened.connection
    }),
  )
  const connection = Effect.suspend(() => (opened === undefined ? ready : Effect.succeed(opened.connection)))
  const client = yield* SqlClient.make({
    ...SqlClient.makeSqliteAcquirers({
      connection,
      semaphore: Semaphore.makeUnsafe(1),
      isTransaction: () => opened?.database.inTransaction === true,
    }),
    compiler: Statement.makeCompilerSqlite(),
    beginTransaction: "BEGIN IMMEDIATE",
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    prepareTransactionControls: true,
    driver: "sqlite-bun",
    spanAttributes: [["db.system.name", "sqlite"]],
  }).pipe(Effect.provide(Reactivity.layer))
  return { client, ready }
})

/**
 * Opens a SQLite file as effect/sql's client: write-ahead log, every commit flushed, foreign keys on. Several processes
 * may have it open. A transaction takes the write lock at its start. The file is closed with the scope.
 */
export const open = (options: SqliteOptions): Effect.Effect<SqlClient.SqlClient, SqlError, Scope.Scope> =>
  Effect.flatMap(make(options), ({ client, ready }) => Effect.as(ready, client))

/** The client of one file. */
export const layer = (options: SqliteOptions): Layer.Layer<SqlClient.SqlClient, SqlError> =>
  Layer.effect(SqlClient.SqlClient, open(options))

/**
 * The client of the project's state store, `<home>/state.db`. It is opened when it is first used, so that a file that cannot
 * be opened stops nobody who does not use it.
 */
export const layerState: Layer.Layer<SqlClient.SqlClient, never, Workspace> = Layer.effect(
  SqlClient.SqlClient,
  Effect.flatMap(Workspace, ({ home }) => Effect.map(make({ path: join(home, "state.db") }), ({ client }) => client)),
)
