import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SamplePair from "../../samples/sample-pair.ts"
import { align } from "../../src/market/bars.ts"
import * as Features from "../../src/market/features.ts"
import { synthetic } from "../../src/market/synthetic.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { DuckDb } from "../../src/services/duckdb.ts"
import features from "../../tasks/features/index.ts"
import * as TrainPlace from "./train-place.ts"
import * as Workplace from "./workplace.ts"

const [legA, legB] = synthetic({ ...SamplePair.spec, to: Date.UTC(2024, 2, 1) })

describe("features", () => {
  it.live("keeps the pair's feature table as Parquet, the same bytes for the same bars", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* Workplace.project
        yield* Effect.gen(function* () {
          const dataset = yield* TrainPlace.dataset(root, [legA, legB])
          const output = yield* features.run({ dataset })
          const table = Features.features(align(legA, legB))
          assert.deepStrictEqual(output.names, [...Features.featureNames])
          assert.strictEqual(output.rows, legA.timestamp.length)
          assert.strictEqual(output.completeRows, Features.completeRows(table).length)
          assert.strictEqual(output.from, "2024-01-01T00:00:00.000Z")

          const path = join(root, "read.parquet")
          yield* (yield* Artifacts).copyTo(output.features.sha256, path)
          const read = yield* (yield* DuckDb).readColumns([path])
          assert.deepStrictEqual(read["timestamp"], table.timestamp)
          for (const name of output.names) assert.deepStrictEqual(read[name], table.columns[name], name)

          const again = yield* features.run({ dataset })
          assert.deepStrictEqual(again, output)
        }).pipe(Effect.provide(TrainPlace.services(root)))
      }),
    ),
  )

  it.live("takes the windows that it is given", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* Workplace.project
        yield* Effect.gen(function* () {
          const dataset = yield* TrainPlace.dataset(root, [legA, legB])
          const spec = { ...Features.defaultFeatureSpec, window: 60 }
          const output = yield* features.run({ dataset, spec })
          assert.deepStrictEqual(output.spec, spec)
          assert.isAbove(output.completeRows, output.rows - 200)
        }).pipe(Effect.provide(TrainPlace.services(root)))
      }),
    ),
  )

  it.live("refuses legs that never trade at the same time", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* Workplace.project
        const error = yield* Effect.gen(function* () {
          const later = { ...legB, timestamp: legB.timestamp.map((time) => time + 1_800_000) }
          const dataset = yield* TrainPlace.dataset(root, [legA, later])
          return yield* Effect.flip(features.run({ dataset }))
        }).pipe(Effect.provide(TrainPlace.services(root)))
        assert.strictEqual(error._tag, "NoCommonBars")
      }),
    ),
  )
})
