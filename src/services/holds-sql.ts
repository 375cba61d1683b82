import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import { Hold } from "../domain/hold.ts"
import { Holds, HoldsUnavailable, HoldUnknown } from "./holds.ts"
import * as Tables from "./holds-tables.ts"
import * as Once from "./once.ts"
import { migrate, type SchemaTooNew } from "./sql-migrations.ts"

type Unseen = SqlError | SchemaTooNew | Schema.SchemaError

const unavailable = (error: Unseen) =>
  new HoldsUnavailable({
    reason: error.message,
    transient: isSqlError(error) && error.isRetryable,
    cause: error,
  })

const decode = Schema.decodeUnknownEffect(Schema.Array(Hold))

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const isPostgres = sql.onDialectOrElse({ pg: () => true, orElse: () => false })
  const ready = yield* Once.untilItSucceeds(migrate(sql, "holds", isPostgres ? Tables.postgres : Tables.sqlite))
  // The lock of the registry's changes: no hold comes between a purge's look at the holds and its record.
  const alone = isPostgres
    ? Effect.asVoid(sql`SELECT pg_advisory_xact_lock(hashtextextended('dandori model-registry', 0))`)
    : Effect.void
  const now = Effect.map(Clock.currentTimeMillis, (millis) => new Date(millis).toISOString())

  const rows = (where: Fragment) =>
    Effect.flatMap(
      sql`SELECT id, subject, who, reason, added, until, released, released_by AS "releasedBy",
        release_reason AS "releaseReason" FROM holds WHERE ${where} ORDER BY sequence`,
      decode,
    )
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
          const added = yield* now
          yield* sql`INSERT INTO holds ${sql.insert({ ...hold, added })}`
          return { ...hold, added, released: null, releasedBy: null, releaseReason: null }
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
