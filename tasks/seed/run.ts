import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import type { Partition } from "../../src/domain/dataset.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { identifier } from "../../src/services/duckdb.ts"
import * as Durable from "../../src/services/durable-files.ts"
import * as InputFiles from "../../src/services/input-files.ts"
import * as PartitionFolder from "../../src/services/partition-folder.ts"
import { Progress } from "../../src/services/progress.ts"
import { Settings } from "../../src/services/settings.ts"
import { Workspace } from "../../src/services/workspace.ts"
import { DatasetConflict, MonthsMissing } from "./errors.ts"
import { boundsOf, monthsOf } from "./months.ts"
import type { Seeded, SeedInput } from "./schema.ts"
import { openSource, type SymbolSource } from "./source.ts"

/** A partition that is ready in the scratch folder. */
interface Staged {
  readonly partition: Partition
  readonly folder: string
  readonly staged: string
  readonly meta: string
  readonly source: string
  readonly synthetic: boolean
}

const plainExpectations = (symbol: string, timeframe: string) => `name: ${symbol}_${timeframe}
required_columns: [timestamp, open, high, low, close, volume]
min_rows: 1
max_missing_rate: 0.0
column_ranges: {}
`

const iso = (millis: number) => new Date(millis).toISOString().replace(".000Z", "Z")

/** One bar a line; what JSON cannot hold (NaN, infinities) is null. */
const jsonText = (rows: ReadonlyArray<Readonly<Record<string, unknown>>>) =>
  `[\n${rows.map(({ _ts, ...bar }) => JSON.stringify({ timestamp: iso(Number(_ts)), ...bar })).join(",\n")}\n]\n`

const write = Effect.fnUntraced(function* (
  source: SymbolSource,
  month: string,
  path: string,
  format: "parquet" | "json",
) {
  const { from, to } = boundsOf(month)
  const columns = source.columns.map(identifier).join(", ")
  const rest = `FROM canonical WHERE _ts >= ${from} AND _ts < ${to} ORDER BY _position`
  if (format === "parquet") {
    return yield* source.database.copyToParquet(
      `SELECT CAST(epoch_ms(_ts) AS TIMESTAMPTZ) AS timestamp, ${columns} ${rest}`,
      path,
    )
  }
  yield* Durable.writeFileDurably(path, jsonText(yield* source.database.rows(`SELECT _ts, ${columns} ${rest}`)))
})

const stage = Effect.fnUntraced(function* (
  source: SymbolSource,
  symbol: string,
  month: string,
  input: SeedInput,
  root: string,
) {
  const workspace = yield* Workspace
  const { scratch } = yield* Attempt
  const format = input.format ?? "parquet"
  const { from, to } = boundsOf(month)
  const staged = join(scratch, `${symbol}_${month}.${format}`)
  yield* write(source, month, staged, format)
  const { bytes, sha256 } = yield* Durable.digestFile(staged)
  const missing = source.columns.map(
    (name) => `count(*) FILTER (${identifier(name)} IS NULL OR isnan(${identifier(name)})) AS ${identifier(name)}`,
  )
  const [counts] = yield* source.database.rows(
    `SELECT count(*) AS _rows, min(_ts) AS _first, max(_ts) AS _last, ${missing.join(", ")} FROM canonical WHERE _ts >= ${from} AND _ts < ${to}`,
  )
  const { _first, _last, _rows, ...missingValues } = counts
  const folder = yield* workspace.resolve(join(root, input.timeframe, symbol, month))
  const path = workspace.display(join(folder, `canonical.${format}`))
  const [firstTimestamp, lastTimestamp] = [iso(Number(_first)), iso(Number(_last))]
  const facts = {
    symbol,
    timeframe: input.timeframe,
    month,
    format,
    rows: Number(_rows),
    missing_values: missingValues,
    first_ts: firstTimestamp,
    last_ts: lastTimestamp,
    sha256,
    bytes,
    source: { text: source.text, files: source.files },
    synthetic: source.synthetic,
  }
  const partition: Partition = {
    symbol,
    month,
    path,
    sha256,
    bytes,
    rows: Number(_rows),
    firstTimestamp,
    lastTimestamp,
  }
  return {
    partition,
    folder,
    staged,
    meta: `${CanonicalJson.encode(facts)}\n`,
    source: source.text,
    synthetic: source.synthetic,
  } satisfies Staged
})

const stageSymbol = (symbol: string, months: ReadonlyArray<string>, input: SeedInput, root: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { scratch } = yield* Attempt
      const source = yield* openSource(symbol, months, input, scratch)
      const found = yield* source.database.rows(
        "SELECT DISTINCT strftime(epoch_ms(_ts), '%Y-%m') AS month FROM canonical ORDER BY month",
      )
      const available = found.map((row) => String(row["month"]))
      const missing = months.filter((month) => !available.includes(month))
      if (missing.length > 0) return yield* new MonthsMissing({ source: source.text, symbol, missing, available })
      return yield* Effect.forEach(months, (month) => stage(source, symbol, month, input, root))
    }),
  )

/** The digest of what is at a path; undefined when there is nothing. */
const digestAt = (path: string) =>
  Durable.digestFile(path).pipe(
    Effect.map(({ sha256 }): Sha256.Sha256 | undefined => sha256),
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeed(undefined),
    ),
  )

/** The files of a partition and the digest that each is to have; what another format left has none. */
const targets = (staged: Staged, expectations: string) => {
  const file = staged.partition.path.endsWith(".json") ? "canonical.json" : "canonical.parquet"
  const other = file === "canonical.json" ? "canonical.parquet" : "canonical.json"
  return [
    { name: file, sha256: staged.partition.sha256 },
    { name: "dq_expectations.yaml", sha256: Sha256.of(expectations) },
    { name: "__meta.json", sha256: Sha256.of(staged.meta) },
    { name: other, sha256: undefined },
  ].map((target) => ({ ...target, path: join(staged.folder, target.name) }))
}

const forbidden = new Set(["EACCES", "EPERM", "EROFS"])

/**
 * Makes data that has its bytes already count as put now. Of somebody else's file only a new one can say that; where this user
 * may not write at all, it stays as it is.
 */
const renew = (staged: Staged, path: string) =>
  Durable.renewTime(path).pipe(
    Effect.catchIf(
      ({ code }) => forbidden.has(code),
      () => Effect.asVoid(Durable.copyFileDurably(staged.staged, path)),
    ),
    Effect.catchIf(
      ({ code }) => forbidden.has(code),
      () => Effect.void,
    ),
  )

/**
 * Puts a partition's files in place, its `__meta.json` last; a file that has its bytes already is not written, and the data
 * counts as put now. Meanwhile no purge removes the partition.
 */
const place = Effect.fnUntraced(function* (staged: Staged, expectations: string) {
  yield* PartitionFolder.hold(staged.folder)
  const [data, expected, meta, other] = targets(staged, expectations)
  if ((yield* digestAt(data.path)) === data.sha256) yield* renew(staged, data.path)
  else yield* Durable.copyFileDurably(staged.staged, data.path)
  if ((yield* digestAt(other.path)) !== undefined) yield* Durable.removeFileDurably(other.path)
  if ((yield* digestAt(expected.path)) !== expected.sha256) yield* Durable.writeFileDurably(expected.path, expectations)
  if ((yield* digestAt(meta.path)) !== meta.sha256) yield* Durable.writeFileDurably(meta.path, staged.meta)
}, Effect.scoped)

/** See the task type. Everything is staged and compared before the first file is written. */
export const run = Effect.fn("seed")(function* (input: SeedInput) {
  const workspace = yield* Workspace
  const settings = yield* Settings
  const progress = yield* Progress
  const root = yield* workspace.resolve(input.outputRoot ?? settings.sections.storage.canonical_root)
  const months = monthsOf(input)
  const symbols = input.symbols.toSorted()
  const given =
    input.expectations === undefined
      ? undefined
      : yield* Effect.flatMap(workspace.resolve(input.expectations), InputFiles.readText)
  const expectations = (symbol: string) => given ?? plainExpectations(symbol, input.timeframe)
  const staged = (yield* Effect.forEach(symbols, (symbol) => stageSymbol(symbol, months, input, root))).flat()

  if (input.force !== true) {
    const conflicts: Array<string> = []
    for (const each of staged) {
      for (const { path, sha256 } of targets(each, expectations(each.partition.symbol))) {
        const there = yield* digestAt(path)
        if (there !== undefined && there !== sha256) conflicts.push(workspace.display(path))
      }
    }
    if (conflicts.length > 0) return yield* new DatasetConflict({ paths: conflicts })
  }
  for (const [index, each] of staged.entries()) {
    yield* place(each, expectations(each.partition.symbol))
    yield* progress.report({ done: index + 1, total: staged.length, unit: "partitions" })
  }
  const partitions = staged.map((each) => each.partition)
  return {
    dataset: {
      timeframe: input.timeframe,
      symbols,
      format: input.format ?? "parquet",
      partitions,
      rows: partitions.reduce((sum, { rows }) => sum + rows, 0),
      synthetic: staged.some((each) => each.synthetic),
      source: [...new Set(staged.map((each) => each.source))].join(", "),
      digest: Sha256.of(
        partitions
          .map(({ sha256 }) => `${sha256}\n`)
          .sort()
          .join(""),
      ),
    },
  } satisfies Seeded
})
