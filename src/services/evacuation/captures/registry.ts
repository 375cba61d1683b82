import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Database } from "bun:sqlite"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Postgres from "../../postgres.ts"
import { Secrets } from "../../secrets.ts"
import { Settings } from "../../settings.ts"
import { Incidents } from "../incidents.ts"
import { type Capture, CaptureFailed, type Lines, NothingToTake } from "./capture.ts"

/** Each with the column that orders it. */
const tables: ReadonlyArray<readonly [table: string, order: string]> = [
  ["model_registry", "id"],
  ["model_registry_events", "sequence"],
  ["alias_history", "sequence"],
  ["model_files_events", "sequence"],
  ["holds", "sequence"],
  ["outbox", "id"],
]
const patienceMillis = 5_000
const pageRows = 1_000

const addRows = (lines: Lines, source: string, table: string, rows: ReadonlyArray<object>) => {
  for (const row of rows) lines.add(JSON.stringify({ source, table, row }))
}

const failed = (source: string) => (cause: unknown) =>
  new CaptureFailed({
    reason: `the registry of ${source} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
  })

const addEmbedded = (lines: Lines, path: string) =>
  Effect.gen(function* () {
    const sqlite = yield* Effect.promise(() => import("bun:sqlite"))
    const read = (database: Database) =>
      Effect.gen(function* () {
        let found = 0
        for (const [table, order] of tables) {
          const there = database.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(table)
          if (there === null) continue
          found++
          for (let after = 0; !lines.isFull(); after += pageRows) {
            const rows = database
              .query<object, [number, number]>(`SELECT * FROM ${table} ORDER BY ${order} LIMIT ? OFFSET ?`)
              .all(pageRows, after)
            addRows(lines, "state.db", table, rows)
            if (rows.length < pageRows) break
            yield* Effect.yieldNow
          }
        }
        return found
      })
    return yield* Effect.acquireUseRelease(
      Effect.try({ try: () => new sqlite.Database(path, { readonly: true }), catch: failed(path) }),
      (database) =>
        Effect.gen(function* () {
          yield* Effect.try({ try: () => database.run("PRAGMA busy_timeout = 2000"), catch: failed(path) })
          // One state of all tables: in a transaction that only reads.
          yield* Effect.try({ try: () => database.run("BEGIN"), catch: failed(path) })
          return yield* Effect.catchDefect(read(database), (cause) => Effect.fail(failed(path)(cause)))
        }),
      (database) => Effect.sync(() => database.close()),
    )
  })

const addServer = (lines: Lines, sql: SqlClient, source: string) =>
  sql
    .withTransaction(
      Effect.gen(function* () {
        yield* sql.unsafe("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        let found = 0
        for (const [table, order] of tables) {
          const [there] = yield* sql<{ readonly name: string | null }>`SELECT to_regclass(${table})::text AS name`
          if (there?.name === null || there === undefined) continue
          found++
          for (let after = 0; !lines.isFull(); after += pageRows) {
            const rows = yield* sql.unsafe<object>(`SELECT * FROM ${table} ORDER BY ${order} LIMIT $1 OFFSET $2`, [
              pageRows,
              after,
            ])
            addRows(lines, source, table, rows)
            if (rows.length < pageRows) break
          }
        }
        return found
      }),
    )
    .pipe(Effect.mapError(failed(source)))

/**
 * Every row of the model registry, NDJSON with the table's name: of the project's own file, which is only read, and of the
 * PostgreSQL of the configuration, which gets 5 seconds to answer. What the one has is kept where the other fails.
 */
export const capture: Capture = (lines) =>
  Effect.gen(function* () {
    const { projectHome } = yield* Incidents
    const { sections } = yield* Settings
    const secrets = yield* Secrets
    const path = join(projectHome, "state.db")
    const problems: Array<string> = []
    let found = 0
    const noted = <R>(taken: Effect.Effect<number, CaptureFailed, R>) =>
      Effect.match(taken, {
        onFailure: ({ reason }) => void problems.push(reason),
        onSuccess: (count) => void (found += count),
      })
    if (existsSync(path)) yield* noted(addEmbedded(lines, path))
    if (sections.database.backend === "postgres") {
      const options = {
        ...Postgres.optionsOf(sections.database, secrets),
        pool: { min: 0, max: 1 },
        timeoutMillis: patienceMillis,
        statementTimeoutMillis: patienceMillis,
      }
      yield* noted(Effect.scoped(Effect.flatMap(Postgres.open(options), (sql) => addServer(lines, sql, "postgres"))))
    }
    if (problems.length > 0) return yield* new CaptureFailed({ reason: problems.join("; ") })
    if (found === 0) return yield* new NothingToTake({ reason: "this project has no model registry" })
  })
