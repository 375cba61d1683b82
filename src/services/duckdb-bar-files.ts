/** Bars in files that nobody has checked yet: loaded as they are, so that what is wrong can be found and located. */
import { basename } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { didYouMean } from "../domain/suggest.ts"
import { type DuckDbConnection, type DuckDbError, identifier, literal } from "./duckdb.ts"

/** The formats that bars are read from. `json` is an array of objects or one object a line. */
export const BarFileFormat = Schema.Literals(["json", "ndjson", "csv", "parquet"]).annotate({
  identifier: "BarFileFormat",
})
export type BarFileFormat = typeof BarFileFormat.Type

/** How a file's columns become a bar's. Without any of it the columns have a bar's names already. */
export const barMapping = {
  columns: Schema.optionalKey(
    Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Array(Schema.String)])),
  ).annotate({
    description: "a bar's column: the file's column, or several that are joined by a blank; other columns are left out",
  }),
  timestampFormat: Schema.optionalKey(Schema.String).annotate({
    description:
      "strptime format, as %Y.%m.%d %H:%M:%S; without it ISO 8601, or seconds or milliseconds since the epoch",
  }),
  utcOffset: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: -14, maximum: 14 }))).annotate({
    description: "hours that the file's clock is ahead of UTC; fixed, without daylight saving time",
  }),
  delimiter: Schema.optionalKey(
    Schema.String.check(Schema.isPattern(/^.$/s, { message: "must be one character" })),
  ).annotate({
    description:
      "between the columns of a CSV; without it the most frequent of tab, comma, semicolon, bar in the first line",
  }),
  format: Schema.optionalKey(BarFileFormat).annotate({ description: "by the file's extension without it" }),
}
const BarMapping = Schema.Struct(barMapping)
export type BarMapping = typeof BarMapping.Type

/** One file: where it is, what it is called in messages, and whose bars it holds where the path says so. */
export interface BarFile {
  readonly path: string
  readonly label: string
  readonly symbol?: string
}

/** A line or an element that is no row. `line` counts from 1; a JSON element has its position. */
export interface RejectedLine {
  readonly file: string
  readonly line: number
  readonly reason: string
}

/** What the table `bars` holds: its columns beside our own `_file`, `_row` (from 1, per file), `_position`, `_symbol`, `_ts`. */
export interface LoadedBars {
  readonly columns: ReadonlyMap<string, "text" | "number" | "timestamp">
  readonly rejected: ReadonlyArray<RejectedLine>
}

/** A file that cannot be read as a table of bars at all. */
export class BarFileInvalid extends Schema.TaggedError<BarFileInvalid>()("BarFileInvalid", {
  file: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `${this.file}: ${this.reason}`
  }
}

/** The format of a file by its name; `.gz` and `.zst` behind it are looked through. */
export const formatOf = (path: string): BarFileFormat | undefined => {
  const extension = /\.([a-z]+)(\.(gz|zst))?$/.exec(basename(path).toLowerCase())?.[1]
  const known: Record<string, BarFileFormat> = {
    json: "json",
    ndjson: "ndjson",
    jsonl: "ndjson",
    csv: "csv",
    tsv: "csv",
    txt: "csv",
    parquet: "parquet",
  }
  return extension === undefined ? undefined : known[extension]
}

const splitHeader = (line: string, delimiter: string): ReadonlyArray<string> => {
  const fields: Array<string> = []
  for (const match of `${line}${delimiter}`.matchAll(
    new RegExp(
      `(?:"((?:[^"]|"")*)"|([^${delimiter === "|" ? "\\|" : delimiter}]*))${delimiter === "|" ? "\\|" : delimiter}`,
      "g",
    ),
  )) {
    fields.push((match[1]?.replaceAll('""', '"') ?? match[2]).trim())
  }
  return fields
}

const csvSource = Effect.fnUntraced(function* (database: DuckDbConnection, file: BarFile, mapping: BarMapping) {
  const path = literal(file.path)
  const whole =
    "auto_detect = false, header = false, delim = '\\0', quote = '', escape = '', columns = {'line': 'VARCHAR'}"
  const [first] = yield* database.rows(`SELECT line FROM read_csv(${path}, ${whole}) LIMIT 1`)
  if (first === undefined)
    return yield* new BarFileInvalid({
      file: file.label,
      reason: "the file is empty; it must begin with a line of column names",
    })
  const header = String(first["line"])
    .replace(/^\uFEFF/, "")
    .replace(/\r$/, "")
  const count = (delimiter: string) => header.split(delimiter).length
  const delimiter =
    mapping.delimiter ?? ["\t", ",", ";", "|"].reduce((best, each) => (count(each) > count(best) ? each : best))
  const names = splitHeader(header, delimiter)
  const columns = names.map((name) => `${literal(name)}: 'VARCHAR'`).join(", ")
  return {
    names,
    types: names.map(() => "VARCHAR"),
    value: identifier,
    from: `read_csv(${path}, auto_detect = false, header = true, delim = ${literal(delimiter)}, quote = '"', escape = '"', null_padding = true, strict_mode = true, store_rejects = true, columns = {${columns}})`,
  }
})

const jsonSource = Effect.fnUntraced(function* (database: DuckDbConnection, file: BarFile) {
  const from = `read_json_objects(${literal(file.path)}, format = 'auto')`
  const keys = yield* database.rows(
    `SELECT key FROM (SELECT unnest(json_keys(json)) AS key FROM ${from} WHERE json_type(json) = 'OBJECT') GROUP BY key ORDER BY key`,
  )
  const names = keys.map((row) => String(row["key"]))
  const pointer = (name: string) => literal(`/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`)
  return {
    names,
    types: names.map(() => "VARCHAR"),
    value: (name: string) => `json_extract_string(json, ${pointer(name)})`,
    from,
  }
})

const parquetSource = Effect.fnUntraced(function* (database: DuckDbConnection, file: BarFile) {
  const from = `read_parquet(${literal(file.path)})`
  const described = yield* database.rows(`DESCRIBE SELECT * FROM ${from}`)
  const field = (name: string) => described.map((row) => String(row[name]))
  return { names: field("column_name"), types: field("column_type"), value: identifier, from }
})

/** Milliseconds since the epoch, UTC, of the expression's value; NULL where it is no time. */
const timeOf = (value: string, type: string, mapping: BarMapping): string => {
  const shift = mapping.utcOffset === undefined ? "" : ` - ${Math.round(mapping.utcOffset * 3_600_000)}`
  if (type.startsWith("TIMESTAMP") || type === "DATE") return `epoch_ms(CAST(${value} AS TIMESTAMPTZ))${shift}`
  const text = `CAST(${value} AS VARCHAR)`
  if (mapping.timestampFormat !== undefined)
    return `epoch_ms(try_strptime(${text}, ${literal(mapping.timestampFormat)}))${shift}`
  return `CASE WHEN regexp_full_match(${text}, '[0-9]{12,13}') THEN TRY_CAST(${text} AS BIGINT)
    WHEN regexp_full_match(${text}, '[0-9]{9,10}') THEN TRY_CAST(${text} AS BIGINT) * 1000
    ELSE epoch_ms(TRY_CAST(${text} AS TIMESTAMPTZ)) END${shift}`
}

const kindOf = (type: string) =>
  /^(TIMESTAMP|DATE)/.test(type)
    ? "timestamp"
    : /^(DOUBLE|FLOAT|DECIMAL|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER)/.test(type)
      ? "number"
      : "text"

const loadFile = Effect.fnUntraced(function* (
  database: DuckDbConnection,
  file: BarFile,
  index: number,
  mapping: BarMapping,
) {
  const invalid = (reason: string) => new BarFileInvalid({ file: file.label, reason })
  const format = mapping.format ?? formatOf(file.path)
  if (format === undefined)
    return yield* invalid("its format cannot be told by its name; set `format` (json, ndjson, csv, parquet)")
  const source = yield* format === "csv"
    ? csvSource(database, file, mapping)
    : format === "parquet"
      ? parquetSource(database, file)
      : jsonSource(database, file)
  const folded = source.names.map((name) => name.toLowerCase())
  const twice = folded.find((name, position) => folded.indexOf(name) !== position)
  if (twice !== undefined) return yield* invalid(`the column ${twice} is there twice`)
  const wanted = mapping.columns ?? Object.fromEntries(source.names.map((name) => [name, name]))
  const reserved = Object.keys(wanted).find((name) => name.startsWith("_") || name === "")
  if (reserved !== undefined) return yield* invalid(`a column cannot be called "${reserved}"; map it to another name`)
  const select: Array<string> = []
  const kinds = new Map<string, "text" | "number" | "timestamp">()
  let time = "NULL::BIGINT"
  for (const [name, from] of Object.entries(wanted)) {
    const parts = typeof from === "string" ? [from] : from
    const missing = parts.find((part) => !source.names.includes(part))
    if (missing !== undefined) {
      return yield* invalid(
        `has no column ${missing} (for ${name}); its columns are ${source.names.join(", ")}.${didYouMean(missing, source.names)}`,
      )
    }
    const type = parts.length === 1 ? source.types[source.names.indexOf(parts[0])] : "VARCHAR"
    const value =
      parts.length === 1
        ? source.value(parts[0])
        : `(${parts.map((part) => `CAST(${source.value(part)} AS VARCHAR)`).join(" || ' ' || ")})`
    const kind = kindOf(type)
    kinds.set(name, kind)
    select.push(`${kind === "text" ? `CAST(${value} AS VARCHAR)` : value} AS ${identifier(name)}`)
    if (name === "timestamp") time = timeOf(value, type, mapping)
  }
  const symbol =
    file.symbol !== undefined
      ? literal(file.symbol)
      : kinds.has("symbol")
        ? `coalesce(${source.value(String(wanted["symbol"]))}, '')`
        : "''"
  const columns = [
    `${literal(file.label)} AS _file`,
    "row_number() OVER () AS _row",
    `CAST(${symbol} AS VARCHAR) AS _symbol`,
    `CAST(${time} AS BIGINT) AS _ts`,
    ...select,
  ]
  yield* database.run(`CREATE TEMP TABLE _part_${index} AS SELECT ${columns.join(", ")} FROM ${source.from}`)
  const rejected: Array<RejectedLine> = []
  if (format === "csv") {
    const errors = yield* database.rows(
      "SELECT line, any_value(error_message) AS reason FROM reject_errors GROUP BY line ORDER BY line",
    )
    yield* database.run("DELETE FROM reject_errors")
    for (const row of errors)
      rejected.push({ file: file.label, line: Number(row["line"]), reason: String(row["reason"]) })
  } else if (format !== "parquet") {
    const strange = yield* database.rows(
      `SELECT line, type FROM (SELECT row_number() OVER () AS line, json_type(json) AS type FROM ${source.from}) WHERE type <> 'OBJECT' ORDER BY line`,
    )
    for (const row of strange)
      rejected.push({
        file: file.label,
        line: Number(row["line"]),
        reason: `is ${String(row["type"]).toLowerCase()}, not an object`,
      })
  }
  return { kinds, rejected }
})

/**
 * Loads files into the table `bars` in the order in which they are named, nothing left out: columns that are text in the
 * file stay text, and `_ts` is NULL where the timestamp is none. Lines that are no rows come back as `rejected`.
 */
export const loadBars = Effect.fn("loadBars")(function* (
  database: DuckDbConnection,
  files: ReadonlyArray<BarFile>,
  mapping: BarMapping = {},
): Effect.fn.Return<LoadedBars, DuckDbError | BarFileInvalid> {
  const parts = yield* Effect.forEach(files, (file, index) => loadFile(database, file, index, mapping))
  const columns = new Map<string, "text" | "number" | "timestamp">()
  for (const [name, kind] of parts.flatMap((part) => [...part.kinds])) {
    columns.set(name, columns.has(name) && columns.get(name) !== kind ? "text" : kind)
  }
  const all = files.map((_, index) => `SELECT * FROM _part_${index}`).join(" UNION ALL BY NAME ")
  yield* database.run(`CREATE TABLE bars AS SELECT row_number() OVER () AS _position, * FROM (${all})`)
  for (const index of files.keys()) yield* database.run(`DROP TABLE _part_${index}`)
  return { columns, rejected: parts.flatMap((part) => part.rejected) }
})

/** The column as a DOUBLE; NULL where it holds text that is no number. */
export const asNumber = (loaded: LoadedBars, name: string): string =>
  loaded.columns.get(name) === "number"
    ? `CAST(${identifier(name)} AS DOUBLE)`
    : `TRY_CAST(CAST(${identifier(name)} AS VARCHAR) AS DOUBLE)`
