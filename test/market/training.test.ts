import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Random from "../../src/market/random.ts"
import { slice } from "../../src/market/bars.ts"
import { synthetic } from "../../src/market/synthetic.ts"
import * as Samples from "../../src/market/training-samples.ts"
import * as Fit from "../../src/market/training-fit.ts"
import * as Training from "../../src/market/training.ts"
import * as SamplePair from "../../samples/sample-pair.ts"
import * as Sample from "./training-sample.ts"

const codes = (result: Result.Result<unknown, ReadonlyArray<Training.Reason>>) =>
  Result.isFailure(result) ? result.failure.map(({ code }) => code) : []

const shuffled = (labels: Float64Array, seed: number): Float64Array => {
  const known = Samples.labelled(labels, Int32Array.from(labels.keys()))
  const values = Random.make(seed).shuffle(Float64Array.from(known, (sample) => labels[sample]))
  const out = labels.slice()
  known.forEach((sample, i) => (out[sample] = values[i]))
  return out
}

describe("preparing a training", () => {
  it("keeps label horizon and embargo between train and test of every fold", () => {
    const { kFold, rows, walkForward } = Sample.prepared.samples
    for (const { from, test, train, until } of [...kFold, ...walkForward]) {
      assert.isNotEmpty(Array.from(test))
      for (const sample of train) assert.isTrue(rows[sample] < from - 48 || rows[sample] >= until + 48 + 24)
    }
    assert.strictEqual(kFold.at(-1)?.until, Sample.pair.timestamp.length)
    assert.strictEqual(walkForward.at(-1)?.until, Sample.pair.timestamp.length)
  })

  it("is refused when labels have one class, and says of which classifier", () => {
    const [a, b] = synthetic({ ...SamplePair.spec, to: Date.UTC(2025, 5, 1), regime: "breakdown" })
    const result = Training.prepare(a, b, Sample.config)
    assert.deepStrictEqual(codes(result), ["single_class"])
    if (Result.isFailure(result)) assert.include(result.failure[0].message, "ai1")
  })

  it("is refused when there are too few bars for the splits", () => {
    const short = Training.prepare(slice(Sample.legA, 0, 1000), slice(Sample.legB, 0, 1000), Sample.config)
    assert.deepStrictEqual(codes(short), ["too_few_bars"])
  })

  it("is refused when a month of one leg lacks more bars than allowed, by symbol and month", () => {
    const legB = slice(Sample.legB, 100, Sample.legB.timestamp.length)
    const result = Training.prepare(Sample.legA, legB, Sample.config)
    assert.deepStrictEqual(codes(result), ["preprocess"])
    if (Result.isFailure(result)) assert.match(result.failure[0].message, /^GBPUSD 2024-01: .* missing/)
  })

  it("counts a price that is not finite as missing", () => {
    const close = Sample.legA.close.map((price, row) => (row < 60 ? Number.NaN : price))
    const result = Training.prepare({ ...Sample.legA, close }, Sample.legB, Sample.config)
    assert.deepStrictEqual(codes(result), ["preprocess"])
  })
})

describe("fitting a fold", () => {
  it("does not see the labels or the features of its test block", () => {
    const { samples } = Sample.prepared
    const fold = samples.kFold[2]
    const using = Fit.trainers("logistic", { seed: 0, classRatio: 5 })
    const before = Fit.fitFold(samples, fold, using)
    const tested = new Set(fold.test)
    const flip = (labels: Float64Array) => labels.map((label, sample) => (tested.has(sample) ? 1 - label : label))
    const flipped = { ...samples, labels: { ai1: flip(samples.labels.ai1), ai2: flip(samples.labels.ai2) } }
    assert.deepStrictEqual(Fit.fitFold(flipped, fold, using), before)

    const first = fold.test[0]
    const columns = samples.features.columns.map((column) =>
      column.map((value, sample) => (tested.has(sample) && sample !== first ? value * 10 : value)),
    )
    const moved = Fit.fitFold({ ...samples, features: { ...samples.features, columns } }, fold, using)
    assert.strictEqual(moved.ai1[0], before.ai1[0])
    assert.strictEqual(moved.ai2[0], before.ai2[0])
    assert.notStrictEqual(moved.ai2[1], before.ai2[1])
  })
})

describe("finishing a training", () => {
  const fitted = Sample.fitAll(Sample.prepared.samples)

  it("gives the same bytes for the same input", () => {
    const first = Result.getOrThrow(Sample.finish(Sample.prepared, fitted))
    const second = Result.getOrThrow(Sample.finish(Sample.prepared, Sample.fitAll(Sample.prepared.samples)))
    assert.deepStrictEqual(second.files, first.files)
  })

  it("reports every trial of θ, and moves it by no more than a step", () => {
    const { files, report, theta } = Result.getOrThrow(Sample.finish(Sample.prepared, fitted))
    const { trials } = report.theta
    assert.isAbove(trials.length, 15)
    assert.strictEqual(trials[0].stage, "previous")
    assert.isAtMost(Math.abs(theta.theta1 - 0.7), 0.03 + 1e-9)
    assert.isAtMost(Math.abs(theta.theta2 - 0.3), 0.03 + 1e-9)
    assert.include(files["theta.yaml"], `trials: ${trials.length}`)
  })

  it("is blocked when labels carry no information: the folds leak nothing that could tell them", () => {
    const { samples } = Sample.prepared
    const noise = { ...samples, labels: { ...samples.labels, ai1: shuffled(samples.labels.ai1, 1) } }
    const result = Sample.finish({ ...Sample.prepared, samples: noise }, Sample.fitAll(noise))
    assert.include(codes(result), "auc_within_noise")
  })

  it("is blocked when a trainer left a classifier without scores", () => {
    const empty = new Float64Array(Sample.prepared.samples.rows.length).fill(Number.NaN)
    const result = Sample.finish(Sample.prepared, {
      ...fitted,
      ai2: { ...fitted.ai2, kFold: empty, walkForward: empty },
    })
    assert.include(codes(result), "metric_missing")
  })
})
