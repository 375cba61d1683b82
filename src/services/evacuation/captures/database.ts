import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Postgres from "../../postgres.ts"
import { Secrets } from "../../secrets.ts"
import { Settings } from "../../settings.ts"

const patienceMillis = 5_000
/** Rows that are asked for at a time. */
export const pageRows = 1_000

/** The database of the configuration, which gets 5 seconds to answer each time. */
export const open = Effect.gen(function* () {
  const { sections } = yield* Settings
  return yield* Postgres.open({
    ...Postgres.optionsOf(sections.database, yield* Secrets),
    pool: { min: 0, max: 1 },
    timeoutMillis: patienceMillis,
    statementTimeoutMillis: patienceMillis,
  })
})

/** Reads one state of the database, and only reads. */
export const reading = <A, E, R>(sql: SqlClient, read: Effect.Effect<A, E, R>) =>
  sql.withTransaction(Effect.andThen(sql.unsafe("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"), read))

/** Whether there is a table of a name. */
export const hasTable = (sql: SqlClient, table: string) =>
  Effect.map(sql<{ readonly name: string | null }>`SELECT to_regclass(${table})::text AS name`, ([found]) =>
    found === undefined ? false : found.name !== null,
  )
