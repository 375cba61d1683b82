import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import type { DatabaseSection } from "../domain/config/database.ts"
import * as CanonicalJson from "../domain/canonical-json.ts"
import * as Durable from "./durable-files.ts"
import * as Contents from "./postgres-contents.ts"
import * as Tools from "./postgres-tools.ts"
import * as Postgres from "./postgres.ts"
import { Secrets } from "./secrets.ts"

/** A state of the database: others see the same by `snapshot` for as long as the transaction is open. */
export interface Moment {
  readonly sql: SqlClient.SqlClient
  readonly snapshot: string
  /** `pg_current_snapshot()`: which transactions are in it, like `731:731:`. */
  readonly transaction: string
}

/** A copy is read for longer than a statement of a task may take. */
const patience = 24 * 3_600_000

/** The database of the configuration, for statements that may take long. */
export const patient = Effect.fnUntraced(function* (section: DatabaseSection) {
  const options = Postgres.optionsOf(section, yield* Secrets)
  return yield* Postgres.open({ ...options, pool: { min: 0, max: 2 }, statementTimeoutMillis: patience })
})

/** Looks at the database as it is at one moment, for as long as `use` takes; nothing is locked. */
export const atOneMoment = <A, E, R>(section: DatabaseSection, use: (moment: Moment) => Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.flatMap(patient(section), (sql) =>
      sql
        .withTransaction(
          Effect.gen(function* () {
            const [{ snapshot, transaction }] = yield* sql<Omit<Moment, "sql">>`
              SELECT pg_export_snapshot() AS snapshot, pg_current_snapshot()::text AS transaction`
            return yield* use({ sql, snapshot, transaction })
          }),
        )
        .pipe(Effect.provideService(SqlClient.BeginTransaction, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")),
    ),
  )

/** The files of a dump in its folder. */
export const files = { dump: "database.dump", contents: "contents.json" } as const

/**
 * Dumps the database as of a moment into an existing folder: `database.dump`, in pg_dump's custom format, and
 * `contents.json`, by which a restored database is compared.
 */
export const dump = Effect.fn("PostgresDump.dump")(function* (
  section: DatabaseSection,
  { snapshot, sql }: Moment,
  folder: string,
) {
  const url = yield* (yield* Secrets).resolve(section.dsn)
  const file = join(folder, files.dump)
  yield* Tools.run("pg_dump", url, ["--format=custom", `--snapshot=${snapshot}`, `--file=${file}`])
  yield* Durable.fsyncFile(file)
  const contents = yield* Contents.read(sql)
  const text = `${CanonicalJson.encode(contents)}\n`
  yield* Durable.writeFileDurably(join(folder, files.contents), new TextEncoder().encode(text))
})

/** Reads `contents.json`. */
export const decodeContents = Schema.decodeUnknownEffect(Schema.fromJsonString(Contents.Contents))
