import { existsSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Durable from "../../durable-files.ts"
import { Settings } from "../../settings.ts"
import { Incidents } from "../incident/incidents.ts"
import { type Capture, CaptureFailed, type Lines, NothingToTake } from "./capture.ts"
import * as Database from "./database.ts"

/** Each with the column that orders it. */
const tables: ReadonlyArray<readonly [table: string, order: string]> = [
  ["model_registry", "id"],
  ["model_registry_events", "sequence"],
  ["alias_history", "sequence"],
  ["model_files_events", "sequence"],
  ["holds", "sequence"],
  ["outbox", "id"],
]

const addRows = (lines: Lines, source: string, table: string, rows: ReadonlyArray<object>) => {
  for (const row of rows) lines.add(JSON.stringify({ source, table, row }))
}

const failed = (source: string) => (cause: unknown) =>
  new CaptureFailed({
    reason: `the registry of ${source} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
  })

/** The file cannot be read where it lies. `place` where its folder takes no file, which a reader of its log needs. */
class Unreadable extends Schema.TaggedError<Unreadable>()("Unreadable", {
  why: Schema.Literals(["place", "content"]),
  reason: Schema.String,
}) {}

const unreadable = (cause: unknown) => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  const { reason } = failed("the project")(cause)
  return new Unreadable({ why: /^SQLITE_(CANTOPEN|READONLY)/.test(code) ? "place" : "content", reason })
}

/** Adds one state of all tables: in a transaction that only reads. */
const addFile = (lines: Lines, path: string) =>
  Effect.gen(function* () {
    const sqlite = yield* Effect.promise(() => import("bun:sqlite"))
    const attempt = <A>(use: () => A) => Effect.try({ try: use, catch: unreadable })
    const database = yield* Effect.acquireRelease(
      attempt(() => new sqlite.Database(path, { readonly: true })),
      (opened) => Effect.sync(() => opened.close()),
    )
    yield* attempt(() => database.run("PRAGMA busy_timeout = 2000"))
    yield* attempt(() => database.run("BEGIN"))
    const known = yield* attempt(() =>
      database.query<{ readonly name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table'").all(),
    )
    const there = tables.filter(([table]) => known.some(({ name }) => name === table))
    for (const [table, order] of there) {
      for (let after = 0; !lines.isFull(); after += Database.pageRows) {
        const page = `SELECT * FROM ${table} ORDER BY ${order} LIMIT ? OFFSET ?`
        const rows = yield* attempt(() => database.query<object, [number, number]>(page).all(Database.pageRows, after))
        addRows(lines, "state.db", table, rows)
        if (rows.length < Database.pageRows) break
        yield* Effect.yieldNow
      }
    }
    return there.length
  }).pipe(Effect.scoped)

/** A copy of the file, and of its log, in a folder of its own that goes with the scope. */
const copied = (path: string, incident: string) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Durable.attempt("make the folder", incident, () => Fs.mkdtemp(join(incident, "registry-"))),
      (made) => Effect.ignore(Durable.attempt("remove", made, () => Fs.rm(made, { recursive: true, force: true }))),
    )
    const copy = join(folder, "state.db")
    yield* Durable.attempt("copy", path, () => Fs.copyFile(path, copy))
    // What was not yet brought from the log into the file.
    yield* Effect.ignore(Durable.attempt("copy", `${path}-wal`, () => Fs.copyFile(`${path}-wal`, `${copy}-wal`)))
    return copy
  })

const addEmbedded = (lines: Lines, path: string, incident: string) =>
  addFile(lines, path).pipe(
    Effect.catchIf(
      (error) => error.why === "place",
      () => Effect.scoped(Effect.flatMap(copied(path, incident), (copy) => addFile(lines, copy))),
    ),
    Effect.mapError(
      (error) =>
        new CaptureFailed({
          reason:
            error._tag === "Unreadable" ? error.reason : `the registry of the project cannot be read: ${error.message}`,
        }),
    ),
  )

const addServer = (lines: Lines, sql: SqlClient, source: string) =>
  Database.reading(
    sql,
    Effect.gen(function* () {
      let found = 0
      for (const [table, order] of tables) {
        if (!(yield* Database.hasTable(sql, table))) continue
        found++
        for (let after = 0; !lines.isFull(); after += Database.pageRows) {
          const rows = yield* sql.unsafe<object>(`SELECT * FROM ${table} ORDER BY ${order} LIMIT $1 OFFSET $2`, [
            Database.pageRows,
            after,
          ])
          addRows(lines, source, table, rows)
          if (rows.length < Database.pageRows) break
        }
      }
      return found
    }),
  ).pipe(Effect.mapError(failed(source)))

/**
 * Every row of the model registry, NDJSON with the table's name: of the project's own file, which is only read, and of the
 * PostgreSQL of the configuration, which gets 5 seconds to answer. What the one has is kept where the other fails.
 */
export const capture: Capture = (lines, { folder }) =>
  Effect.gen(function* () {
    const { projectHome } = yield* Incidents
    const { sections } = yield* Settings
    const path = join(projectHome, "state.db")
    const problems: Array<string> = []
    let found = 0
    const noted = <R>(taken: Effect.Effect<number, CaptureFailed, R>) =>
      Effect.match(taken, {
        onFailure: ({ reason }) => void problems.push(reason),
        onSuccess: (count) => void (found += count),
      })
    if (existsSync(path)) yield* noted(addEmbedded(lines, path, folder.path))
    if (sections.database.backend === "postgres") {
      yield* noted(Effect.scoped(Effect.flatMap(Database.open, (sql) => addServer(lines, sql, "postgres"))))
    }
    if (problems.length > 0) return yield* new CaptureFailed({ reason: problems.join("; ") })
    if (found === 0) return yield* new NothingToTake({ reason: "this project has no model registry" })
  })
