/** A project with checked bars in Parquet, and everything that `features` and `train` ask for. */
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CheckedDataset, type Dataset, type Partition } from "../../src/domain/dataset.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import type { Bars } from "../../src/market/bars.ts"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"
import { DuckDb } from "../../src/services/duckdb.ts"
import * as DuckDbEmbedded from "../../src/services/duckdb-embedded.ts"
import * as ProcessesLocal from "../../src/services/processes-local.ts"
import { Progress } from "../../src/services/progress.ts"
import * as SettingsFiles from "../../src/services/settings-files.ts"
import * as Workplace from "./workplace.ts"

const checkout = fileURLToPath(new URL("../..", import.meta.url))

/** The program that stands for `dandori` here: it knows the trainer's command only. */
const self = [process.execPath, join(checkout, "tasks/train/builtin-trainer-main.ts")]

const column = (bars: Bars, name: "open" | "high" | "low" | "close" | "volume", rows: ReadonlyArray<number>) => ({
  name,
  type: "double" as const,
  values: Float64Array.from(rows, (row) => bars[name][row]),
})

const writePartition = Effect.fnUntraced(function* (
  root: string,
  bars: Bars,
  month: string,
  rows: ReadonlyArray<number>,
) {
  const folder = `.dandori/canonical/${bars.timeframe}/${bars.symbol}/${month}`
  const path = `${folder}/canonical.parquet`
  yield* Effect.promise(() => Fs.mkdir(join(root, folder), { recursive: true }))
  const timestamp = Float64Array.from(rows, (row) => bars.timestamp[row])
  yield* (yield* DuckDb).writeParquet(join(root, path), [
    { name: "timestamp", type: "timestamp", values: timestamp },
    ...(["open", "high", "low", "close", "volume"] as const).map((name) => column(bars, name, rows)),
  ])
  const bytes = yield* Effect.promise(() => Bun.file(join(root, path)).bytes())
  const iso = (millis: number | undefined) => new Date(millis ?? 0).toISOString()
  return {
    symbol: bars.symbol,
    month,
    path,
    sha256: Sha256.of(bytes),
    bytes: bytes.length,
    rows: rows.length,
    firstTimestamp: iso(timestamp[0]),
    lastTimestamp: iso(timestamp.at(-1)),
  } satisfies Partition
})

/** Writes the bars of some symbols by month and names them as a dataset that a gate has let through. */
export const dataset = Effect.fnUntraced(function* (root: string, series: ReadonlyArray<Bars>) {
  const partitions: Array<Partition> = []
  for (const bars of series) {
    const months = Map.groupBy(bars.timestamp.keys(), (row) => new Date(bars.timestamp[row]).toISOString().slice(0, 7))
    for (const [month, rows] of months) partitions.push(yield* writePartition(root, bars, month, rows))
  }
  const made: Dataset = {
    timeframe: series[0].timeframe,
    symbols: series.map(({ symbol }) => symbol),
    format: "parquet",
    partitions,
    rows: partitions.reduce((sum, { rows }) => sum + rows, 0),
    synthetic: true,
    source: "test",
    digest: Sha256.of(
      partitions
        .map(({ sha256 }) => `${sha256}\n`)
        .sort()
        .join(""),
    ),
  }
  return CheckedDataset.make(made)
})

/** The services of an attempt in a project, with the shipped configuration of dev; `onNote` is told each progress note. */
export const services = (
  root: string,
  ids: { readonly run?: string; readonly task?: string } = {},
  onNote: (note: string) => Effect.Effect<void> = () => Effect.void,
) =>
  Layer.mergeAll(
    Workplace.attempt(root, ids),
    ArtifactsDirectory.layer(join(root, ".dandori/artifacts")),
    DuckDbEmbedded.layer,
    ProcessesLocal.layer({ folder: join(root, ".dandori/processes"), self }),
    SettingsFiles.layer({ project: checkout, env: "dev" }),
    Layer.succeed(Progress, { report: ({ note }) => onNote(note ?? "") }),
  )
