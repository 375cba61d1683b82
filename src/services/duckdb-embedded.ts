import { basename, dirname, join } from "node:path"
import * as Fs from "node:fs/promises"
import type * as Api from "@duckdb/node-api"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Column, Columns, DuckDbConnection, Value, WritableColumn } from "./duckdb.ts"
import { type Allowed, DuckDb, DuckDbError, identifier, literal } from "./duckdb.ts"
import * as Durable from "./durable-files.ts"
import * as DuckDbLibrary from "./duckdb-library.ts"

const attempt = <A>(operation: string, run: () => Promise<A>): Effect.Effect<A, DuckDbError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new DuckDbError({ operation, reason: cause instanceof Error ? cause.message : String(cause), cause }),
  })

const list = (texts: ReadonlyArray<string>) => `[${texts.map(literal).join(", ")}]`

const plain = (value: Api.DuckDBValue): Value => {
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value
  if (typeof value === "bigint") return Number(value)
  if ("scale" in value) return value.toDouble()
  return String(value)
}

const numberTypes = /^(DOUBLE|FLOAT|REAL|DECIMAL.*|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER)$/

/** The expression by which a column of a type arrives as DOUBLE or as VARCHAR. */
const carried = (name: string, type: string): { readonly sql: string; readonly numeric: boolean } => {
  const column = identifier(name)
  if (numberTypes.test(type) || type === "BOOLEAN") return { sql: `CAST(${column} AS DOUBLE)`, numeric: true }
  if (type.startsWith("TIMESTAMP") || type === "DATE") {
    return { sql: `CAST(epoch_us(CAST(${column} AS TIMESTAMPTZ)) AS DOUBLE) / 1000`, numeric: true }
  }
  return { sql: `CAST(${column} AS VARCHAR)`, numeric: false }
}

const gather = async (result: Api.DuckDBResult, numeric: ReadonlyArray<boolean>): Promise<ReadonlyArray<Column>> => {
  const chunks: Array<Api.DuckDBDataChunk> = []
  let rows = 0
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    chunks.push(chunk)
    rows += chunk.rowCount
  }
  return numeric.map((isNumber, index) => {
    const numbers = new Float64Array(isNumber ? rows : 0)
    const texts: Array<string | null> = []
    let at = 0
    for (const chunk of chunks) {
      const vector = chunk.getColumnVector(index)
      for (let row = 0; row < chunk.rowCount; row++) {
        const value = vector.getItem(row)
        if (isNumber) numbers[at++] = typeof value === "number" ? value : Number.NaN
        else texts.push(typeof value === "string" ? value : null)
      }
    }
    return isNumber ? numbers : texts
  })
}

const sqlTypes = { timestamp: "TIMESTAMP_MS", integer: "BIGINT", double: "DOUBLE", text: "VARCHAR" } as const
const chunkRows = 2048

const valuesOf = (api: typeof Api, column: WritableColumn, from: number, to: number): Array<Api.DuckDBValue> => {
  const values: Array<Api.DuckDBValue> = []
  for (let row = from; row < to; row++) {
    const value = column.values[row]
    if (typeof value !== "number" || column.type === "double") values.push(value)
    else if (Number.isNaN(value)) values.push(null)
    else
      values.push(column.type === "timestamp" ? new api.DuckDBTimestampMillisecondsValue(BigInt(value)) : BigInt(value))
  }
  return values
}

const append = async (
  api: typeof Api,
  connection: Api.DuckDBConnection,
  table: string,
  columns: ReadonlyArray<WritableColumn>,
) => {
  const fields = columns.map((column) => `${identifier(column.name)} ${sqlTypes[column.type]}`)
  await connection.run(`CREATE TABLE ${identifier(table)} (${fields.join(", ")})`)
  const types = columns.map(({ type }) =>
    type === "timestamp"
      ? api.TIMESTAMP_MS
      : type === "integer"
        ? api.BIGINT
        : type === "double"
          ? api.DOUBLE
          : api.VARCHAR,
  )
  const rows = columns[0]?.values.length ?? 0
  const odd = columns.find((column) => column.values.length !== rows)
  if (odd !== undefined)
    throw new RangeError(`the column ${odd.name} has ${odd.values.length} values, the first has ${rows}`)
  const appender = await connection.createAppender(table)
  for (let from = 0; from < rows; from += chunkRows) {
    const to = Math.min(rows, from + chunkRows)
    const chunk = api.DuckDBDataChunk.create(types, to - from)
    chunk.setColumns(columns.map((column) => valuesOf(api, column, from, to)))
    appender.appendDataChunk(chunk)
  }
  appender.closeSync()
}

const connect = (api: typeof Api, connection: Api.DuckDBConnection): DuckDbConnection => {
  const run: DuckDbConnection["run"] = (sql, params = []) =>
    Effect.asVoid(attempt("run a statement", () => connection.run(sql, [...params])))
  return {
    run,
    rows: (sql, params = []) =>
      attempt("answer a query", async () => {
        const reader = await connection.runAndReadAll(sql, [...params])
        return reader
          .getRowObjects()
          .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])))
      }),
    columns: (sql) =>
      attempt("answer a query", async () => {
        const described = (await connection.runAndReadAll(`DESCRIBE ${sql}`)).getRowObjects()
        const names = described.map((row) => String(row["column_name"]))
        const kinds = described.map((row, index) => carried(names[index], String(row["column_type"])))
        const select = kinds.map((kind, index) => `${kind.sql} AS ${identifier(names[index])}`)
        const result = await connection.run(`SELECT ${select.join(", ")} FROM (${sql})`)
        const columns = await gather(
          result,
          kinds.map((kind) => kind.numeric),
        )
        return Object.fromEntries(names.map((name, index) => [name, columns[index]]))
      }),
    load: (table, columns) => attempt(`load the table ${table}`, () => append(api, connection, table, columns)),
    copyToParquet: (sql, path) =>
      attempt(`write ${path}`, async () => {
        await connection.run(`COPY (${sql}) TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`)
      }),
  }
}

const open = Effect.fn("DuckDb.open")(function* (allowed: Allowed) {
  const api = yield* attempt("be loaded", () => {
    DuckDbLibrary.open()
    return import("@duckdb/node-api")
  })
  const instance = yield* Effect.acquireRelease(
    attempt("start", () =>
      api.DuckDBInstance.create(":memory:", {
        threads: "1",
        autoinstall_known_extensions: "false",
        autoload_known_extensions: "false",
      }),
    ),
    (instance) => Effect.sync(() => instance.closeSync()),
  )
  const connection = yield* Effect.acquireRelease(
    attempt("connect", () => instance.connect()),
    (connection) => Effect.sync(() => connection.closeSync()),
  )
  const database = connect(api, connection)
  const folders = (allowed.folders ?? []).map((folder) => (folder.endsWith("/") ? folder : `${folder}/`))
  yield* database.run("SET TimeZone = 'UTC'")
  yield* database.run(`SET allowed_paths = ${list(allowed.paths ?? [])}`)
  yield* database.run(`SET allowed_directories = ${list(folders)}`)
  yield* database.run("SET enable_external_access = false")
  yield* database.run("SET lock_configuration = true")
  return database
})

const readColumns: DuckDb["Service"]["readColumns"] = (paths, select) =>
  Effect.scoped(
    Effect.gen(function* () {
      const names = select === undefined ? "*" : select.map(identifier).join(", ")
      const database = yield* open({ paths })
      return (yield* database.columns(`SELECT ${names} FROM read_parquet(${list(paths)})`)) satisfies Columns
    }),
  )

const writeParquet: DuckDb["Service"]["writeParquet"] = (path, columns) => {
  const temporary = join(dirname(path), `.${basename(path).slice(0, 64)}.${crypto.randomUUID()}.tmp`)
  return Effect.scoped(
    Effect.gen(function* () {
      const database = yield* open({ paths: [temporary] })
      yield* database.load("written", columns)
      yield* database.copyToParquet("FROM written", temporary)
    }),
  ).pipe(
    Effect.andThen(Durable.fsyncFile(temporary)),
    Effect.andThen(Durable.renameDurably(temporary, path)),
    Effect.onError(() => Effect.ignore(Durable.attempt("remove", temporary, () => Fs.unlink(temporary)))),
  )
}

/** DuckDB in this process. */
export const layer = Layer.succeed(DuckDb, { open, readColumns, writeParquet })
