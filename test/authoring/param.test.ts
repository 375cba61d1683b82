import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { jsonSchemaOf } from "../../src/authoring/param.ts"
import type { PlainSchema } from "../../src/domain/plain-schema.ts"
import { Month } from "../../src/domain/names.ts"

describe("a param", () => {
  it("from an Effect Schema is the JSON Schema that one would write in YAML", () => {
    const cases: ReadonlyArray<readonly [PlainSchema<unknown>, object]> = [
      [Schema.String, { type: "string" }],
      [
        Schema.String.annotate({ default: "x", description: "which" }),
        { type: "string", default: "x", description: "which" },
      ],
      [Schema.Int, { type: "integer" }],
      [Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })), { type: "integer", minimum: 1, maximum: 5 }],
      [Schema.Finite, { type: "number" }],
      [Schema.Boolean, { type: "boolean" }],
      [Schema.Literals(["a", "b"]), { type: "string", enum: ["a", "b"] }],
      [Month, { type: "string", pattern: String.raw`^\d{4}-(0[1-9]|1[0-2])$` }],
      [Schema.String.check(Schema.isPattern(/^a+$/u)), { type: "string", pattern: "^a+$" }],
      [
        Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(9)),
        { type: "string", minLength: 1, maxLength: 9 },
      ],
      [
        Schema.Array(Schema.Int).check(Schema.isMinLength(1)),
        { type: "array", items: { type: "integer" }, minItems: 1 },
      ],
      [
        Schema.Struct({ a: Schema.Int, b: Schema.optionalKey(Schema.String) }),
        {
          type: "object",
          properties: { a: { type: "integer" }, b: { type: "string" } },
          required: ["a"],
          additionalProperties: false,
        },
      ],
    ]
    for (const [schema, expected] of cases) assert.deepStrictEqual(jsonSchemaOf("p", schema), expected)
  })

  it("from a JSON Schema stays as it is", () => {
    const schema = { type: "string", pattern: "^a", default: "ab" }
    assert.strictEqual(jsonSchemaOf("p", schema), schema)
  })

  it("with a check that JSON Schema cannot hold is refused, as the check would be lost", () => {
    const checks = [
      Schema.String.check(Schema.makeFilter((text) => text !== "x")),
      Schema.String.check(Schema.isPattern(/a/i)),
      Schema.String.check(Schema.isPattern(/a/), Schema.isPattern(/b/)),
    ]
    for (const schema of checks)
      assert.throws(() => jsonSchemaOf("p", schema), /The param p has a check that JSON Schema cannot hold/)
  })
})
