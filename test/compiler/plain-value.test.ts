import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { checkValue } from "../../src/compiler/check-value.ts"
import { FieldReader } from "../../src/compiler/field-reader.ts"
import * as Located from "../../src/compiler/located.ts"
import { isPlain } from "../../src/compiler/plain-value.ts"
import * as Source from "../../src/compiler/source.ts"
import type { JsonSchema } from "../../src/domain/json-schema.ts"

const text = fc.constantFrom("a", "b", "5m", "1GiB", "${{ params.n }}", "${{")
const value = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.constantFrom<unknown>(0, 1.5, true, null),
    fc.array(tie("node"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "c", "${{ x }}"), tie("node"), { maxKeys: 3 }),
  ),
})).node

const schema = fc.letrec<{ node: JsonSchema }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<JsonSchema>(
      {},
      { "x-name": "Tree" },
      { type: "string" },
      { type: "number" },
      { type: "integer" },
      { type: "boolean" },
      { type: "null" },
      { type: "string", enum: ["a", "b"] },
      { const: 0 },
      { type: "string", "x-name": "Duration" },
      { type: "string", "x-name": "Size" },
      { type: "object", "x-name": "Gated<Model>" },
    ),
    fc.record<JsonSchema>({ type: fc.constant("array"), items: tie("node") }),
    fc.record<JsonSchema>({ type: fc.constant("object"), additionalProperties: tie("node") }),
    fc.record<JsonSchema>({ anyOf: fc.array(tie("node"), { minLength: 1, maxLength: 2 }) }),
    fc.record<JsonSchema>({
      type: fc.constant("object"),
      properties: fc.dictionary(fc.constantFrom("a", "b"), tie("node")),
      required: fc.subarray(["a", "b"]),
      additionalProperties: fc.constant(false),
    }),
  ),
})).node

describe("a plain value", () => {
  it("is one in which a full check finds nothing wrong and changes nothing", () => {
    let plain = 0
    fc.assert(
      fc.property(value, schema, (given, type) => {
        if (!isPlain(given, type)) return
        plain++
        const reader = new FieldReader(Source.make("p.ts", ""))
        const checked = checkValue(reader, Located.fromJson(given), type, "with", () => assert.fail("an expression"))
        assert.deepStrictEqual(reader.diagnostics, [])
        assert.strictEqual(JSON.stringify(checked), JSON.stringify(given))
      }),
      { numRuns: 3_000 },
    )
    assert.isAbove(plain, 100)
  })

  it("is what fits its type as it is written, expressions and quantities aside", () => {
    const type: JsonSchema = {
      type: "object",
      properties: {
        argv: { type: "array", items: { type: "string" } },
        grace: { type: "string", "x-name": "Duration" },
      },
      required: ["argv"],
      additionalProperties: false,
    }
    assert.isTrue(isPlain({ argv: ["echo", "1"] }, type))
    assert.isFalse(isPlain({ argv: ["echo", 1] }, type))
    assert.isFalse(isPlain({ argv: ["echo", "${{ params.n }}"] }, type))
    assert.isFalse(isPlain({ argv: [], grace: "90s" }, type))
    assert.isFalse(isPlain({ argv: [], other: 1 }, type))
    assert.isFalse(isPlain({}, type))
  })
})
