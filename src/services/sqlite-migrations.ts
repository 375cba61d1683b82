import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Schema from "effect/Schema"

/** One step forward: its statements run in one transaction, once. */
export interface Migration {
  readonly name: string
  readonly statements: ReadonlyArray<string>
}

/** The database was written by a newer program. */
export class SchemaTooNew extends Schema.TaggedError<SchemaTooNew>()("SchemaTooNew", {
  component: Schema.String,
  found: Schema.Int,
  known: Schema.Int,
}) {
  readonly notApplied = true
  override get message() {
    return `The tables of ${this.component} have version ${this.found}, this program knows ${this.known}; use a newer dandori`
  }
}

const ensureTable = `CREATE TABLE IF NOT EXISTS schema_version (
  component TEXT NOT NULL,
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  applied TEXT NOT NULL,
  PRIMARY KEY (component, version)
) STRICT`

/**
 * Brings the tables of a component to its newest version: migrations are numbered from 1 in the order of the list, run
 * forward only, all in one transaction, and are recorded in `schema_version`. Safe when several processes start at once.
 */
export const migrate = Effect.fn("Sqlite.migrate")(function* (
  sql: SqlClient,
  component: string,
  migrations: ReadonlyArray<Migration>,
): Effect.fn.Return<void, SqlError | SchemaTooNew> {
  const version = sql<{ version: number }>`
    SELECT coalesce(max(version), 0) AS version FROM schema_version WHERE component = ${component}`
  yield* sql.unsafe(ensureTable)
  if ((yield* version)[0].version === migrations.length) return
  yield* sql.withTransaction(
    Effect.gen(function* () {
      const found = (yield* version)[0].version
      if (found > migrations.length) return yield* new SchemaTooNew({ component, found, known: migrations.length })
      const applied = new Date(yield* Clock.currentTimeMillis).toISOString()
      for (const [index, migration] of migrations.entries()) {
        if (index < found) continue
        for (const statement of migration.statements) yield* sql.unsafe(statement)
        yield* sql`INSERT INTO schema_version ${sql.insert({ component, version: index + 1, name: migration.name, applied })}`
      }
    }),
  )
})
