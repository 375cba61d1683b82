import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Model } from "../../src/domain/model.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import backtest from "../../tasks/backtest/index.ts"
import * as Place from "./backtest-place.ts"
import { failure, output } from "./backtest-run.ts"
import * as Workplace from "./workplace.ts"

describe("what is refused without a verdict", () => {
  it.effect("a model without out-of-sample predictions", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const error = yield* Effect.gen(function* () {
        const model = yield* Place.model(yield* Place.dataset(root), null)
        return yield* Effect.flip(backtest.run({ model }))
      }).pipe(Effect.provide(Place.services(root)))
      assert.strictEqual(error._tag, "BacktestRefused")
      assert.match(error.message, /has no out_of_sample\.json/)
    }),
  )

  it.effect("predictions for bars that the data does not have", () =>
    Effect.gen(function* () {
      const { timestamp } = Place.outOfSample()
      const message = yield* failure({ file: { timestamp: timestamp.map((time) => time + 60_000) } })
      assert.match(message, /out_of_sample\.json is not of these bars: it has 2024-01-29T20:01:00\.000Z/)
    }),
  )

  it.effect("a digest that is not that of the files", () =>
    Effect.gen(function* () {
      const message = yield* failure({ model: (model) => ({ ...model, digest: Sha256.of("another") }) })
      assert.match(message, /its digest is not the digest of its files/)
    }),
  )

  it.effect("bars that the model was not trained on", () =>
    Effect.gen(function* () {
      const message = yield* failure({ model: (model) => ({ ...model, datasets: [] }) })
      assert.match(message, /is not one of the partitions that it was trained on/)
    }),
  )

  const lies: ReadonlyArray<readonly [string, (model: Model) => Model, RegExp]> = [
    [
      "that it is not synthetic",
      (model) => ({ ...model, synthetic: false, data: { ...model.data, synthetic: false } }),
      /synthetic: claimed is false.*data\.synthetic: claimed is false/,
    ],
    ["another version", (model) => ({ ...model, version: "golden_v1" }), /version: claimed is golden_v1, .* 20250102_/],
    ["other metrics", (model) => ({ ...model, metrics: { accuracy: 1 } }), /metrics\.accuracy: claimed is 1/],
    [
      "bars of one month less",
      ({ data, ...model }) => ({ ...model, data: { ...data, partitions: data.partitions.slice(1) } }),
      /its data leaves out 1 of the partitions/,
    ],
  ]
  for (const [lie, model, problem] of lies) {
    it.effect(`a model that claims ${lie}`, () =>
      Effect.gen(function* () {
        assert.match(yield* failure({ model }), problem)
      }),
    )
  }

  const marked = (content: object) => ({
    before: (root: string, { data }: Model) =>
      Effect.promise(() =>
        Fs.writeFile(
          join(root, dirname(data.partitions[0].path), "__quarantine.json"),
          JSON.stringify({ sha256: data.partitions[0].sha256, ...content }),
        ),
      ),
  })
  it.effect("bars that a person holds back", () =>
    Effect.gen(function* () {
      const message = yield* failure(marked({ who: "anna", reason: "vendor recall" }))
      assert.match(message, /canonical\.parquet is in quarantine by anna .*__quarantine\.json/)
    }),
  )

  it.effect("bars that a dq gate holds back, and no others", () =>
    Effect.gen(function* () {
      const who = "dandori task type dq"
      assert.match(yield* failure(marked({ who, policy: "p" })), /is in quarantine by dandori task type dq/)
      const other = yield* output(marked({ who, policy: "p", sha256: Sha256.of("bytes of before") }))
      assert.strictEqual(other.verdict, "PASSED")
    }),
  )

  it.effect("bars whose bytes have changed", () =>
    Effect.gen(function* () {
      const message = yield* failure({
        before: (root, { data }) => Effect.promise(() => Fs.writeFile(join(root, data.partitions[0].path), "other")),
      })
      assert.match(message, /canonical\.parquet cannot be used: its SHA-256 is/)
    }),
  )

  it.effect("a pair that the universe does not hold", () =>
    Effect.gen(function* () {
      const slot = { legA: "EURUSD", legB: "USDJPY", timeframe: "1h" } as const
      const message = yield* failure({
        model: (model) => ({
          ...model,
          slot,
          data: {
            ...model.data,
            partitions: model.data.partitions.map((each) =>
              each.symbol === "GBPUSD" ? { ...each, symbol: "USDJPY" } : each,
            ),
          },
        }),
      })
      assert.match(message, /add the pair EURUSD-USDJPY to universe\.yaml/)
    }),
  )
})
