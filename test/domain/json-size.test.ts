import { assert, describe, it } from "@effect/vitest"
import * as Fc from "fast-check"
import * as JsonSize from "../../src/domain/json-size.ts"

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value))
const atLeast = (value: unknown) => JsonSize.atLeast(value, Infinity)

describe("the least size of a value's JSON", () => {
  it("is never more than its size, and no less but for what is escaped and for `false`", () => {
    Fc.assert(
      Fc.property(Fc.jsonValue(), (value) => {
        const size = bytesOf(value)
        const cheap = (JSON.stringify(value).match(/\\u[0-9a-f]{4}|\\.|false/g) ?? []).join("").length
        assert.isAtMost(atLeast(value), size)
        assert.isAtLeast(atLeast(value), size - cheap)
      }),
    )
    for (const value of [{ a: [1, true, null, "é"], b: {} }, [], "", [[["x"]]], { a: { b: "c" } }, [undefined, NaN]]) {
      assert.strictEqual(atLeast(value), bytesOf(value))
    }
  })

  it("is counted no further than asked, whatever shared parts stand for", () => {
    const doubled = Array.from({ length: 64 }).reduce<unknown>((inner) => [inner, inner], "x")
    assert.isAbove(JsonSize.atLeast(doubled, 1_000_000), 1_000_000)
  })
})
