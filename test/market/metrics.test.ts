import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import * as Metrics from "../../src/market/metrics.ts"
import * as Random from "../../src/market/random.ts"
import * as Sklearn from "./fixtures/scikit-learn.ts"

const samples = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 1 }), fc.integer({ min: 0, max: 20 })), { minLength: 2, maxLength: 60 })
  .filter((rows) => rows.some(([label]) => label === 0) && rows.some(([label]) => label === 1))
  .map((rows) => ({ labels: rows.map(([label]) => label), scores: rows.map(([, score]) => score / 20) }))

describe("metrics", () => {
  it("agree with scikit-learn, ties included", () => {
    const report = Metrics.report(Sklearn.labels, Sklearn.metrics.probabilities, Sklearn.metrics.threshold)
    const names = ["auc", "prAuc", "logLoss", "brier", "ece", "precision", "recall", "f1", "baseRate"] as const
    for (const name of names) assert.approximately(report[name] ?? Number.NaN, Sklearn.metrics[name], 1e-12, name)
    assert.strictEqual(report.rows, 300)
    assert.strictEqual(report.positives, 105)
  })

  it("AUC is the share of positive and negative pairs in the right order, ties counted half", () => {
    fc.assert(
      fc.property(samples, ({ labels, scores }) => {
        let wins = 0
        let pairs = 0
        for (let i = 0; i < labels.length; i++) {
          for (let j = 0; j < labels.length; j++) {
            if (labels[i] !== 1 || labels[j] !== 0) continue
            pairs++
            wins += scores[i] > scores[j] ? 1 : scores[i] === scores[j] ? 0.5 : 0
          }
        }
        assert.approximately(Metrics.auc(labels, scores), wins / pairs, 1e-12)
      }),
    )
  })

  it("AUC and average precision do not change under an ascending transform, and AUC flips under a descending one", () => {
    fc.assert(
      fc.property(samples, ({ labels, scores }) => {
        const raised = scores.map((score) => Math.exp(3 * score) - 7)
        assert.strictEqual(Metrics.auc(labels, raised), Metrics.auc(labels, scores))
        assert.strictEqual(Metrics.prAuc(labels, raised), Metrics.prAuc(labels, scores))
        const flipped = scores.map((score) => -score)
        assert.approximately(Metrics.auc(labels, flipped), 1 - Metrics.auc(labels, scores), 1e-12)
      }),
    )
  })

  it("the standard error at 0.5 is the exact one of the Mann–Whitney statistic, and none at 1", () => {
    for (const [positives, negatives] of [
      [1, 1],
      [12, 300],
      [70, 30],
    ]) {
      const exact = Math.sqrt((positives + negatives + 1) / (12 * positives * negatives))
      assert.approximately(Metrics.aucStandardError(0.5, positives, negatives), exact, 1e-15)
    }
    assert.strictEqual(Metrics.aucStandardError(1, 10, 10), 0)
  })

  it("the standard error is the spread of the AUC over draws of exponential scores, for which the formula is exact", () => {
    const random = Random.make("exponential scores")
    const labels = Array.from({ length: 80 }, (_, i) => (i < 20 ? 1 : 0))
    for (const area of [0.5, 0.8]) {
      const mean = area / (1 - area)
      const areas = Array.from({ length: 2000 }, () =>
        Metrics.auc(
          labels,
          labels.map((label) => -Math.log(1 - random.next()) * (label === 1 ? mean : 1)),
        ),
      )
      const spread = Math.sqrt(areas.reduce((sum, drawn) => sum + (drawn - area) ** 2, 0) / areas.length)
      const expected = Metrics.aucStandardError(area, 20, 60)
      assert.approximately(spread / expected, 1, 0.05)
    }
  })

  it("log loss of a certain mistake is large but finite", () => {
    assert.approximately(Metrics.logLoss([1], [0]), 52 * Math.LN2, 1e-9)
    assert.approximately(Metrics.logLoss([0], [1]), 52 * Math.LN2, 1e-9)
  })

  it("calibration error is zero for probabilities that are the observed shares, and 1 for certain mistakes", () => {
    assert.approximately(Metrics.ece([1, 0, 0, 0, 1, 1], [0.25, 0.25, 0.25, 0.25, 1, 1]), 0, 1e-15)
    assert.strictEqual(Metrics.ece([0, 1], [1, 0]), 1)
  })

  it("a row on the threshold is not predicted positive", () => {
    assert.deepStrictEqual(Metrics.confusion([1, 1, 0, 0], [0.5, 0.6, 0.7, 0.5], 0.5), {
      truePositives: 1,
      falsePositives: 1,
      falseNegatives: 1,
      trueNegatives: 1,
    })
  })

  it("a report says null for what is not defined", () => {
    const oneClass = Metrics.report([0, 0, 0], [0.1, 0.2, 0.3], 0.5)
    assert.isNull(oneClass.auc)
    assert.isNull(oneClass.aucStandardError)
    assert.isNull(oneClass.prAuc)
    assert.isNull(oneClass.precision)
    assert.isNull(oneClass.recall)
    assert.isNull(oneClass.f1)
    assert.strictEqual(oneClass.baseRate, 0)
    assert.approximately(oneClass.brier ?? Number.NaN, 0.14 / 3, 1e-15)
    assert.isNull(Metrics.report([0, 1], [0.1, 0.2], 0.5).precision)
    assert.strictEqual(Metrics.report([0, 1], [0.1, 0.2], 0.5).f1, 0)
    assert.isNull(Metrics.report([], [], 0.5).baseRate)
  })

  it("one probability that is NaN makes every metric null", () => {
    const { rows, positives, threshold, baseRate, ...metrics } = Metrics.report([0, 1, 1], [0.1, Number.NaN, 0.9], 0.5)
    assert.deepStrictEqual([rows, positives, threshold, baseRate], [3, 2, 0.5, 2 / 3])
    for (const value of Object.values(metrics)) assert.isNull(value)
  })

  it("a report survives JSON", () => {
    const report = Metrics.report([0, 1, 0, 1], [0.1, 0.2, 0.7, 0.9], 0.5)
    assert.deepStrictEqual(Schema.decodeUnknownSync(Metrics.Report)(JSON.parse(JSON.stringify(report))), report)
  })

  it("labels and probabilities of different lengths are refused", () => {
    assert.throws(() => Metrics.auc([0, 1], [0.5]), RangeError, "1 probabilities for 2 labels")
  })
})
