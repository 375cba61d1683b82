import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as JsonSchemas from "../../src/domain/json-schema.ts"
import { GatedModel } from "../../src/domain/model.ts"
import { Duration } from "../../src/domain/quantity.ts"

describe("the JSON Schema of an input", () => {
  it("calls a type by its own name however many fields have it, each with its own words", () => {
    const schema = JsonSchemas.ofSchema(
      Schema.Struct({
        champion: GatedModel.annotate({ description: "what is live" }),
        challenger: GatedModel.annotate({ description: "what may become it" }),
        grace: Schema.optionalKey(Duration.annotate({ description: "before it is stopped" })),
        patience: Duration.annotate({ description: "before it is given up" }),
      }),
    )
    const said = Object.entries(schema.properties ?? {}).map(([key, node]) => [key, node["x-name"], node.description])
    assert.deepStrictEqual(said, [
      ["champion", "Gated<Model>", "what is live"],
      ["challenger", "Gated<Model>", "what may become it"],
      ["grace", "Duration", "before it is stopped"],
      ["patience", "Duration", "before it is given up"],
    ])
  })
})
