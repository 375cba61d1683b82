import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as PostgresErrors from "../services/postgres-errors.ts"

/** Milliseconds between two looks whether the session that holds the locks is still there. */
const lookMillis = 1_000

/** How long a look and a release wait for an answer, milliseconds. */
const patienceMillis = 5_000

/** The number of a stream's advisory lock. */
const key = "hashtextextended('dandori ledger ' || $1, 0)"

/** Which of `pg_locks` is the one of the number `key`. */
const locked = `locktype = 'advisory' AND granted AND objsubid = 1
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid = ((key >> 32) & 4294967295)::oid AND objid = (key & 4294967295)::oid`

const refused = (why: string, code: string) =>
  PostgresErrors.failure("lock", "of the dsn", Object.assign(new Error(why), { code }))
/** Locks that last as long as a session do not hold there. */
const exchanged = refused("a pooler on the way exchanges the sessions of a connection", PostgresErrors.pooled)
/** Who could not write is not to wait for it. */
const readOnly = refused("a stream is to be written", PostgresErrors.readOnly)

/** A session that holds locks, or held them. `name` is its backend's number and when that began. */
interface Session {
  readonly name: string
  readonly connection: Connection
  readonly scope: Scope.Closeable
}

/** A lock that this process holds by a session, and whom to tell when another has it. */
interface Held {
  by: Session
  readonly lost: () => void
}

const whoAmI = "SELECT pg_backend_pid() || ' ' || backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
const holder = `SELECT pid || ' ' || backend_start FROM pg_stat_activity WHERE pid IN (
  SELECT pid FROM pg_locks, ${key} AS key WHERE ${locked})`
const end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid || ' ' || backend_start = $1"

/**
 * Locks of streams that last as long as a session of this process at the server: advisory locks, freed by the server when
 * the process ends. `session` has one connection, which is theirs; `sql` has others. A session that was lost is
 * made again with all its locks; who lost one to another process is told.
 */
export const make = Effect.fnUntraced(function* (session: SqlClient, sql: SqlClient) {
  const scope = yield* Effect.scope
  const turn = Semaphore.makeUnsafe(1)
  const held = new Map<string, Held>()
  /** Sessions that were lost: the server may not have noticed yet, and keep their locks. */
  const former = new Set<string>()
  let current: Session | undefined

  const leave = Effect.suspend(() => {
    const old = current
    current = undefined
    if (old === undefined) return Effect.void
    former.add(old.name)
    return Scope.close(old.scope, Exit.void)
  })

  const ask = (connection: Connection, text: string, params: ReadonlyArray<unknown>) =>
    Effect.map(connection.executeValues(text, params), ([row]) => row?.[0])
  const take = ({ connection }: Session, stream: string) =>
    Effect.map(ask(connection, `SELECT pg_try_advisory_lock(${key})`, [stream]), (taken) => taken === true)

  const connect = Effect.gen(function* () {
    const own = yield* Scope.fork(scope)
    return yield* Scope.provide(session.reserve, own).pipe(
      Effect.flatMap((connection) =>
        Effect.map(ask(connection, whoAmI, []), (name) => ({ name: String(name), connection, scope: own })),
      ),
      Effect.tap(({ name }) =>
        // Another connection is at another backend, unless a pooler lends one backend to all in turn.
        Effect.flatMap(sql`SELECT pg_backend_pid()`.values, ([row]) =>
          row?.[0] === Number.parseInt(name, 10) ? Effect.fail(exchanged) : Effect.void,
        ),
      ),
      Effect.onError(() => Scope.close(own, Exit.void)),
    )
  })

  /** Whether the session is still there, and answers; fails where it is another one. */
  const isAlive = ({ connection, name }: Session) =>
    ask(connection, "SELECT pg_backend_pid()", []).pipe(
      Effect.timeoutOption(patienceMillis),
      Effect.orElseSucceed(() => Option.none()),
      Effect.flatMap((pid) => {
        if (Option.isNone(pid)) return Effect.succeed(false)
        return pid.value === Number.parseInt(name, 10) ? Effect.succeed(true) : Effect.fail(exchanged)
      }),
    )

  /** The session, with all locks that are held; made anew where it was lost. */
  const ready = Effect.gen(function* () {
    if (current !== undefined && !(yield* isAlive(current))) yield* leave
    const own = (current ??= yield* connect)
    for (const name of former) {
      if ((yield* own.connection.executeValues(end, [name])).length === 0) former.delete(name)
    }
    for (const [stream, lock] of held) {
      if (lock.by === own) continue
      if (yield* take(own, stream)) {
        lock.by = own
        continue
      }
      const other = yield* ask(own.connection, holder, [stream])
      if (typeof other !== "string" || former.has(other)) continue
      held.delete(stream)
      lock.lost()
    }
    return own
  })

  yield* Effect.forkIn(
    Effect.forever(
      Effect.andThen(
        Effect.sleep(lookMillis),
        Effect.ignore(turn.withPermit(Effect.suspend(() => (held.size === 0 ? Effect.void : Effect.asVoid(ready))))),
      ),
    ),
    scope,
  )

  const release = (stream: string) =>
    turn.withPermit(
      Effect.suspend(() => {
        const lock = held.get(stream)
        held.delete(stream)
        if (current === undefined || lock?.by !== current) return Effect.void
        // Of a session that does not answer, the end frees the lock.
        return ask(current.connection, `SELECT pg_advisory_unlock(${key})`, [stream]).pipe(
          Effect.timeout(patienceMillis),
          Effect.catch(() => leave),
        )
      }),
    )

  return {
    /** Takes a stream's lock until the scope closes; false where another holds it. `lost` is called when it is lost to another. */
    acquire: (stream: string, lost: () => void): Effect.Effect<boolean, SqlError, Scope.Scope> =>
      Effect.acquireRelease(
        turn.withPermit(
          Effect.gen(function* () {
            if (held.has(stream)) return false
            const by = yield* ready
            if ((yield* ask(by.connection, "SHOW transaction_read_only", [])) !== "off") return yield* readOnly
            const taken = yield* take(by, stream)
            if (taken) held.set(stream, { by, lost })
            return taken
          }),
        ),
        (taken) => (taken ? release(stream) : Effect.void),
      ),
    /** True while a process holds the stream's lock. */
    isHeld: (stream: string): Effect.Effect<boolean, SqlError> =>
      Effect.map(
        sql`SELECT count(*) AS n FROM pg_locks, hashtextextended('dandori ledger ' || ${stream}, 0) AS key
          WHERE ${sql.literal(locked)}`.values,
        ([row]) => row?.[0] !== 0,
      ),
  }
})
export type StreamLocks = Effect.Success<ReturnType<typeof make>>
