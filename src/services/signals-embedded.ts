import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { SqlClient } from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { MessagingSection } from "../domain/config/messaging.ts"
import * as OpsFlags from "../domain/ops-flags.ts"
import * as Service from "./signals.ts"
import { FlagsMoved, FlagsUnreadable, Signals, SignalsUnavailable } from "./signals.ts"
import * as Sqlite from "./sqlite.ts"
import { migrate, type Migration, type SchemaTooNew } from "./sql-migrations.ts"
import { Workspace } from "./workspace.ts"

const migrations: ReadonlyArray<Migration> = [
  {
    name: "flags and messages",
    statements: [
      `CREATE TABLE hashes (
         key TEXT NOT NULL,
         field TEXT NOT NULL,
         value TEXT NOT NULL,
         PRIMARY KEY (key, field)
       ) STRICT, WITHOUT ROWID`,
      `CREATE TABLE messages (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         channel TEXT NOT NULL,
         message TEXT NOT NULL
       ) STRICT`,
    ],
  },
]

/** How long a change waits for those of other processes, milliseconds. */
const patienceMillis = 5_000
/** How often one who listens looks for messages. */
const lookMillis = 50
/** So many messages are kept for those who listen. */
const kept = 10_000

const make = Effect.fnUntraced(function* (messaging: MessagingSection) {
  const path = join((yield* Workspace).home, "signals.db")
  const scope = yield* Effect.scope
  const opening = Semaphore.makeUnsafe(1)
  const key = messaging.keys.ops_flags
  let client: SqlClient | undefined

  const unavailable = (error: SqlError | SchemaTooNew, applied: "no" | "unknown") =>
    new SignalsUnavailable({
      where: `The signals of this project (${path})`,
      reason: error.message,
      applied,
      transient: isSqlError(error) && error.isRetryable,
    })

  const open = Effect.gen(function* () {
    const own = yield* Scope.fork(scope)
    return yield* Sqlite.open({ path, patienceMillis }).pipe(
      Effect.tap((sql) => migrate(sql, "signals", migrations)),
      Scope.provide(own),
      Effect.onError((cause) => Scope.close(own, Exit.failCause(cause))),
    )
  })

  /** The open file; it is made when it is first asked for. */
  const opened = opening
    .withPermit(
      Effect.suspend(() =>
        client !== undefined
          ? Effect.succeed(client)
          : Effect.tap(open, (sql) => Effect.sync(() => void (client = sql))),
      ),
    )
    .pipe(Effect.mapError((error) => unavailable(error, "no")))

  const reading = <A>(work: (sql: SqlClient) => Effect.Effect<A, SqlError>) =>
    Effect.flatMap(opened, (sql) => Effect.mapError(work(sql), (error) => unavailable(error, "no")))

  /** One transaction. Where a lock kept it from beginning nothing happened; a disk that fails may have kept it. */
  const writing = <A, E>(work: (sql: SqlClient) => Effect.Effect<A, E | SqlError>) =>
    Effect.flatMap(opened, (sql) =>
      Effect.mapError(sql.withTransaction(work(sql)), (error) =>
        isSqlError(error)
          ? unavailable(error, error.reason._tag === "LockTimeoutError" ? "no" : "unknown")
          : (error as Exclude<E, SqlError>),
      ),
    )

  const stored = (sql: SqlClient) =>
    Effect.map(
      sql<{ field: string; value: string }>`SELECT field, value FROM hashes WHERE key = ${key}`,
      (rows): OpsFlags.Stored => new Map(rows.map(({ field, value }) => [field, value])),
    )

  const tell = Effect.fnUntraced(function* (sql: SqlClient, channel: string, message: string) {
    yield* sql`INSERT INTO messages ${sql.insert({ channel, message })}`
    yield* sql`DELETE FROM messages WHERE id <= (SELECT max(id) FROM messages) - ${kept}`
  })

  const look = Effect.map(reading(stored), (found) => Service.seen(path, key, found))

  const change: Signals["Service"]["change"] = Effect.fn("Signals.change")(function* (asked, { reason, source }, seen) {
    return yield* writing((sql) =>
      Effect.gen(function* () {
        const found = yield* stored(sql)
        if (seen !== undefined && OpsFlags.digest(found) !== seen) {
          return yield* new FlagsMoved({ operation: asked.operation })
        }
        const updated_at = new Date(yield* Clock.currentTimeMillis).toISOString()
        const { changed, event, set } = yield* Effect.fromResult(
          OpsFlags.plan(found, asked, { updated_at, reason, source }),
        ).pipe(Effect.mapError((fault) => new FlagsUnreadable({ where: path, key, ...fault })))
        for (const [field, value] of Object.entries(set)) {
          yield* sql`INSERT INTO hashes ${sql.insert({ key, field, value })}
              ON CONFLICT (key, field) DO UPDATE SET value = excluded.value`
        }
        yield* tell(sql, messaging.channels.ops_events, event)
        return { ...Service.seen(path, key, yield* stored(sql)), changed, updated_at }
      }),
    )
  })

  const subscribe: Signals["Service"]["subscribe"] = Effect.fn("Signals.subscribe")(function* (channel) {
    const newest = reading((sql) => sql<{ id: number }>`SELECT coalesce(max(id), 0) AS id FROM messages`)
    let last = (yield* newest)[0].id
    const next = reading(
      (sql) => sql<{ id: number; message: string }>`
        SELECT id, message FROM messages WHERE id > ${last} AND channel = ${channel} ORDER BY id LIMIT 1000`,
    ).pipe(
      Effect.tap((rows) => (rows.length === 0 ? Effect.sleep(lookMillis) : Effect.void)),
      Effect.map((rows) => {
        last = rows.at(-1)?.id ?? last
        return rows.map(({ message }) => message)
      }),
    )
    return Stream.flattenIterable(Stream.fromEffectRepeat(next))
  })

  return Signals.of({
    look,
    mayAct: Service.mayAct(look),
    change,
    publish: (channel, message) => writing((sql) => tell(sql, channel, JSON.stringify(message))),
    subscribe,
  })
})

/** Signals between the processes of one machine, in `<home>/signals.db`, which is opened when something is asked of it. */
export const layer = (messaging: MessagingSection): Layer.Layer<Signals, never, Workspace> =>
  Layer.effect(Signals, make(messaging))
