import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import type { DatabaseSection } from "../domain/config/database.ts"
import { Token } from "../domain/token.ts"
import * as Once from "./once.ts"
import * as Postgres from "./postgres.ts"
import type { Secrets } from "./secrets.ts"
import { migrate, type SchemaTooNew } from "./sql-migrations.ts"
import * as Sqlite from "./sqlite.ts"
import * as Tables from "./tokens-tables.ts"
import { Tokens, TokensUnavailable, TokenUnknown } from "./tokens.ts"
import type { Workspace } from "./workspace.ts"

type Unseen = SqlError | SchemaTooNew | Schema.SchemaError

const unavailable = (error: Unseen) =>
  new TokensUnavailable({
    reason: error.message,
    transient: isSqlError(error) && error.isRetryable,
    cause: error,
  })

const decode = Schema.decodeUnknownEffect(Schema.Array(Token))

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const ready = yield* Once.untilItSucceeds(
    migrate(sql, "tokens", sql.onDialectOrElse({ pg: () => Tables.postgres, orElse: () => Tables.sqlite })),
  )
  const now = Effect.map(Clock.currentTimeMillis, (millis) => new Date(millis).toISOString())
  const rows = (where: Fragment) =>
    Effect.flatMap(
      sql`SELECT id, name, role, created, created_by AS "createdBy", expires, first_used AS "firstUsed", revoked,
        revoked_by AS "revokedBy" FROM tokens WHERE ${where} ORDER BY sequence`,
      decode,
    )
  const one = (id: string) => Effect.map(rows(sql`id = ${id}`), (found) => found[0])
  const told = <A>(effect: Effect.Effect<A, Unseen>) => Effect.mapError(Effect.andThen(ready, effect), unavailable)

  return Tokens.of({
    list: told(rows(sql`1 = 1`)),
    find: (digest) => told(Effect.map(rows(sql`digest = ${digest}`), (found) => Option.fromUndefinedOr(found[0]))),
    add: Effect.fn("Tokens.add")(function* ({ createdBy, digest, expires, id, name, role }) {
      return yield* told(
        sql.withTransaction(
          Effect.gen(function* () {
            const found = yield* one(id)
            if (found !== undefined) return found
            const created = yield* now
            yield* sql`INSERT INTO tokens ${sql.insert({ id, digest, name, role, created, created_by: createdBy, expires })}`
            return { id, name, role, created, createdBy, expires, firstUsed: null, revoked: null, revokedBy: null }
          }),
        ),
      )
    }),
    used: Effect.fnUntraced(function* (id) {
      const at = yield* now
      yield* told(sql`UPDATE tokens SET first_used = ${at} WHERE id = ${id} AND first_used IS NULL AND revoked IS NULL`)
    }),
    revoke: Effect.fn("Tokens.revoke")(function* (id, who) {
      const at = yield* now
      const change = sql`UPDATE tokens SET revoked = ${at}, revoked_by = ${who} WHERE id = ${id} AND revoked IS NULL`
      return (yield* told(Effect.andThen(change, one(id)))) ?? (yield* new TokenUnknown({ id }))
    }),
  })
})

/** The tokens in a table of a database, which is made when it is first needed. */
export const layer: Layer.Layer<Tokens, never, SqlClient.SqlClient> = Layer.effect(Tokens, make)

/** The tokens where the configuration says that they are: in `<home>/state.db`, or in PostgreSQL. */
export const layerOf = (section: DatabaseSection): Layer.Layer<Tokens, never, Workspace | Secrets> =>
  section.backend === "embedded"
    ? Layer.provide(layer, Sqlite.layerState)
    : Layer.provide(layer, Postgres.layerOf(section))
