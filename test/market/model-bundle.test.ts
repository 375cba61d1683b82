import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Ohlcv, PairBars } from "../../src/market/bars.ts"
import * as Bundle from "../../src/market/model-bundle.ts"
import * as Sample from "./training-sample.ts"

const { files } = Result.getOrThrow(Sample.finish(Sample.prepared, Sample.fitAll(Sample.prepared.samples)))

const until = (bars: Ohlcv, end: number): Ohlcv => ({
  open: bars.open.subarray(0, end),
  high: bars.high.subarray(0, end),
  low: bars.low.subarray(0, end),
  close: bars.close.subarray(0, end),
  volume: bars.volume.subarray(0, end),
})

const before = (pair: PairBars, end: number): PairBars => ({
  ...pair,
  timestamp: pair.timestamp.subarray(0, end),
  a: until(pair.a, end),
  b: until(pair.b, end),
})

describe("a model bundle", () => {
  it.effect("is read from the files of a training and written back to the same bytes", () =>
    Effect.gen(function* () {
      const bundle = yield* Bundle.decode(files)
      assert.deepStrictEqual(bundle.featureSchema.slot, Sample.slot)
      for (const [name, text] of Object.entries(Bundle.encode(bundle))) assert.strictEqual(text, files[name], name)
    }),
  )

  it.effect("gives probabilities on exactly the bars that have every feature", () =>
    Effect.gen(function* () {
      const bundle = yield* Bundle.decode(files)
      const { beta, returnProb, riskScore, z } = Bundle.signals(bundle, Sample.pair)
      const complete = new Set(Sample.prepared.samples.rows)
      for (const column of [returnProb, riskScore]) {
        column.forEach((value, row) => {
          if (complete.has(row)) assert.isTrue(value > 0 && value < 1)
          else assert.isNaN(value)
        })
      }
      assert.deepStrictEqual(z, Sample.prepared.samples.table.columns["z"])
      assert.deepStrictEqual(beta, Sample.prepared.samples.table.columns["beta"])
    }),
  )

  it.effect("says nothing at a bar that depends on later bars", () =>
    Effect.gen(function* () {
      const bundle = yield* Bundle.decode(files)
      const whole = Bundle.signals(bundle, Sample.pair)
      for (const end of [1500, 4001]) {
        const known = Bundle.signals(bundle, before(Sample.pair, end))
        for (const name of ["z", "beta", "returnProb", "riskScore"] as const) {
          assert.deepStrictEqual(known[name], whole[name].slice(0, end), name)
        }
      }
    }),
  )

  it.effect("names the file that is missing, broken, or of other features", () =>
    Effect.gen(function* () {
      const failure = (changed: Record<string, string | undefined>) =>
        Effect.flip(
          Bundle.decode(
            Object.fromEntries(
              Object.entries({ ...files, ...changed }).flatMap(([name, text]) =>
                text === undefined ? [] : [[name, text]],
              ),
            ),
          ),
        )
      assert.deepInclude(yield* failure({ "theta.yaml": undefined }), { file: "theta.yaml", reason: "it is missing" })
      assert.deepInclude(yield* failure({ "theta.yaml": "theta1: [" }), { file: "theta.yaml" })
      assert.deepInclude(yield* failure({ "theta.yaml": "theta1: 0.5\n" }), { file: "theta.yaml" })
      assert.deepInclude(yield* failure({ "model_ai2.json": "{}" }), { file: "model_ai2.json" })
      const renamed = files["model_ai1.json"].replace('"z_ema12"', '"z_ema13"')
      assert.deepInclude(yield* failure({ "model_ai1.json": renamed }), {
        file: "model_ai1.json",
        reason: "its features are not those of feature_schema.json",
      })
    }),
  )
})
