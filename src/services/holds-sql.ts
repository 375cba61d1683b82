import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { Holds, HoldsUnavailable, HoldUnknown } from "./holds.ts"
import * as Tables from "./holds-tables.ts"
import * as Rows from "./model-registry-rows.ts"
import * as Once from "./once.ts"
import { migrate, type SchemaTooNew } from "./sql-migrations.ts"

type Unseen = SqlError | SchemaTooNew | Schema.SchemaError

const unavailable = (error: Unseen) =>
  new HoldsUnavailable({
    reason: error.message,
    transient: isSqlError(error) && error.isRetryable,
    cause: error,
  })

/** Makes their table, or brings it forward. */
export const bringForward = (sql: SqlClient.SqlClient) =>
  migrate(sql, "holds", sql.onDialectOrElse({ pg: () => Tables.postgres, orElse: () => Tables.sqlite }))

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const isPostgres = sql.onDialectOrElse({ pg: () => true, orElse: () => false })
  const ready = yield* Once.untilItSucceeds(bringForward(sql))
  // The lock of the registry's changes: no hold comes between a purge's look at the holds and its record.
  const alone = isPostgres
    ? Effect.asVoid(sql`SELECT pg_advisory_xact_lock(hashtextextended('dandori model-registry', 0))`)
    : Effect.void
  const now = Effect.map(Clock.currentTimeMillis, (millis) => new Date(millis).toISOString())

  const { addHold, holds: rows } = Rows.make(sql)
  const one = (id: string) => Effect.map(rows(sql`id = ${id}`), (found) => found[0])
  const change = <A>(changes: Effect.Effect<A, Unseen>) =>
    Effect.andThen(ready, sql.withTransaction(Effect.andThen(alone, changes))).pipe(Effect.mapError(unavailable))

  return Holds.of({
    list: Effect.andThen(ready, rows(sql`1 = 1`)).pipe(Effect.mapError(unavailable)),
    add: Effect.fn("Holds.add")(function* (hold) {
      return yield* change(
        Effect.gen(function* () {
          const found = yield* one(hold.id)
          if (found !== undefined) return found
          const added = { ...hold, added: yield* now, released: null, releasedBy: null, releaseReason: null }
          yield* addHold(added)
          return added
        }),
      )
    }),
    release: Effect.fn("Holds.release")(function* (id, { reason, who }) {
      const released = yield* change(
        Effect.gen(function* () {
          yield* sql`UPDATE holds SET released = ${yield* now}, released_by = ${who}, release_reason = ${reason}
            WHERE id = ${id} AND released IS NULL`
          return yield* one(id)
        }),
      )
      return released ?? (yield* new HoldUnknown({ id }))
    }),
  })
})

/** The holds in a table of a database, which is made when it is first needed. */
export const layer: Layer.Layer<Holds, never, SqlClient.SqlClient> = Layer.effect(Holds, make)
