import * as Effect from "effect/Effect"
import { type DuckDbConnection, identifier } from "../../src/services/duckdb.ts"
import { asNumber, type LoadedBars } from "../../src/services/duckdb-bar-files.ts"
import type { Expectations } from "./expectations.ts"

/** The columns of a bar that are numbers. */
export const barColumns = ["open", "high", "low", "close", "volume"]

/**
 * The table `data`: the rows of `bars` with the numeric columns as DOUBLE (NULL where there is text), beside `_file`,
 * `_row`, `_position`, `_symbol`, `_ts`.
 */
export interface Data {
  readonly database: DuckDbConnection
  readonly loaded: LoadedBars
  readonly numeric: ReadonlyArray<string>
  readonly rows: number
  readonly rowsOf: ReadonlyMap<string, number>
  readonly has: (column: string) => boolean
}

const quoted = (name: string) => `CAST(bars.${identifier(name)} AS VARCHAR)`

/** Text columns in which at least half of what is written reads as a number: JSON and CSV have no other kind. */
const looksNumeric = Effect.fnUntraced(function* (database: DuckDbConnection, loaded: LoadedBars) {
  const texts = [...loaded.columns].flatMap(([name, kind]) =>
    kind === "text" && !["timestamp", "symbol", "timeframe"].includes(name) ? [name] : [],
  )
  if (texts.length === 0) return []
  const share = (name: string, index: number) =>
    `count(${asNumber(loaded, name)}) * 2 >= count(nullif(trim(${quoted(name)}), '')) AND count(${asNumber(loaded, name)}) > 0 AS c${index}`
  const [row] = yield* database.rows(`SELECT ${texts.map(share).join(", ")} FROM bars`)
  return texts.filter((_, index) => row[`c${index}`] === true)
})

/** Makes `data` of `bars`. */
export const prepare = Effect.fnUntraced(function* (
  database: DuckDbConnection,
  loaded: LoadedBars,
  expectations: Expectations,
  files: ReadonlyArray<string>,
) {
  const wanted = new Set([
    ...barColumns,
    ...Object.keys(expectations.column_ranges ?? {}),
    ...(yield* looksNumeric(database, loaded)),
  ])
  const numeric = [...loaded.columns].flatMap(([name, kind]) => (kind === "number" || wanted.has(name) ? [name] : []))
  const select = [...loaded.columns.keys()].map((name) =>
    numeric.includes(name) ? `${asNumber(loaded, name)} AS ${identifier(name)}` : identifier(name),
  )
  yield* database.run(
    `CREATE TABLE data AS SELECT _file, _row, _position, _symbol, _ts${select.map((each) => `, ${each}`).join("")} FROM bars`,
  )
  const counts = yield* database.rows("SELECT _file AS file, count(*) AS rows FROM data GROUP BY _file")
  const rowsOf = new Map(files.map((file) => [file, 0]))
  for (const { file, rows } of counts) rowsOf.set(String(file), Number(rows))
  const rows = [...rowsOf.values()].reduce((sum, each) => sum + each, 0)
  return { database, loaded, numeric, rows, rowsOf, has: (column) => loaded.columns.has(column) } satisfies Data
})

/** SQL: `bars` and `data` side by side; both hold the same rows in the same order. */
export const sideBySide = "FROM bars POSITIONAL JOIN data"

/** SQL: the column as a DOUBLE, of `data`; NULL where it holds text that is no number. */
export const numberOf = (data: Data, column: string): string =>
  data.numeric.includes(column)
    ? `data.${identifier(column)}`
    : `TRY_CAST(CAST(data.${identifier(column)} AS VARCHAR) AS DOUBLE)`

/** SQL condition on `sideBySide`: the value is NULL, empty text or NaN. */
export const isMissing = (data: Data, column: string): string => {
  const raw = `bars.${identifier(column)}`
  const empty = data.loaded.columns.get(column) === "text" ? `(${raw} IS NULL OR trim(${raw}) = '')` : `${raw} IS NULL`
  return data.numeric.includes(column)
    ? `(${empty} OR coalesce(isnan(${numberOf(data, column)}), false))`
    : `(${empty})`
}

/** SQL: the value as it is written in the file, in quotes, for a message. */
export const written = (column: string): string => `'"' || coalesce(${quoted(column)}, '') || '"'`

/** SQL: a time in milliseconds as ISO 8601 text. */
export const isoText = (millis: string): string => `strftime(epoch_ms(CAST(${millis} AS BIGINT)), '%Y-%m-%dT%H:%M:%SZ')`
