import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as ClassWeights from "../../src/market/class-weights.ts"
import * as Logistic from "../../src/market/logistic.ts"
import * as Matrix from "../../src/market/matrix.ts"
import * as Metrics from "../../src/market/metrics.ts"
import * as Sklearn from "./fixtures/scikit-learn.ts"

const { matrix, labels } = Sklearn

describe("logistic", () => {
  it("has scikit-learn's coefficients and probabilities for every penalty and weighting", () => {
    for (const expected of Sklearn.logistic) {
      const model = Logistic.fit(matrix, labels, { c: expected.c, classRatio: expected.balanced ? 5 : 1 })
      assert.isTrue(model.converged)
      assert.approximately(model.intercept, expected.intercept, 1e-7)
      model.coefficients.forEach((value, j) => assert.approximately(value, expected.coefficients[j], 1e-7))
      const probabilities = Logistic.predict(model, matrix)
      expected.firstProbabilities.forEach((value, i) => assert.approximately(probabilities[i], value, 1e-7))
    }
  })

  it("ends where the gradient of the penalised loss is zero", () => {
    const c = 3
    const model = Logistic.fit(matrix, labels, { c, classRatio: 5 })
    const weights = ClassWeights.perRow(labels, ClassWeights.balanced(labels, 5))
    const probabilities = Logistic.predict(model, matrix)
    const residual = probabilities.map((probability, i) => c * weights[i] * (probability - labels[i]))
    const slopes = matrix.columns.map((column, j) =>
      residual.reduce((sum, value, i) => sum + value * column[i], model.coefficients[j]),
    )
    const interceptSlope = residual.reduce((sum, value) => sum + value, 0)
    for (const slope of [...slopes, interceptSlope]) assert.approximately(slope, 0, 1e-6)
  })

  it("an unweighted fit predicts the base rate on average, because the intercept is not penalised", () => {
    for (const c of [1e-6, 1, 1e6]) {
      const mean =
        Logistic.predict(Logistic.fit(matrix, labels, { c, classRatio: 1 }), matrix).reduce((a, b) => a + b) / 300
      assert.approximately(mean, Metrics.baseRate(labels), 1e-7)
    }
  })

  it("separable data stay finite, and a weaker penalty gives a steeper model", () => {
    const separable = Matrix.make(["x"], [Float64Array.from({ length: 40 }, (_, i) => i - 19.5)])
    const sides = Array.from({ length: 40 }, (_, i) => (i < 20 ? 0 : 1))
    const slopes = [0.01, 1, 100, 1e4, 1e8].map((c) => {
      const model = Logistic.fit(separable, sides, { c })
      assert.isTrue(model.converged, `c = ${c}`)
      assert.strictEqual(Metrics.auc(sides, Logistic.predict(model, separable)), 1)
      return model.coefficients[0]
    })
    slopes.forEach((slope, i) => assert.isTrue(Number.isFinite(slope) && (i === 0 || slope > slopes[i - 1])))
  })

  it("duplicate and constant columns share the coefficient and get none", () => {
    const [x] = matrix.columns
    const doubled = Matrix.make(["x", "again", "constant"], [x, x, new Float64Array(300).fill(7)])
    const model = Logistic.fit(doubled, labels)
    assert.isTrue(model.converged)
    assert.approximately(model.coefficients[0], model.coefficients[1], 1e-9)
    assert.approximately(model.coefficients[2], 0, 1e-6)
  })

  it("one class only gives the same modest probability everywhere", () => {
    const model = Logistic.fit(matrix, new Uint8Array(300))
    assert.deepStrictEqual(model.coefficients, [0, 0, 0, 0])
    for (const probability of Logistic.predict(model, matrix)) assert.approximately(probability, 1 / 302, 1e-12)
  })

  it("gives the same bits after JSON", () => {
    const model = Logistic.fit(matrix, labels)
    const read = Schema.decodeUnknownSync(Logistic.LogisticModel)(JSON.parse(JSON.stringify(model)))
    assert.deepStrictEqual(Logistic.predict(read, matrix), Logistic.predict(model, matrix))
  })

  it("says which value is missing, and refuses labels and features that do not fit", () => {
    const holed = Matrix.make(["x", "y"], [Float64Array.of(1, 2, 3), Float64Array.of(1, Number.NaN, 3)])
    assert.throws(() => Logistic.fit(holed, [0, 1, 0]), RangeError, "feature y, row 1")
    assert.throws(() => Logistic.fit(matrix, [0, 1]), RangeError, "2 labels for 300 rows")
    assert.throws(() => Logistic.fit(matrix, new Uint8Array(300).fill(2)), RangeError, "not 0 or 1")
    assert.throws(() => Logistic.fit(matrix, labels, { c: 0 }), RangeError, "c must be positive")
    assert.throws(() => Logistic.fit(Matrix.make(["x"], [new Float64Array()]), []), RangeError, "no rows")
    const renamed = Matrix.make(["x1", "x0", "x2", "x3"], matrix.columns)
    assert.throws(() => Logistic.predict(Logistic.fit(matrix, labels), renamed), RangeError, "wants the features")
  })

  it("predicts NaN where a feature is NaN", () => {
    const model = Logistic.fit(matrix, labels)
    const holed = Matrix.make(
      matrix.names,
      matrix.columns.map((column) => column.slice(0, 2)),
    )
    holed.columns[2][1] = Number.NaN
    const [known, unknown] = Logistic.predict(model, holed)
    assert.isTrue(known > 0 && known < 1)
    assert.isNaN(unknown)
  })
})
