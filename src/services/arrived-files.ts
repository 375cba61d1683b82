import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { DatabaseSection } from "../domain/config/database.ts"
import { ListedFile } from "../domain/file-arrival.ts"
import * as Once from "./once.ts"
import * as Postgres from "./postgres.ts"
import type { Secrets } from "./secrets.ts"
import { type Migration, migrate, type SchemaTooNew } from "./sql-migrations.ts"
import * as Sqlite from "./sqlite.ts"
import type { Workspace } from "./workspace.ts"

/** It cannot be read or written which files have arrived: none is taken, since it could be taken twice. */
export class ArrivedFilesUnavailable extends Schema.TaggedError<ArrivedFilesUnavailable>()("ArrivedFilesUnavailable", {
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `It cannot be read or written which files have arrived, so none is taken: ${this.reason}`
  }
}

/** Which files of which watch were taken, over restarts and by whichever daemon leads. `watch` names a watch. */
export class ArrivedFiles extends Context.Service<
  ArrivedFiles,
  {
    /** Undefined where nobody has begun this watch. */
    readonly of: (watch: string) => Effect.Effect<ReadonlyArray<ListedFile> | undefined, ArrivedFilesUnavailable>
    /** Begins a watch: what is there already counts as taken. Of one that was begun nothing changes. */
    readonly begin: (watch: string, files: ReadonlyArray<ListedFile>) => Effect.Effect<void, ArrivedFilesUnavailable>
    /** The file was taken as it is now. */
    readonly take: (watch: string, file: ListedFile) => Effect.Effect<void, ArrivedFilesUnavailable>
    readonly forget: (watch: string, paths: ReadonlyArray<string>) => Effect.Effect<void, ArrivedFilesUnavailable>
  }
>()("dandori/services/ArrivedFiles") {}

const columns =
  "watch TEXT NOT NULL, path TEXT NOT NULL, size BIGINT NOT NULL, modified TEXT NOT NULL, changed TEXT NOT NULL, inode TEXT NOT NULL, PRIMARY KEY (watch, path)"

const sqlite: ReadonlyArray<Migration> = [
  {
    name: "arrived files",
    statements: [
      "CREATE TABLE file_watches (watch TEXT NOT NULL PRIMARY KEY) STRICT",
      `CREATE TABLE arrived_files (${columns.replace("BIGINT", "INTEGER")}) STRICT`,
    ],
  },
]
const postgres: ReadonlyArray<Migration> = [
  {
    name: "arrived files",
    statements: [
      "CREATE SCHEMA IF NOT EXISTS core",
      "CREATE TABLE core.file_watches (watch TEXT NOT NULL PRIMARY KEY)",
      `CREATE TABLE core.arrived_files (${columns})`,
    ],
  },
]

/** Files in one statement: six values each, of which a statement has 32,766 at most. */
const atOnce = 2_000

/** PostgreSQL gives a bigint as text. */
const Row = Schema.Struct({ ...ListedFile.fields, size: Schema.Union([Schema.Int, Schema.NumberFromString]) })
const decode = Schema.decodeUnknownEffect(Schema.Array(Row))

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const migrations = sql.onDialectOrElse({ pg: () => postgres, orElse: () => sqlite })
  const ready = yield* Once.untilItSucceeds(migrate(sql, "arrived files", migrations))
  const told = <A>(effect: Effect.Effect<A, SqlError | SchemaTooNew | Schema.SchemaError>) =>
    Effect.mapError(
      Effect.andThen(ready, effect),
      (error) =>
        new ArrivedFilesUnavailable({ reason: isSqlError(error) ? error.reason.message : error.message, cause: error }),
    )
  const rowOf = (watch: string, { changed, inode, modified, path, size }: ListedFile): Record<string, unknown> => ({
    watch,
    path,
    size,
    modified,
    changed,
    inode,
  })
  return ArrivedFiles.of({
    of: Effect.fn("ArrivedFiles.of")(function* (watch) {
      const [begun, files] = yield* told(
        sql.withTransaction(
          Effect.all([
            sql`SELECT watch FROM file_watches WHERE watch = ${watch}`,
            Effect.flatMap(
              sql`SELECT path, size, modified, changed, inode FROM arrived_files WHERE watch = ${watch}`,
              decode,
            ),
          ]),
        ),
      )
      return begun.length === 0 ? undefined : files
    }),
    begin: Effect.fn("ArrivedFiles.begin")(function* (watch, files) {
      yield* told(
        sql.withTransaction(
          Effect.gen(function* () {
            const begun = yield* sql`INSERT INTO file_watches ${sql.insert({ watch })} ON CONFLICT (watch) DO NOTHING
              RETURNING watch`
            if (begun.length === 0) return
            for (const some of Arr.chunksOf(files, atOnce)) {
              yield* sql`INSERT INTO arrived_files ${sql.insert(Arr.map(some, (file) => rowOf(watch, file)))}`
            }
          }),
        ),
      )
    }),
    take: (watch, file) =>
      Effect.asVoid(
        told(
          sql`INSERT INTO arrived_files ${sql.insert(rowOf(watch, file))} ON CONFLICT (watch, path) DO UPDATE
            SET size = excluded.size, modified = excluded.modified, changed = excluded.changed, inode = excluded.inode`,
        ),
      ),
    forget: Effect.fn("ArrivedFiles.forget")(function* (watch, paths) {
      for (const some of Arr.chunksOf(paths, atOnce)) {
        yield* told(sql`DELETE FROM arrived_files WHERE watch = ${watch} AND path IN ${sql.in(some)}`)
      }
    }),
  })
})

/** In tables of a database, which are made when they are first needed. */
export const layer: Layer.Layer<ArrivedFiles, never, SqlClient.SqlClient> = Layer.effect(ArrivedFiles, make)

/** Where the configuration says that the state is: in `<home>/state.db`, or in PostgreSQL. */
export const layerOf = (section: DatabaseSection): Layer.Layer<ArrivedFiles, never, Workspace | Secrets> =>
  section.backend === "embedded"
    ? Layer.provide(layer, Sqlite.layerState)
    : Layer.provide(layer, Postgres.layerOf(section))
