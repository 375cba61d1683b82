import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Boosting from "../../src/market/boosting.ts"
import * as Matrix from "../../src/market/matrix.ts"
import * as Metrics from "../../src/market/metrics.ts"
import * as Random from "../../src/market/random.ts"
import * as Sklearn from "./fixtures/scikit-learn.ts"

const { matrix, labels, range } = Sklearn

const holed = (every: number | null) =>
  Matrix.make(
    matrix.names,
    matrix.columns.map((column, j) =>
      column.map((value, i) => (j === 0 && every !== null && i % every === 0 ? Number.NaN : value)),
    ),
  )

const column = (length: number, value: (row: number) => number) => Float64Array.from({ length }, (_, i) => value(i))

describe("boosting", () => {
  it("has the probabilities of scikit-learn's histogram boosting on held-out rows, with and without missing values", () => {
    for (const expected of Sklearn.boosting) {
      const all = holed(expected.missingEvery)
      const trainRows = range(0, expected.trainRows)
      const testRows = range(expected.trainRows, 300)
      const trainLabels = Matrix.takeColumn(labels, trainRows)
      const testLabels = Matrix.takeColumn(labels, testRows)
      const { trees, leaves, learningRate, minSamplesLeaf, l2 } = expected
      const options = { trees, leaves, learningRate, minSamplesLeaf, l2, classRatio: 1 }
      const model = Boosting.fit(Matrix.take(all, trainRows), trainLabels, options)
      const heldOut = Boosting.predict(model, Matrix.take(all, testRows))
      const trained = Boosting.predict(model, Matrix.take(all, trainRows))
      heldOut.forEach((probability, i) => assert.approximately(probability, expected.heldOut[i], 1e-6))
      assert.approximately(Metrics.logLoss(trainLabels, trained), expected.trainLogLoss, 1e-6)
      assert.approximately(Metrics.logLoss(testLabels, heldOut), expected.heldOutLogLoss, 1e-6)
      assert.approximately(Metrics.auc(testLabels, heldOut), expected.heldOutAuc, 1e-12)
    }
  })

  it("learns an interaction that no single feature shows", () => {
    const random = Random.make("xor")
    const a = column(2000, () => random.normal())
    const b = column(2000, () => random.normal())
    const noise = column(2000, () => random.normal())
    const xor = Matrix.make(["a", "noise", "b"], [a, noise, b])
    const sides = Uint8Array.from(a, (value, i) => (value > 0 !== b[i] > 0 ? 1 : 0))
    const rows = (from: number, to: number) => range(from, to)
    const model = Boosting.fit(Matrix.take(xor, rows(0, 1000)), sides.subarray(0, 1000))
    const heldOut = Boosting.predict(model, Matrix.take(xor, rows(1000, 2000)))
    assert.isAbove(Metrics.auc(sides.subarray(1000), heldOut), 0.98)
    const [forA, forNoise, forB] = model.importance
    assert.isTrue(forA > 3 * forNoise && forB > 3 * forNoise, model.importance.join(" "))
  })

  it("the same seed gives the same model, another seed another one", () => {
    const options = { trees: 10, subsample: 0.6, minSamplesLeaf: 5 }
    const text = (seed: number) => JSON.stringify(Boosting.fit(matrix, labels, { ...options, seed }))
    assert.strictEqual(text(1), text(1))
    assert.notStrictEqual(text(1), text(2))
  })

  it("each tree lowers the training loss when every row is used", () => {
    const losses = [1, 2, 5, 20, 60].map((trees) => {
      const model = Boosting.fit(matrix, labels, { trees, classRatio: 1 })
      return Metrics.logLoss(labels, Boosting.predict(model, matrix))
    })
    losses.forEach((loss, i) => assert.isTrue(i === 0 || loss < losses[i - 1], losses.join(" ")))
  })

  it("an ascending transform of a feature changes no prediction", () => {
    const raised = Matrix.make(
      matrix.names,
      matrix.columns.map((values) => values.map((x) => Math.exp(x))),
    )
    const direct = Boosting.predict(Boosting.fit(matrix, labels), matrix)
    assert.deepStrictEqual(Boosting.predict(Boosting.fit(raised, labels), raised), direct)
  })

  it("uses that a value is missing, and treats infinity as missing", () => {
    const random = Random.make("missing")
    const sides = Uint8Array.from({ length: 400 }, (_, i) => i % 2)
    const x = column(400, (i) => (sides[i] === 1 ? Number.NaN : random.normal()))
    const model = Boosting.fit(Matrix.make(["x"], [x]), sides)
    const query = Matrix.make(["x"], [Float64Array.of(Number.NaN, Infinity, -Infinity, 0, 1e300, -1e300)])
    const [missing, up, down, ...present] = Boosting.predict(model, query)
    assert.isAbove(missing, 0.95)
    assert.deepStrictEqual([up, down], [missing, missing])
    for (const probability of present) assert.isBelow(probability, 0.05)
  })

  it("predicts a number for rows that miss what no training row missed", () => {
    const model = Boosting.fit(matrix, labels)
    const empty = Matrix.make(
      matrix.names,
      matrix.columns.map(() => Float64Array.of(Number.NaN)),
    )
    const [probability] = Boosting.predict(model, empty)
    assert.isTrue(probability > 0 && probability < 1)
  })

  it("no leaf has fewer rows, and no tree more leaves, than asked", () => {
    const model = Boosting.fit(matrix, labels, { trees: 20, leaves: 6, minSamplesLeaf: 25 })
    for (const { feature, threshold, left, value } of model.trees) {
      const counts = new Int32Array(value.length)
      for (let i = 0; i < matrix.rows; i++) {
        let node = 0
        while (left[node] !== 0)
          node = matrix.columns[feature[node]][i] <= threshold[node] ? left[node] : left[node] + 1
        counts[node]++
      }
      const leaves = left.flatMap((child, node) => (child === 0 ? [counts[node]] : []))
      assert.isTrue(leaves.length > 1 && leaves.length <= 6)
      for (const count of leaves) assert.isAtLeast(count, 25)
    }
  })

  it("columns that say nothing give the base rate", () => {
    const flat = Matrix.make(
      ["constant", "empty"],
      [new Float64Array(300).fill(3), new Float64Array(300).fill(Number.NaN)],
    )
    const model = Boosting.fit(flat, labels, { classRatio: 1 })
    for (const probability of Boosting.predict(model, flat)) assert.approximately(probability, 0.35, 1e-12)
    assert.deepStrictEqual(model.importance, [0, 0])
  })

  it("one class only gives a constant model", () => {
    const model = Boosting.fit(matrix, new Uint8Array(300).fill(1))
    assert.strictEqual(model.trees.length, 0)
    assert.approximately(Boosting.predict(model, matrix)[0], 301 / 302, 1e-12)
  })

  it("gives the same bits after JSON", () => {
    const model = Boosting.fit(holed(7), labels, { trees: 30, subsample: 0.7, l2: 0, minSamplesLeaf: 1 })
    const read = Schema.decodeUnknownSync(Boosting.BoostingModel)(JSON.parse(JSON.stringify(model)))
    assert.deepStrictEqual(Boosting.predict(read, holed(5)), Boosting.predict(model, holed(5)))
  })

  it("a file whose trees loop, or name unknown features, is refused", () => {
    const tree = { feature: [0, 0, 0], threshold: [0, 0, 0], missingLeft: [0, 0, 0], left: [1, 0, 0], value: [0, 1, 2] }
    const file = (changed: object) => ({
      kind: "boosting",
      names: ["x"],
      baseline: 0,
      trees: [{ ...tree, ...changed }],
      importance: [1],
    })
    const accepted = Schema.is(Boosting.BoostingModel)
    assert.isTrue(accepted(file({})))
    assert.isFalse(accepted(file({ left: [1, 1, 0] })))
    assert.isFalse(accepted(file({ left: [2, 0, 0] })))
    assert.isFalse(accepted(file({ feature: [1, 0, 0] })))
    assert.isFalse(accepted(file({ value: [0, 1] })))
  })

  it("options that make no sense are refused", () => {
    for (const options of [
      { leaves: 0 },
      { trees: 0 },
      { learningRate: 0 },
      { minSamplesLeaf: 0 },
      { subsample: 0 },
      { subsample: 2 },
      { l2: -1 },
      { bins: 300 },
    ]) {
      assert.throws(() => Boosting.fit(matrix, labels, options), RangeError)
    }
  })
})
