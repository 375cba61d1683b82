import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Dataset } from "../../src/domain/dataset.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { type LocatedPartition, readSymbol } from "../../src/services/dataset-bars.ts"
import { DuckDb } from "../../src/services/duckdb.ts"
import * as DuckDbEmbedded from "../../src/services/duckdb-embedded.ts"

const hour = 3_600_000
const start = Date.UTC(2025, 0, 1)
const iso = (time: number) => new Date(time).toISOString().replace(".000Z", "Z")
const bar = (time: number) => ({
  timestamp: iso(time),
  open: 1,
  high: 1.5,
  low: 0.5,
  close: time % 7,
  volume: 10,
  z: 0,
})

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-bars-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true })),
)

const located = Effect.fnUntraced(function* (path: string, month: string) {
  const sha256 = Sha256.of(yield* Effect.promise(() => Bun.file(path).bytes()))
  return { symbol: "EURUSD", month, path, sha256 } satisfies LocatedPartition
})

const dataset = (format: Dataset["format"], partitions: ReadonlyArray<LocatedPartition>) => ({
  timeframe: "1h" as const,
  format,
  partitions,
})

const jsonPartition = Effect.fnUntraced(function* (root: string, month: string, times: ReadonlyArray<number>) {
  const path = join(root, `${month}.json`)
  yield* Effect.promise(() => Bun.write(path, JSON.stringify(times.map(bar))))
  return yield* located(path, month)
})

describe("reading a dataset's bars", () => {
  it.effect("reads the same bars from Parquet, JSON and CSV", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* folder
        const times = [start, start + hour, start + 2 * hour]
        const json = yield* jsonPartition(root, "2025-01", times)
        const csv = join(root, "bars.csv")
        const lines = times.map((time) => Object.values(bar(time)).join(","))
        yield* Effect.promise(() => Bun.write(csv, [Object.keys(bar(start)).join(","), ...lines, ""].join("\n")))
        const parquet = join(root, "bars.parquet")
        const column = (name: "open" | "high" | "low" | "close" | "volume") => ({
          name,
          type: "double" as const,
          values: Float64Array.from(times, (time) => bar(time)[name]),
        })
        yield* (yield* DuckDb).writeParquet(parquet, [
          { name: "timestamp", type: "timestamp", values: Float64Array.from(times) },
          ...(["open", "high", "low", "close", "volume"] as const).map(column),
        ])
        const expected = yield* readSymbol("EURUSD", dataset("json", [json]))
        assert.deepStrictEqual(Array.from(expected.timestamp), times)
        assert.deepStrictEqual(
          Array.from(expected.close),
          times.map((time) => time % 7),
        )
        const fromCsv = yield* readSymbol("EURUSD", dataset("csv", [yield* located(csv, "2025-01")]))
        const fromParquet = yield* readSymbol("EURUSD", dataset("parquet", [yield* located(parquet, "2025-01")]))
        assert.deepStrictEqual(fromCsv, expected)
        assert.deepStrictEqual(fromParquet, expected)
      }),
    ).pipe(Effect.provide(DuckDbEmbedded.layer)),
  )

  it.effect("joins months in their order, whatever the order of the partitions", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* folder
        const february = Date.UTC(2025, 1, 1)
        const later = yield* jsonPartition(root, "2025-02", [february])
        const sooner = yield* jsonPartition(root, "2025-01", [start, start + hour])
        const bars = yield* readSymbol("EURUSD", dataset("json", [later, sooner]))
        assert.deepStrictEqual(Array.from(bars.timestamp), [start, start + hour, february])
      }),
    ).pipe(Effect.provide(DuckDbEmbedded.layer)),
  )

  it.effect("refuses a file whose bytes have changed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* folder
        const partition = yield* jsonPartition(root, "2025-01", [start])
        yield* Effect.promise(() => Fs.appendFile(partition.path, "\n"))
        const error = yield* Effect.flip(readSymbol("EURUSD", dataset("json", [partition])))
        assert.deepInclude(error, { _tag: "PartitionUnusable", path: partition.path })
        assert.include(error.message, "SHA-256")
      }),
    ).pipe(Effect.provide(DuckDbEmbedded.layer)),
  )

  it.effect("refuses times that do not ascend, within a file and from one to the next, and names the row", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* folder
        const within = yield* jsonPartition(root, "2025-01", [start, start + hour, start + hour])
        const inside = yield* Effect.flip(readSymbol("EURUSD", dataset("json", [within])))
        assert.include(inside.message, "row 3")
        const first = yield* jsonPartition(root, "2025-01", [start, start + hour])
        const second = yield* jsonPartition(root, "2025-02", [start + hour])
        const between = yield* Effect.flip(readSymbol("EURUSD", dataset("json", [first, second])))
        assert.deepInclude(between, { path: second.path })
        assert.include(between.message, "row 1")
      }),
    ).pipe(Effect.provide(DuckDbEmbedded.layer)),
  )
})
