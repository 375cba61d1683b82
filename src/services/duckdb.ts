import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { FileFailed } from "./durable-files.ts"

/** DuckDB refused or failed. `reason` is its own message: it names the file, and the line or column where it knows them. */
export class DuckDbError extends Schema.TaggedError<DuckDbError>()("DuckDbError", {
  operation: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `DuckDB could not ${this.operation}: ${this.reason}`
  }
}

/** A value of a row or a parameter. */
export type Value = string | number | boolean | null

/**
 * One column of a result. Numbers, booleans (0, 1) and times (milliseconds since the epoch, UTC) are a `Float64Array` with
 * NaN for NULL; everything else is text.
 */
export type Column = Float64Array | ReadonlyArray<string | null>

/** Columns by name, in the order of the result, all of one length. */
export type Columns = Readonly<Record<string, Column>>

/** A column to write. `timestamp` values are milliseconds since the epoch, UTC; NaN is NULL in `timestamp` and `integer` columns. */
export type WritableColumn =
  | { readonly name: string; readonly type: "timestamp" | "integer"; readonly values: Float64Array }
  | { readonly name: string; readonly type: "double"; readonly values: Float64Array | ReadonlyArray<number | null> }
  | { readonly name: string; readonly type: "text"; readonly values: ReadonlyArray<string | null> }

/** An in-memory database with one thread, that sees the named paths and nothing else. */
export interface DuckDbConnection {
  /** Runs statements, one after the other; nothing comes back. */
  readonly run: (sql: string, params?: ReadonlyArray<Value>) => Effect.Effect<void, DuckDbError>
  /** Rows as plain objects: 64-bit integers and decimals as numbers, times as DuckDB writes them. */
  readonly rows: (
    sql: string,
    params?: ReadonlyArray<Value>,
  ) => Effect.Effect<ReadonlyArray<Readonly<Record<string, Value>>>, DuckDbError>
  /** The result of one query by column. */
  readonly columns: (sql: string) => Effect.Effect<Columns, DuckDbError>
  /** Makes a table of columns of one length. */
  readonly load: (table: string, columns: ReadonlyArray<WritableColumn>) => Effect.Effect<void, DuckDbError>
  /** Writes the result of a query to a new Parquet file (zstd) at an allowed path. Not durable by itself. */
  readonly copyToParquet: (sql: string, path: string) => Effect.Effect<void, DuckDbError>
}

/** What a connection may touch: absolute files, and folders with all below them. */
export interface Allowed {
  readonly paths?: ReadonlyArray<string>
  readonly folders?: ReadonlyArray<string>
}

/** Tables in files, by DuckDB. It is loaded when it is first used. */
export class DuckDb extends Context.Service<
  DuckDb,
  {
    /** A locked connection: no other file, no extension, no network, no change of its configuration. Times are UTC. */
    readonly open: (allowed: Allowed) => Effect.Effect<DuckDbConnection, DuckDbError, Scope.Scope>
    /** All columns of Parquet files of one schema, in the order of the paths; `select` names the columns that are wanted. */
    readonly readColumns: (
      paths: ReadonlyArray<string>,
      select?: ReadonlyArray<string>,
    ) => Effect.Effect<Columns, DuckDbError>
    /** Writes a Parquet file, whole or not at all, over what is there. The same columns give the same bytes. */
    readonly writeParquet: (
      path: string,
      columns: ReadonlyArray<WritableColumn>,
    ) => Effect.Effect<void, DuckDbError | FileFailed>
  }
>()("dandori/services/DuckDb") {}

/** A text as an SQL literal. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** A name as an SQL identifier. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A numeric column as it is; empty where the column is text or missing. */
export const numbers = (column: Column | undefined): Float64Array =>
  column instanceof Float64Array ? column : new Float64Array()
