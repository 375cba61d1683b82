import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/** Milliseconds between two looks whether the session that holds the locks is still there. */
const lookMillis = 1_000

/** The number of a stream's advisory lock. */
const key = "hashtextextended('dandori ledger ' || $1, 0)"

/**
 * Locks of streams that last as long as a session of this process at the server: advisory locks, freed by the server when
 * the process ends. A session that was lost is made again with all its locks; who lost one to another process is told.
 */
export const make = Effect.fnUntraced(function* (session: SqlClient) {
  const scope = yield* Effect.scope
  const turn = Semaphore.makeUnsafe(1)
  const held = new Map<string, () => void>()
  let current: { readonly connection: Connection; readonly scope: Scope.Closeable } | undefined

  const leave = Effect.suspend(() => {
    const old = current
    current = undefined
    return old === undefined ? Effect.void : Scope.close(old.scope, Exit.void)
  })

  const take = (connection: Connection, stream: string) =>
    Effect.map(connection.executeValues(`SELECT pg_try_advisory_lock(${key})`, [stream]), ([row]) => row?.[0] === true)

  /** The session, with all locks that are held; made anew where it was lost. */
  const ready = Effect.gen(function* () {
    if (current !== undefined) {
      const alive = yield* Effect.result(current.connection.executeValues("SELECT 1", []))
      if (alive._tag === "Success") return current.connection
      yield* leave
    }
    const own = yield* Scope.fork(scope)
    const connection = yield* Scope.provide(session.reserve, own).pipe(
      Effect.onError(() => Scope.close(own, Exit.void)),
    )
    current = { connection, scope: own }
    for (const [stream, lost] of held) {
      if (yield* take(connection, stream)) continue
      held.delete(stream)
      lost()
    }
    return connection
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
        if (!held.delete(stream) || current === undefined) return Effect.void
        return Effect.ignore(current.connection.executeValues(`SELECT pg_advisory_unlock(${key})`, [stream]))
      }),
    )

  return {
    /** Takes a stream's lock until the scope closes; false where another holds it. `lost` is called when it is lost to another. */
    acquire: (stream: string, lost: () => void): Effect.Effect<boolean, SqlError, Scope.Scope> =>
      Effect.acquireRelease(
        turn.withPermit(
          Effect.gen(function* () {
            if (held.has(stream)) return false
            const taken = yield* Effect.flatMap(ready, (connection) => take(connection, stream))
            if (taken) held.set(stream, lost)
            return taken
          }),
        ),
        (taken) => (taken ? release(stream) : Effect.void),
      ),
    /** True while a process holds the stream's lock. */
    isHeld: (sql: SqlClient, stream: string): Effect.Effect<boolean, SqlError> =>
      Effect.map(
        sql`SELECT count(*) AS n FROM pg_locks, hashtextextended('dandori ledger ' || ${stream}, 0) AS key
          WHERE locktype = 'advisory' AND granted AND objsubid = 1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid = ((key >> 32) & 4294967295)::oid AND objid = (key & 4294967295)::oid`.values,
        ([row]) => row?.[0] !== 0,
      ),
  }
})
export type StreamLocks = Effect.Success<ReturnType<typeof make>>
