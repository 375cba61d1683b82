import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import * as Isotonic from "../../src/market/isotonic.ts"
import * as Sklearn from "./fixtures/scikit-learn.ts"

const rows = fc.array(
  fc.record({
    score: fc.integer({ min: -10, max: 10 }).map((score) => score / 4),
    label: fc.integer({ min: 0, max: 1 }),
    weight: fc.integer({ min: 1, max: 5 }),
  }),
  { minLength: 1, maxLength: 50 },
)

const split = (list: ReadonlyArray<{ score: number; label: number; weight: number }>) => ({
  scores: list.map(({ score }) => score),
  labels: list.map(({ label }) => label),
  weights: list.map(({ weight }) => weight),
})

describe("isotonic", () => {
  it("has scikit-learn's knots and values, with and without weights", () => {
    for (const expected of Sklearn.isotonic) {
      const weights = expected.weights ?? undefined
      const model = Isotonic.fit(Sklearn.metrics.probabilities, Sklearn.labels, weights)
      assert.deepStrictEqual(model.x, expected.x)
      model.y.forEach((y, i) => assert.approximately(y, expected.y[i], 1e-12))
      const values = Isotonic.apply(model, expected.queries)
      values.forEach((value, i) => assert.approximately(value, expected.values[i], 1e-12))
    }
  })

  it("never descends and stays between the smallest and the largest label", () => {
    fc.assert(
      fc.property(rows, fc.array(fc.double({ min: -5, max: 5, noNaN: true })), (list, queries) => {
        const { scores, labels, weights } = split(list)
        const values = Isotonic.apply(
          Isotonic.fit(scores, labels, weights),
          queries.sort((a, b) => a - b),
        )
        values.forEach((value, i) => {
          assert.isTrue(value >= 0 && value <= 1)
          assert.isTrue(i === 0 || value >= values[i - 1])
        })
      }),
    )
  })

  it("fitted to its own values it gives them again", () => {
    fc.assert(
      fc.property(rows, (list) => {
        const { scores, labels, weights } = split(list)
        const once = Isotonic.apply(Isotonic.fit(scores, labels, weights), scores)
        const twice = Isotonic.apply(Isotonic.fit(scores, once, weights), scores)
        twice.forEach((value, i) => assert.approximately(value, once[i], 1e-12))
      }),
    )
  })

  it("a whole weight counts as that many equal rows", () => {
    fc.assert(
      fc.property(rows, (list) => {
        const { scores, labels, weights } = split(list)
        const repeated = split(list.flatMap((row) => Array.from({ length: row.weight }, () => row)))
        const weighted = Isotonic.apply(Isotonic.fit(scores, labels, weights), scores)
        const counted = Isotonic.apply(Isotonic.fit(repeated.scores, repeated.labels), scores)
        weighted.forEach((value, i) => assert.approximately(value, counted[i], 1e-12))
      }),
    )
  })

  it("has the least squared error among non-decreasing step functions", () => {
    fc.assert(
      fc.property(
        rows,
        fc.double({ min: -3, max: 3, noNaN: true }),
        fc.double({ min: 0, max: 0.2, noNaN: true }),
        (list, at, rise) => {
          const { scores, labels, weights } = split(list)
          const fitted = Isotonic.apply(Isotonic.fit(scores, labels, weights), scores)
          const error = (values: ArrayLike<number>) =>
            labels.reduce((sum, label, i) => sum + weights[i] * (label - values[i]) ** 2, 0)
          const raised = fitted.map((value, i) => (scores[i] > at ? value + rise : value))
          const lowered = fitted.map((value, i) => (scores[i] <= at ? value - rise : value))
          assert.isTrue(error(fitted) <= error(raised) + 1e-9)
          assert.isTrue(error(fitted) <= error(lowered) + 1e-9)
        },
      ),
    )
  })

  it("is linear between knots, constant outside, and keeps NaN", () => {
    const model = Isotonic.fit([1, 3], [0, 1])
    assert.deepStrictEqual(Array.from(Isotonic.apply(model, [-9, 1, 1.5, 2, 3, 99])), [0, 0, 0.25, 0.5, 1, 1])
    assert.isNaN(Isotonic.apply(model, [Number.NaN])[0])
  })

  it("descending labels become their mean", () => {
    assert.deepStrictEqual(Isotonic.fit([0, 1, 2], [3, 2, 1]), { x: [0, 2], y: [2, 2] })
  })

  it("gives the same bits after JSON", () => {
    const model = Isotonic.fit(Sklearn.metrics.probabilities, Sklearn.labels)
    const read = Schema.decodeUnknownSync(Isotonic.IsotonicModel)(JSON.parse(JSON.stringify(model)))
    const queries = Sklearn.isotonic[0].queries
    assert.deepStrictEqual(Isotonic.apply(read, queries), Isotonic.apply(model, queries))
  })

  it("refuses what cannot be fitted and files that are no such function", () => {
    assert.throws(() => Isotonic.fit([], []), RangeError)
    assert.throws(() => Isotonic.fit([1], [1, 0]), RangeError)
    assert.throws(() => Isotonic.fit([Number.NaN], [1]), RangeError, "Row 0")
    assert.throws(() => Isotonic.fit([1], [1], [-1]), RangeError, "Row 0")
    assert.throws(() => Isotonic.fit([1], [1], [0]), RangeError, "weight")
    for (const file of [
      { x: [], y: [] },
      { x: [2, 1], y: [0, 1] },
      { x: [1, 2], y: [1, 0] },
      { x: [1], y: [0, 1] },
    ]) {
      assert.isFalse(Schema.is(Isotonic.IsotonicModel)(file), JSON.stringify(file))
    }
  })
})
