import { assert, describe, it } from "@effect/vitest"
import { assignable } from "../../src/domain/assignable.ts"
import { ofSchema } from "../../src/domain/json-schema.ts"
import { CheckedDataset, Dataset } from "../../src/domain/dataset.ts"
import { GatedModel, Model } from "../../src/domain/model.ts"

const dataset = ofSchema(Dataset)
const checked = ofSchema(CheckedDataset)

describe("assignability", () => {
  it("lets a gate's output be used as what it judged, not the other way round", () => {
    assert.isUndefined(assignable(checked, dataset))
    assert.match(
      assignable(dataset, checked) ?? "",
      /^expected Checked<Dataset>, got Dataset; only a data-quality gate/,
    )
    assert.isUndefined(assignable(ofSchema(GatedModel), ofSchema(Model)))
    assert.isString(assignable(ofSchema(Model), ofSchema(GatedModel)))
  })

  it("lets nothing of unknown type through a gate", () => {
    assert.isString(assignable({}, checked))
    assert.isString(assignable({ anyOf: [checked, {}] }, checked))
    assert.isUndefined(assignable({}, dataset))
  })

  it("lets whole numbers be numbers, not the other way round", () => {
    assert.isUndefined(assignable({ type: "integer" }, { type: "number" }))
    assert.strictEqual(assignable({ type: "number" }, { type: "integer" }), "expected integer, got number")
  })

  it("asks for every value of a choice", () => {
    const hours = { type: "string", enum: ["1h", "4h"] }
    assert.isUndefined(assignable({ type: "string", enum: ["1h"] }, hours))
    assert.match(assignable({ type: "string", enum: ["1h", "2h"] }, hours) ?? "", /"2h" is none of/)
    assert.match(assignable({ type: "string" }, hours) ?? "", /give the value an enum/)
    assert.isUndefined(assignable(hours, { type: "string" }))
  })

  it("asks every branch of the source for one of the target", () => {
    assert.isUndefined(
      assignable(
        { anyOf: [{ type: "string" }, { type: "integer" }] },
        { anyOf: [{ type: "number" }, { type: "string" }] },
      ),
    )
    assert.isString(assignable({ anyOf: [{ type: "string" }, { type: "null" }] }, { type: "string" }))
  })

  it("looks into records and lists, fields that may be absent among them", () => {
    const wanted = { type: "object", properties: { constructor: { type: "string" } }, required: ["constructor"] }
    assert.match(assignable({ type: "object", properties: {} }, wanted) ?? "", /constructor is missing/)
    assert.match(
      assignable({ type: "object", properties: { constructor: { type: "string" } } }, wanted) ?? "",
      /constructor may be absent/,
    )
    assert.match(
      assignable({ type: "array", items: { type: "string" } }, { type: "array", items: { type: "boolean" } }) ?? "",
      /^in the list: expected boolean, got string/,
    )
  })
})
