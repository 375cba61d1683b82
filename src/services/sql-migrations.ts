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

/** What the dialects say differently. */
const words = {
  sqlite: {
    exists: "SELECT count(*) AS n FROM sqlite_schema WHERE name = 'schema_version'",
    /** A transaction begins with the write lock. */
    alone: "SELECT 1",
    make: [
      `CREATE TABLE IF NOT EXISTS schema_version (
        component TEXT NOT NULL,
        version INTEGER NOT NULL,
        name TEXT NOT NULL,
        applied TEXT NOT NULL,
        PRIMARY KEY (component, version)
      ) STRICT`,
    ],
  },
  pg: {
    exists: "SELECT count(*) AS n FROM pg_tables WHERE schemaname = 'core' AND tablename = 'schema_version'",
    alone: "SELECT pg_advisory_xact_lock(hashtextextended('dandori schema_version', 0))",
    make: [
      "CREATE SCHEMA IF NOT EXISTS core",
      `CREATE TABLE IF NOT EXISTS core.schema_version (
        component text NOT NULL,
        version integer NOT NULL,
        name text NOT NULL,
        applied timestamptz(3) NOT NULL,
        PRIMARY KEY (component, version)
      )`,
    ],
  },
} as const

/**
 * Brings the tables of a component to its newest version: migrations are numbered from 1 in the order of the list, run
 * forward only, all in one transaction, and are recorded in `schema_version` (in PostgreSQL, of the schema `core`). Safe
 * when several processes start at once. Where nothing is to be done, it needs no right but to read.
 */
export const migrate = Effect.fn("Sql.migrate")(function* (
  sql: SqlClient,
  component: string,
  migrations: ReadonlyArray<Migration>,
): Effect.fn.Return<void, SqlError | SchemaTooNew> {
  const { alone, exists, make } = sql.onDialectOrElse({ pg: () => words.pg, orElse: () => words.sqlite })
  const table = sql.onDialectOrElse({ pg: () => sql("core.schema_version"), orElse: () => sql("schema_version") })
  const version = Effect.gen(function* () {
    const [{ n }] = yield* sql.unsafe<{ readonly n: number }>(exists)
    if (n === 0) return 0
    const [{ version }] = yield* sql<{ readonly version: number }>`
      SELECT coalesce(max(version), 0) AS version FROM ${table} WHERE component = ${component}`
    return version
  })
  const tooNew = (found: number) => new SchemaTooNew({ component, found, known: migrations.length })
  const before = yield* version
  if (before === migrations.length) return
  if (before > migrations.length) return yield* tooNew(before)
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql.unsafe(alone)
      for (const statement of make) yield* sql.unsafe(statement)
      const found = yield* version
      if (found > migrations.length) return yield* tooNew(found)
      const applied = new Date(yield* Clock.currentTimeMillis).toISOString()
      for (const [index, migration] of migrations.entries()) {
        if (index < found) continue
        for (const statement of migration.statements) yield* sql.unsafe(statement)
        yield* sql`INSERT INTO ${table} ${sql.insert({ component, version: index + 1, name: migration.name, applied })}`
      }
    }),
  )
})
