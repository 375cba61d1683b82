import * as Effect from "effect/Effect"
import { synthetic } from "../../src/market/synthetic.ts"
import type { DuckDbConnection } from "../../src/services/duckdb.ts"
import { DuckDb, identifier, literal } from "../../src/services/duckdb.ts"
import * as BarFiles from "../../src/services/duckdb-bar-files.ts"
import * as Durable from "../../src/services/durable-files.ts"
import * as InputFiles from "../../src/services/input-files.ts"
import { Workspace } from "../../src/services/workspace.ts"
import { SourceInvalid } from "./errors.ts"
import { boundsOf } from "./months.ts"
import type { SeedInput, Source } from "./schema.ts"

/** A symbol's bars in a table `canonical` (`_position`, `_row`, `_file`, `_ts`, then one DOUBLE per column), unchecked. */
export interface SymbolSource {
  readonly database: DuckDbConnection
  /** Numeric columns, the five of a bar first. */
  readonly columns: ReadonlyArray<string>
  readonly text: string
  readonly files: ReadonlyArray<{ readonly path: string; readonly sha256: string }>
  readonly synthetic: boolean
}

const prices = ["open", "high", "low", "close", "volume"]
const shown = 5

const fileOf = (source: Exclude<Source, { kind: "synthetic" }>, input: SeedInput) =>
  source.kind === "file"
    ? source
    : { kind: "file" as const, path: `samples/data/synthetic_{symbol}_${input.timeframe}.csv`, synthetic: true }

/** What is wrong with the rows, with their places, at most five of each kind. */
const problemsOf = Effect.fnUntraced(function* (
  database: DuckDbConnection,
  loaded: BarFiles.LoadedBars,
  columns: ReadonlyArray<string>,
  within: string,
) {
  const found: Array<string> = loaded.rejected.map(({ file, line, reason }) => `${file}, line ${line}: ${reason}`)
  const look = Effect.fnUntraced(function* (name: string, where: string, reason: string) {
    const rows = yield* database.rows(
      `SELECT _file AS file, _row AS row, CAST(${identifier(name)} AS VARCHAR) AS text, count(*) OVER () AS total FROM bars WHERE ${where} ORDER BY _position LIMIT ${shown}`,
    )
    for (const { file, row, text } of rows)
      found.push(`${file}, row ${row}: ${name} ${text === null ? "is missing" : `${JSON.stringify(text)} ${reason}`}`)
    const more = Number(rows[0]?.["total"] ?? 0) - rows.length
    if (more > 0) found.push(`and ${more} more rows whose ${name} ${reason}`)
  })
  yield* look("timestamp", `_ts IS NULL AND ${within}`, "is no time")
  for (const name of columns) {
    yield* look(
      name,
      `${BarFiles.asNumber(loaded, name)} IS NULL AND trim(CAST(${identifier(name)} AS VARCHAR)) <> '' AND ${within}`,
      "is no number",
    )
  }
  return found
})

const fromFiles = Effect.fnUntraced(function* (
  source: ReturnType<typeof fileOf>,
  symbol: string,
  months: ReadonlyArray<string>,
  input: SeedInput,
  folder: string,
) {
  const workspace = yield* Workspace
  const pattern = source.path.replaceAll("{symbol}", symbol)
  const invalid = (problems: ReadonlyArray<string>) => new SourceInvalid({ source: pattern, problems })
  const [start] = pattern.split(/[*?[{]/)
  const root = yield* workspace.resolve(start === pattern ? pattern : start.slice(0, start.lastIndexOf("/") + 1) || ".")
  const listed = yield* InputFiles.matching(
    start === pattern ? root : `${root}/${pattern.slice(start.lastIndexOf("/") + 1)}`,
  )
  if (listed.length === 0) return yield* invalid(["no file has such a name"])
  const paths = yield* Effect.forEach(listed, workspace.resolve)
  const files = yield* Effect.forEach(paths, (path) =>
    Effect.map(Durable.digestFile(path), ({ sha256 }) => ({ path: workspace.display(path), sha256 })),
  )
  const database = yield* (yield* DuckDb).open({ paths, folders: [folder] })
  const loaded = yield* BarFiles.loadBars(
    database,
    paths.map((path) => ({ path, label: workspace.display(path) })),
    source,
  )
  const missing = ["timestamp", ...prices].filter((name) => !loaded.columns.has(name))
  if (missing.length > 0)
    return yield* invalid([
      `it has no column ${missing.join(", ")}; its columns are ${[...loaded.columns.keys()].join(", ")}. Name them with \`columns\``,
    ])
  const named = source.path.includes("{symbol}")
  if (!named && input.symbols.length > 1 && !loaded.columns.has("symbol")) {
    return yield* invalid(["it is the same for every symbol and has no column symbol; put {symbol} into the path"])
  }
  const extras = [...loaded.columns.keys()].filter(
    (name) => !["timestamp", "symbol", "timeframe", ...prices].includes(name),
  )
  const columns = [...prices, ...extras]
  const own = [
    loaded.columns.has("symbol") ? `symbol = ${literal(symbol)}` : "true",
    loaded.columns.has("timeframe") ? `timeframe = ${literal(input.timeframe)}` : "true",
  ].join(" AND ")
  const wanted = months.map((month) => `_ts >= ${boundsOf(month).from} AND _ts < ${boundsOf(month).to}`).join(" OR ")
  const problems = yield* problemsOf(database, loaded, columns, `${own} AND (_ts IS NULL OR ${wanted})`)
  if (problems.length > 0) return yield* invalid(problems)
  const values = columns.map((name) => `${BarFiles.asNumber(loaded, name)} AS ${identifier(name)}`)
  yield* database.run(`CREATE TABLE canonical AS SELECT _position, _ts, ${values.join(", ")} FROM bars WHERE ${own}`)
  return { database, columns, text: pattern, files, synthetic: source.synthetic === true } satisfies SymbolSource
})

const generated = Effect.fnUntraced(function* (
  source: Extract<Source, { kind: "synthetic" }>,
  symbol: string,
  months: ReadonlyArray<string>,
  input: SeedInput,
  folder: string,
) {
  const { kind: _, ...rest } = source
  const all = synthetic({
    ...rest,
    symbols: input.symbols,
    timeframe: input.timeframe,
    from: boundsOf(months[0]).from,
    to: boundsOf(months[months.length - 1]).to,
  })
  const bars = all[input.symbols.indexOf(symbol)]
  const database = yield* (yield* DuckDb).open({ folders: [folder] })
  yield* database.load("canonical", [
    { name: "_position", type: "integer", values: bars.timestamp.map((_, index) => index + 1) },
    { name: "_ts", type: "integer", values: bars.timestamp },
    { name: "open", type: "double", values: bars.open },
    { name: "high", type: "double", values: bars.high },
    { name: "low", type: "double", values: bars.low },
    { name: "close", type: "double", values: bars.close },
    { name: "volume", type: "double", values: bars.volume },
  ])
  const regime = source.regime === undefined ? "" : `, regime ${source.regime}`
  const text = `synthetic: seed ${source.seed}${regime}, symbols ${input.symbols.join(" ")}, from ${months[0]}`
  return { database, columns: prices, text, files: [], synthetic: true } satisfies SymbolSource
})

/** Opens a symbol's source. `folder` is where the database may write. Fails with the rows that are no bars. */
export const openSource = (symbol: string, months: ReadonlyArray<string>, input: SeedInput, folder: string) => {
  const source = input.source ?? { kind: "sample" as const }
  if (source.kind === "synthetic") return generated(source, symbol, months, input, folder)
  if (source.kind === "sample" && input.timeframe !== "1h") {
    return Effect.fail(
      new SourceInvalid({
        source: "the sample",
        problems: ["it has bars of 1h only; use kind: synthetic for other timeframes"],
      }),
    )
  }
  return fromFiles(fileOf(source, input), symbol, months, input, folder)
}
