import { assert, describe, it } from "@effect/vitest"
import { diff } from "../../src/compiler/value-diff.ts"

describe("the difference of two values", () => {
  it("is none when only the order of keys differs", () => {
    assert.deepStrictEqual(diff({ a: 1, b: [1, { c: 2, d: 3 }] }, { b: [1, { d: 3, c: 2 }], a: 1 }), [])
  })

  it("names each field with its path, what it was and what it is", () => {
    assert.deepStrictEqual(diff({ a: { b: 1, gone: null }, same: 1 }, { a: { b: 2, come: [] }, same: 1 }), [
      { path: "a.b", old: 1, new: 2 },
      { path: "a.come", new: [] },
      { path: "a.gone", old: null },
    ])
  })

  it("compares lists of one length item by item", () => {
    assert.deepStrictEqual(diff({ a: [1, 2, 3] }, { a: [1, 5, 3] }), [{ path: "a[1]", old: 2, new: 5 }])
  })

  it("shows a list of plain values that grew or shrank as a whole", () => {
    assert.deepStrictEqual(diff({ a: ["x"] }, { a: ["x", "y"] }), [{ path: "a", old: ["x"], new: ["x", "y"] }])
  })

  it("finds named items wherever they stand", () => {
    const old = [
      { name: "a", n: 1 },
      { name: "b", n: 2 },
      { name: "c", n: 3 },
    ]
    assert.deepStrictEqual(
      diff(
        { l: old },
        {
          l: [
            { name: "b", n: 4 },
            { name: "c", n: 3 },
          ],
        },
      ),
      [
        { path: "l[b].n", old: 2, new: 4 },
        { path: "l[a]", old: { name: "a", n: 1 } },
      ],
    )
  })

  it("says when named items only changed places", () => {
    const [a, b] = [{ name: "a" }, { name: "b" }]
    assert.deepStrictEqual(diff({ l: [a, b] }, { l: [b, a] }), [
      { path: "l (order)", old: ["a", "b"], new: ["b", "a"] },
    ])
  })

  it("of items without a name shows only those in the middle that differ", () => {
    const [a, b, c] = [{ n: 1 }, { n: 2 }, { n: 3 }]
    assert.deepStrictEqual(diff({ l: [a, b, c] }, { l: [a, c] }), [{ path: "l[1]", old: b }])
  })
})
