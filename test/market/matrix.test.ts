import { assert, describe, it } from "@effect/vitest"
import * as Matrix from "../../src/market/matrix.ts"

const matrix = Matrix.make(["a", "b"], [Float64Array.of(1, 2, 3), Float64Array.of(4, 5, 6)])

describe("matrix", () => {
  it("takes rows in the given order and copies them", () => {
    const taken = Matrix.take(matrix, Int32Array.of(2, 0))
    assert.deepStrictEqual(taken, Matrix.make(["a", "b"], [Float64Array.of(3, 1), Float64Array.of(6, 4)]))
    taken.columns[0][0] = 99
    assert.strictEqual(matrix.columns[0][2], 3)
  })

  it("names the column whose length differs", () => {
    assert.throws(() => Matrix.make(["a", "b"], [new Float64Array(2), new Float64Array(3)]), RangeError, "Column b")
    assert.throws(() => Matrix.make(["a"], []), RangeError, "1 names for 0 columns")
  })

  it("features of another name, order or number are not the model's", () => {
    Matrix.assertNames(matrix, ["a", "b"])
    for (const names of [["b", "a"], ["a"], ["a", "b", "c"]]) {
      assert.throws(() => Matrix.assertNames(matrix, names), RangeError, names.join(", "))
    }
  })
})
