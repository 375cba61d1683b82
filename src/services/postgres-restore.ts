import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { SqlClient } from "effect/sql/SqlClient"
import type { DatabaseSection } from "../domain/config/database.ts"
import * as Durable from "./durable-files.ts"
import * as Contents from "./postgres-contents.ts"
import * as Dump from "./postgres-dump.ts"
import * as Tools from "./postgres-tools.ts"
import * as Postgres from "./postgres.ts"
import { Secrets } from "./secrets.ts"

/** The database to restore to is not empty. */
export class DatabaseNotEmpty extends Schema.TaggedError<DatabaseNotEmpty>()("DatabaseNotEmpty", {
  tables: Schema.Int,
}) {
  readonly notApplied = true
  override get message() {
    return `The database of database.dsn has ${this.tables} tables and is not what the dump holds; restore into an empty one, and with ledger.store: files, so that the run's own record lies elsewhere`
  }
}

/** What was restored is not what was dumped. */
export class DatabaseDiffers extends Schema.TaggedError<DatabaseDiffers>()("DatabaseDiffers", {
  database: Schema.String,
  problems: Schema.Array(Schema.String),
}) {
  override get message() {
    const more = this.problems.length > 5 ? ` (and ${this.problems.length - 5} more)` : ""
    return `The restored database ${this.database} is not what was dumped: ${this.problems.slice(0, 5).join("; ")}${more}`
  }
}

const contentsOf = Effect.fnUntraced(function* (folder: string) {
  const path = join(folder, Dump.files.contents)
  const text = yield* Durable.attempt("read", path, () => Fs.readFile(path, "utf8"))
  return yield* Effect.mapError(
    Dump.decodeContents(text),
    (error) => new DatabaseDiffers({ database: path, problems: [error.message] }),
  )
})

/** All of it in one transaction; roles and rights are those of the place that it is restored to. */
const words = (folder: string, database: string) => [
  "--single-transaction",
  "--exit-on-error",
  "--no-owner",
  "--no-privileges",
  `--dbname=${database}`,
  join(folder, Dump.files.dump),
]

const look = (sql: SqlClient) => sql.withTransaction(Contents.read(sql))

const compare = Effect.fnUntraced(function* (sql: SqlClient, database: string, wanted: Contents.Contents) {
  const problems = Contents.differences(wanted, yield* look(sql))
  if (problems.length > 0) return yield* new DatabaseDiffers({ database, problems })
  return wanted
})

const nameOf = (url: Redacted.Redacted<string>) => decodeURIComponent(new URL(Redacted.value(url)).pathname.slice(1))

/**
 * Restores a dump into the database of the configuration, which has to be empty, and proves that it is equal. Where it
 * holds that very dump already, only that is proved.
 */
export const intoConfigured = Effect.fn("PostgresRestore.intoConfigured")(function* (
  section: DatabaseSection,
  folder: string,
) {
  const wanted = yield* contentsOf(folder)
  const url = yield* (yield* Secrets).resolve(section.dsn)
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const sql = yield* Dump.patient(section)
      const tables = yield* Contents.tablesOf(sql)
      if (tables === 0) yield* Tools.run("pg_restore", url, words(folder, nameOf(url)))
      else if (Contents.differences(wanted, yield* look(sql)).length > 0) return yield* new DatabaseNotEmpty({ tables })
      return yield* compare(sql, nameOf(url), wanted)
    }),
  )
})

/** A database of its own beside the configured one, on the same server; it is dropped with the scope. */
export const scratchDatabase = Effect.fn("PostgresRestore.scratchDatabase")(function* (section: DatabaseSection) {
  const url = yield* (yield* Secrets).resolve(section.dsn)
  const sql = yield* Dump.patient(section)
  const name = `dandori_restore_${crypto.randomUUID().replaceAll("-", "")}`
  yield* Effect.acquireRelease(sql`CREATE DATABASE ${sql(name)} TEMPLATE template0`, () =>
    Effect.ignore(sql`DROP DATABASE ${sql(name)} WITH (FORCE)`),
  )
  const own = new URL(Redacted.value(url))
  own.pathname = `/${name}`
  return { name, url: Redacted.make(own.href) }
})

/** Proves that a dump can be restored: into a database that is made for it on the same server, and dropped again. */
export const intoScratch = Effect.fn("PostgresRestore.intoScratch")(function* (
  section: DatabaseSection,
  folder: string,
) {
  const wanted = yield* contentsOf(folder)
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const { name, url } = yield* scratchDatabase(section)
      yield* Tools.run("pg_restore", url, words(folder, name))
      const options = Postgres.optionsOf(section, yield* Secrets)
      const sql = yield* Postgres.open({ ...options, url: Effect.succeed(url), pool: { min: 0, max: 1 } })
      return yield* compare(sql, name, wanted)
    }),
  )
})
