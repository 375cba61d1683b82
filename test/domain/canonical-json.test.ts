import { assert, describe, it } from "@effect/vitest"
import canonicalize from "canonicalize"
import * as fc from "fast-check"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"

const said = (encode: (value: unknown) => string | undefined, value: unknown) => {
  try {
    return encode(value) ?? "no JSON form"
  } catch (cause) {
    return cause instanceof TypeError && cause.message === "The value has no JSON form" ? "no JSON form" : "refused"
  }
}

const same = (value: unknown) => assert.strictEqual(said(CanonicalJson.encode, value), said(canonicalize, value))

describe("canonical JSON", () => {
  it("is what the canonicaliser writes, for values of every kind", () => {
    const key = fc.oneof(fc.string({ unit: "binary", maxLength: 3 }), fc.constantFrom("10", "9", "a", "B", "__proto__"))
    const values = fc.anything({ key, withDate: true, withNullPrototype: true, withSparseArray: true, maxDepth: 4 })
    fc.assert(fc.property(values, same), { numRuns: 3_000 })
    fc.assert(fc.property(fc.jsonValue({ stringUnit: "binary" }), same), { numRuns: 3_000 })
  })

  it("refuses what JSON cannot hold, and keeps what it can only just", () => {
    const circle: Record<string, unknown> = {}
    circle.self = circle
    for (const value of [Number.NaN, { a: -Infinity }, ["\ud800"], { "\udc00": 1 }, circle]) {
      assert.throws(() => CanonicalJson.encode(value))
    }
    let deep: unknown = []
    for (let i = 0; i < 100_000; i++) deep = [deep]
    assert.strictEqual(CanonicalJson.encode(deep).length, 200_002)
    for (const value of ["\\ud800", "a\ud83d\ude00", { b: -0, a: 1e21, 10: 1, 9: 2 }, [undefined, () => 1]]) same(value)
    same(Object.assign([1], { toJSON: () => "other" }))
    same({ a: { toJSON: () => ({ z: 1, b: 2 }) }, n: new Number(3), u: undefined, d: new Date(0) })
  })
})
