import { assert, describe, it } from "@effect/vitest"
import * as Degenerate from "../../src/market/degenerate.ts"
import * as Metrics from "../../src/market/metrics.ts"
import * as Random from "../../src/market/random.ts"
import * as Sklearn from "./fixtures/scikit-learn.ts"

const sound = Metrics.report(Sklearn.labels, Sklearn.metrics.probabilities, 0.5)
const codes = (metrics: Degenerate.ReportedMetrics, policy?: Degenerate.DegeneratePolicy) =>
  Degenerate.assess(metrics, policy).map(({ code }) => code)

describe("degenerate results", () => {
  it("a sound report has no reason", () => {
    assert.deepStrictEqual(Degenerate.assess(sound), [])
  })

  it("all labels 0, which once passed with an accuracy of 1.0, is blocked", () => {
    const report = Metrics.report(new Uint8Array(100), new Float64Array(100).fill(0.01), 0.5)
    const reasons = Degenerate.assess(report)
    assert.strictEqual(reasons[0].code, "single_class")
    assert.include(reasons[0].message, "All 100 samples have the label 0")
    assert.isTrue(reasons.some(({ code, message }) => code === "metric_missing" && message.includes("auc")))
  })

  it("all labels 1 is blocked too", () => {
    const report = Metrics.report(new Uint8Array(50).fill(1), new Float64Array(50).fill(0.9), 0.5)
    assert.include(Degenerate.assess(report)[0].message, "the label 1")
  })

  it("too few samples of either class are counted against the limit", () => {
    const labels = Array.from({ length: 200 }, (_, i) => (i < 19 ? 1 : 0))
    const scores = labels.map((label) => (label === 1 ? 0.9 : 0.1))
    assert.deepStrictEqual(codes(Metrics.report(labels, scores, 0.5)), ["too_few_samples"])
    const swapped = labels.map((label) => 1 - label)
    const [reason] = Degenerate.assess(
      Metrics.report(
        swapped,
        scores.map((score) => 1 - score),
        0.5,
      ),
    )
    assert.deepInclude(reason, { code: "too_few_samples", observed: 19, required: 20 })
    assert.deepStrictEqual(codes(Metrics.report(labels, scores, 0.5), { minSamplesOfRarerClass: 19 }), [])
  })

  it("an AUC counts only when it is 1.64 standard errors above 0.5", () => {
    const border = 0.5 + 1.64 * Metrics.aucStandardError(0.5, sound.positives, sound.rows - sound.positives)
    assert.deepStrictEqual(codes({ ...sound, auc: border - 1e-9 }), ["auc_within_noise"])
    assert.deepStrictEqual(codes({ ...sound, auc: border }), ["auc_within_noise"])
    assert.deepStrictEqual(codes({ ...sound, auc: border + 1e-9 }), [])
    assert.deepStrictEqual(codes({ ...sound, auc: 0.1 }), ["auc_within_noise"])
  })

  it("lets scores that know nothing pass about once in twenty", () => {
    const random = Random.make("noise")
    const passed = Array.from({ length: 1000 }, () => {
      const scores = Sklearn.labels.map(() => random.next())
      return codes(Metrics.report(Sklearn.labels, scores, 0.5)).length === 0 ? 1 : 0
    }).reduce<number>((sum, one) => sum + one, 0)
    assert.isTrue(passed >= 30 && passed <= 70, `${passed} of 1000`)
  })

  it("a metric that is absent, null or NaN is named", () => {
    const { brier, ...withoutBrier } = sound
    assert.isNotNull(brier)
    for (const metrics of [withoutBrier, { ...sound, brier: null }, { ...sound, brier: Number.NaN }]) {
      const reasons = Degenerate.assess(metrics)
      assert.deepStrictEqual(
        reasons.map(({ code }) => code),
        ["metric_missing"],
      )
      assert.include(reasons[0].message, "The metric brier is missing")
    }
    assert.deepStrictEqual(codes(withoutBrier, { metrics: ["auc"] }), [])
  })

  it("counts that are missing block as well, because nothing can be judged without them", () => {
    const { rows, positives, ...rest } = sound
    assert.strictEqual(rows - positives, 195)
    assert.deepStrictEqual(codes(rest), ["metric_missing", "metric_missing"])
    assert.strictEqual(codes({}).length, 11)
  })
})
