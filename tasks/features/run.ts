import { join } from "node:path"
import * as Effect from "effect/Effect"
import { align } from "../../src/market/bars.ts"
import * as Features from "../../src/market/features.ts"
import { choosePair } from "../../src/market/pair-choice.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { Attempt } from "../../src/services/attempt.ts"
import * as DatasetBars from "../../src/services/dataset-bars.ts"
import { DuckDb } from "../../src/services/duckdb.ts"
import { Settings } from "../../src/services/settings.ts"
import { Workspace } from "../../src/services/workspace.ts"
import { type FeaturesInput, type FeaturesOutput, NoCommonBars } from "./schema.ts"

const fileName = "features.parquet"

/** See the task type. */
export const run = Effect.fn("features")(function* (input: FeaturesInput) {
  const { sections } = yield* Settings
  const workspace = yield* Workspace
  const { scratch } = yield* Attempt
  const pair = yield* Effect.fromResult(choosePair(sections.universe, input.dataset.symbols, input))
  const { timeframe } = input.dataset
  const [legA, legB] = [pair.leg_A.canonical_symbol, pair.leg_B.canonical_symbol]
  const own = input.dataset.partitions.filter(({ symbol }) => symbol === legA || symbol === legB)
  const partitions = yield* Effect.forEach(own, (partition) =>
    Effect.map(workspace.resolve(partition.path), (path) => ({ ...partition, path })),
  )
  const read = (symbol: string) => DatasetBars.readSymbol(symbol, { ...input.dataset, partitions })
  const bars = align(yield* read(legA), yield* read(legB))
  if (bars.timestamp.length === 0) return yield* new NoCommonBars({ legA, legB })
  const spec = input.spec ?? Features.defaultFeatureSpec
  const table = Features.features(bars, spec)
  const path = join(scratch, fileName)
  yield* (yield* DuckDb).writeParquet(path, [
    { name: "timestamp", type: "timestamp", values: table.timestamp },
    ...table.names.map((name) => ({
      name,
      type: "double" as const,
      values: Array.from(table.columns[name], (value) => (Number.isFinite(value) ? value : null)),
    })),
  ])
  const time = (row: number) => new Date(table.timestamp[row]).toISOString()
  return {
    features: yield* (yield* Artifacts).putFile(fileName, "application/vnd.apache.parquet", path),
    slot: { legA, legB, timeframe },
    names: table.names,
    rows: table.timestamp.length,
    completeRows: Features.completeRows(table).length,
    from: time(0),
    to: time(table.timestamp.length - 1),
    spec,
    synthetic: input.dataset.synthetic,
  } satisfies FeaturesOutput
})
