import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Classifier from "../../src/market/classifier.ts"
import * as Degenerate from "../../src/market/degenerate.ts"
import * as Isotonic from "../../src/market/isotonic.ts"
import * as Matrix from "../../src/market/matrix.ts"
import * as Metrics from "../../src/market/metrics.ts"
import * as Random from "../../src/market/random.ts"
import * as Sklearn from "./fixtures/scikit-learn.ts"

const { matrix, labels, range } = Sklearn

const outside = (from: number, to: number, rows: number) => Int32Array.from([...range(0, from), ...range(to, rows)])

const kFolds = (rows: number, k: number): Array<Classifier.Fold> =>
  Array.from({ length: k }, (_, i) => {
    const [from, to] = [Math.floor((i * rows) / k), Math.floor(((i + 1) * rows) / k)]
    return { train: outside(from, to, rows), test: range(from, to) }
  })

const trainers: ReadonlyArray<Classifier.Trainer> = [
  { kind: "logistic" },
  { kind: "boosting", options: { trees: 30, leaves: 8, minSamplesLeaf: 10, subsample: 0.8, seed: 7 } },
]

describe("classifier", () => {
  for (const trainer of trainers) {
    it(`${trainer.kind}: each out-of-fold score is that of a model fitted without its fold`, () => {
      const folds = kFolds(300, 5)
      const { scores, fold, metrics } = Classifier.outOfFold(matrix, labels, folds, trainer)
      folds.forEach(({ train, test }, k) => {
        const model = Classifier.train(Matrix.take(matrix, train), Matrix.takeColumn(labels, train), trainer)
        const expected = Classifier.score(model, Matrix.take(matrix, test))
        assert.deepStrictEqual(Matrix.takeColumn(scores, test), expected)
        assert.isTrue(Array.from(test).every((row) => fold[row] === k))
        assert.deepStrictEqual(metrics[k], Metrics.report(Matrix.takeColumn(labels, test), expected, 0.5))
      })
    })

    it(`${trainer.kind}: a row's own label reaches neither its score nor the calibration applied to it`, () => {
      const folds = kFolds(300, 5)
      const flipped = labels.map((label, i) => (i >= 60 && i < 120 ? 1 - label : label))
      const scored = Classifier.outOfFold(matrix, labels, folds, trainer)
      const rescored = Classifier.outOfFold(matrix, flipped, folds, trainer)
      assert.deepStrictEqual(rescored.scores.subarray(60, 120), scored.scores.subarray(60, 120))
      assert.notDeepEqual(rescored.scores.subarray(0, 60), scored.scores.subarray(0, 60))
      const calibrated = Classifier.crossCalibrate(scored, labels)
      const recalibrated = Classifier.crossCalibrate(scored, flipped)
      assert.deepStrictEqual(recalibrated.subarray(60, 120), calibrated.subarray(60, 120))
      assert.notDeepEqual(recalibrated.subarray(0, 60), calibrated.subarray(0, 60))
    })

    it(`${trainer.kind}: predicts the same bits after JSON`, () => {
      const { classifier } = Classifier.fit(matrix, labels, kFolds(300, 5), trainer)
      const read = Schema.decodeUnknownSync(Classifier.Classifier)(JSON.parse(JSON.stringify(classifier)))
      assert.deepStrictEqual(Classifier.predict(read, matrix), Classifier.predict(classifier, matrix))
      assert.strictEqual(JSON.stringify(read), JSON.stringify(classifier))
    })

    it(`${trainer.kind}: the model sees all rows, its calibration only out-of-fold scores`, () => {
      const folds = kFolds(300, 5)
      const { classifier } = Classifier.fit(matrix, labels, folds, trainer)
      const { scores } = Classifier.outOfFold(matrix, labels, folds, trainer)
      assert.deepStrictEqual(classifier.model, Classifier.train(matrix, labels, trainer))
      assert.deepStrictEqual(classifier.calibration.isotonic, Isotonic.fit(scores, labels))
    })
  }

  it("rows that no fold tests have no score and are left out of the metrics", () => {
    const walkForward = [100, 200].map((from) => ({ train: range(0, from), test: range(from, from + 100) }))
    const { evaluation } = Classifier.fit(matrix, labels, walkForward, trainers[0])
    assert.isTrue(evaluation.probabilities.subarray(0, 100).every(Number.isNaN))
    assert.isTrue(evaluation.probabilities.subarray(100).every(Number.isFinite))
    assert.strictEqual(evaluation.uncalibrated.rows, 200)
    assert.strictEqual(evaluation.calibrated.rows, 200)
    assert.deepStrictEqual(
      evaluation.folds.map(({ calibrated }) => calibrated.rows),
      [100, 100],
    )
  })

  it("calibration mends the probabilities that class weights have raised", () => {
    const random = Random.make("imbalanced")
    const x = Float64Array.from({ length: 3000 }, () => random.normal())
    const rare = Uint8Array.from(x, (value) => (random.next() < 1 / (1 + Math.exp(3 - 1.5 * value)) ? 1 : 0))
    const { evaluation } = Classifier.fit(Matrix.make(["x"], [x]), rare, kFolds(3000, 5), { kind: "logistic" })
    const { uncalibrated, calibrated } = evaluation
    assert.isAbove(uncalibrated.ece ?? Number.NaN, 0.1)
    assert.isBelow(calibrated.ece ?? Number.NaN, 0.03)
    assert.isBelow(calibrated.logLoss ?? Number.NaN, uncalibrated.logLoss ?? Number.NaN)
    assert.approximately(calibrated.auc ?? Number.NaN, uncalibrated.auc ?? Number.NaN, 0.02)
  })

  it("labels that have nothing to do with the features are found out as noise", () => {
    const random = Random.make("nothing to learn")
    const coins = labels.map(() => random.int(2))
    for (const trainer of trainers) {
      const { evaluation } = Classifier.fit(matrix, coins, kFolds(300, 5), trainer)
      const found = Degenerate.assess(evaluation.uncalibrated).map(({ code }) => code)
      assert.include(found, "auc_within_noise", trainer.kind)
    }
  })

  it("calibrated probabilities are never quite 0 or 1, so that the log loss stays in bounds", () => {
    const scores = Float64Array.from({ length: 98 }, (_, i) => i / 98)
    const sides = scores.map((score) => (score > 0.5 ? 1 : 0))
    const [lowest, highest, unknown] = Classifier.applyCalibration(Classifier.calibrate(scores, sides), [
      0,
      1,
      Number.NaN,
    ])
    assert.approximately(lowest, 0.01, 1e-15)
    assert.approximately(highest, 0.99, 1e-15)
    assert.isNaN(unknown)
  })

  it("a single fold cannot be calibrated honestly, and its calibrated metrics are null", () => {
    const { evaluation } = Classifier.fit(
      matrix,
      labels,
      [{ train: range(0, 200), test: range(200, 300) }],
      trainers[0],
    )
    assert.isNumber(evaluation.uncalibrated.auc)
    assert.isNull(evaluation.calibrated.auc)
  })

  it("folds that overlap or train on what they test are refused, as is having none", () => {
    const fitWith =
      (...folds: Array<Classifier.Fold>) =>
      () =>
        Classifier.fit(matrix, labels, folds, trainers[0])
    const fold = { train: range(0, 200), test: range(200, 300) }
    assert.throws(fitWith(fold, fold), RangeError, "Row 200 is tested by the folds 0 and 1")
    assert.throws(fitWith({ train: range(0, 201), test: range(200, 300) }), RangeError, "trains on row 200")
    assert.throws(fitWith(), RangeError, "at least one score")
  })
})
