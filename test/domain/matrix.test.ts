import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as MatrixType from "../../src/domain/expression/matrix-type.ts"
import * as Matrices from "../../src/domain/matrix.ts"
import type { Matrix } from "../../src/domain/plan.ts"

const of = (matrix: Matrix) => Matrices.combinations(matrix, Matrices.literalValues(matrix))

describe("the combinations of a matrix", () => {
  it("turn the last axis fastest, axes by name", () => {
    assert.deepStrictEqual(of({ values: { b: [1, 2], a: ["x", "y"] } }), [
      { a: "x", b: 1 },
      { a: "x", b: 2 },
      { a: "y", b: 1 },
      { a: "y", b: 2 },
    ])
  })

  it("leave out what exclude names, in part or in whole", () => {
    const values = { a: [1, 2], b: [1, 2] }
    assert.deepStrictEqual(of({ values, exclude: [{ a: 1 }, { a: 2, b: 2 }] }), [{ a: 2, b: 1 }])
  })

  // The example of GitHub's documentation of jobs.<id>.strategy.matrix.include.
  it("take include as GitHub Actions does", () => {
    const matrix: Matrix = {
      values: { animal: ["cat", "dog"], fruit: ["apple", "pear"] },
      include: [
        { color: "green" },
        { color: "pink", animal: "cat" },
        { fruit: "apple", shape: "circle" },
        { fruit: "banana" },
        { fruit: "banana", animal: "cat" },
      ],
    }
    assert.deepStrictEqual(of(matrix), [
      { fruit: "apple", animal: "cat", color: "pink", shape: "circle" },
      { fruit: "pear", animal: "cat", color: "pink" },
      { fruit: "apple", animal: "dog", color: "green", shape: "circle" },
      { fruit: "pear", animal: "dog", color: "green" },
      { fruit: "banana" },
      { fruit: "banana", animal: "cat" },
    ])
  })

  it("are none where an axis has no value, and only what is included where there is no axis", () => {
    assert.deepStrictEqual(of({ values: { a: [], b: [1] } }), [])
    assert.deepStrictEqual(of({ values: {}, include: [{ a: 1 }, { a: 2 }] }), [{ a: 1 }, { a: 2 }])
  })

  it("are as many as the product of the axes, each once", () => {
    const axes = FastCheck.dictionary(
      FastCheck.constantFrom("a", "b", "c"),
      FastCheck.uniqueArray(FastCheck.integer({ min: 0, max: 9 }), { maxLength: 5 }),
      { minKeys: 1 },
    )
    FastCheck.assert(
      FastCheck.property(axes, (values) => {
        const all = of({ values })
        assert.strictEqual(all.length, Matrices.productSize(values))
        assert.strictEqual(new Set(all.map((one) => JSON.stringify(one))).size, all.length)
      }),
    )
  })
})

describe("the type of a matrix", () => {
  const typeOf = (matrix: Matrix) => MatrixType.typeOf(matrix, () => ({ type: "integer" }))

  it("knows the values of an axis, and what an open one gives", () => {
    const type = typeOf({ values: { a: ["x", "y"], b: "${{ tasks.t.list }}" } })
    assert.deepStrictEqual(type.properties, { a: { type: "string", enum: ["x", "y"] }, b: { type: "integer" } })
    assert.deepStrictEqual(type.required, ["a", "b"])
  })

  it("says that a key may be absent which include adds to some combinations only", () => {
    const some = typeOf({ values: { a: ["x", "y"] }, include: [{ a: "x", extra: 1 }] })
    assert.deepStrictEqual(some.required, ["a"])
    const all = typeOf({ values: { a: ["x", "y"] }, include: [{ extra: 1 }] })
    assert.deepStrictEqual(all.required, ["a", "extra"])
  })
})
