/** The bars of a dataset, from files whose digests are checked first. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Dataset, Partition } from "../domain/dataset.ts"
import { type Column, DuckDb, type DuckDbError, literal } from "./duckdb.ts"
import * as Durable from "./durable-files.ts"

/** A partition's file cannot be used as the bars that the dataset says it holds. */
export class PartitionUnusable extends Schema.TaggedError<PartitionUnusable>()("PartitionUnusable", {
  path: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `${this.path} cannot be used: ${this.reason}; seed it again, and check it`
  }
}

/** One symbol's bars in ascending time, milliseconds since the epoch, UTC; NaN where a value is missing. */
export interface SymbolBars {
  readonly symbol: string
  readonly timeframe: Dataset["timeframe"]
  readonly timestamp: Float64Array
  readonly open: Float64Array
  readonly high: Float64Array
  readonly low: Float64Array
  readonly close: Float64Array
  readonly volume: Float64Array
}

/** A partition and the absolute path of its file. */
export interface LocatedPartition extends Pick<Partition, "symbol" | "month" | "sha256"> {
  readonly path: string
}

/** Fails with PartitionUnusable unless the file has its digest. */
export const checkDigest = Effect.fnUntraced(function* ({ path, sha256 }: LocatedPartition) {
  const found = yield* Durable.digestFile(path)
  if (found.sha256 === sha256) return
  const reason = `its SHA-256 is ${found.sha256.slice(0, 12)}…, the dataset names ${sha256.slice(0, 12)}…`
  return yield* new PartitionUnusable({ path, reason })
})

const readers = {
  parquet: (path: string) => `read_parquet(${path})`,
  json: (path: string) =>
    `read_json(${path}, format = 'array', columns = {timestamp: 'TIMESTAMPTZ', open: 'DOUBLE', high: 'DOUBLE', low: 'DOUBLE', close: 'DOUBLE', volume: 'DOUBLE'})`,
  csv: (path: string) => `read_csv(${path}, header = true, types = {timestamp: 'TIMESTAMPTZ'})`,
} satisfies Record<Dataset["format"], (path: string) => string>

const names = ["timestamp", "open", "high", "low", "close", "volume"] as const

const joined = (parts: ReadonlyArray<Float64Array>): Float64Array => {
  const column = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    column.set(part, at)
    at += part.length
  }
  return column
}

const readPartition = Effect.fnUntraced(function* (partition: LocatedPartition, format: Dataset["format"]) {
  yield* checkDigest(partition)
  const { path } = partition
  const database = yield* (yield* DuckDb).open({ paths: [path] })
  const columns = yield* database.columns(`SELECT ${names.join(", ")} FROM ${readers[format](literal(path))}`)
  const numbers = (name: string, column: Column | undefined): Effect.Effect<Float64Array, PartitionUnusable> =>
    column instanceof Float64Array
      ? Effect.succeed(column)
      : Effect.fail(new PartitionUnusable({ path, reason: `its column ${name} holds text` }))
  return yield* Effect.forEach(names, (name) => numbers(name, columns[name]))
})

/**
 * Reads one symbol's partitions in the order of their months. Each file's digest is checked before it is read; times
 * must ascend strictly over all of them.
 */
export const readSymbol = Effect.fn("readSymbol")(function* (
  symbol: string,
  dataset: {
    readonly timeframe: Dataset["timeframe"]
    readonly format: Dataset["format"]
    readonly partitions: ReadonlyArray<LocatedPartition>
  },
): Effect.fn.Return<SymbolBars, PartitionUnusable | DuckDbError | Durable.FileFailed, DuckDb> {
  const own = dataset.partitions
    .filter((partition) => partition.symbol === symbol)
    .toSorted((x, y) => (x.month < y.month ? -1 : x.month > y.month ? 1 : 0))
  const parts: Array<ReadonlyArray<Float64Array>> = []
  let latest = Number.NEGATIVE_INFINITY
  for (const partition of own) {
    const columns = yield* Effect.scoped(readPartition(partition, dataset.format))
    const disorder = columns[0].findIndex((time, row) => !(time > (row === 0 ? latest : columns[0][row - 1])))
    if (disorder >= 0) {
      const reason = `the timestamp of its row ${disorder + 1} is not after the one before`
      return yield* new PartitionUnusable({ path: partition.path, reason })
    }
    latest = columns[0].at(-1) ?? latest
    parts.push(columns)
  }
  const [timestamp, open, high, low, close, volume] = names.map((_, i) => joined(parts.map((columns) => columns[i])))
  return { symbol, timeframe: dataset.timeframe, timestamp, open, high, low, close, volume }
})
