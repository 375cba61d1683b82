import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as Template from "../../../src/domain/expression/template.ts"

const expression = (source: string, offset: number) => ({ _tag: "Expression", source, offset })
const text = (value: string) => ({ _tag: "Text", text: value })

describe("a text with expressions", () => {
  it("is cut into text and expressions with their places", () => {
    assert.deepStrictEqual(Template.parse("a ${{ params.x }}-${{run.id}}"), [
      text("a "),
      expression("params.x", 6),
      text("-"),
      expression("run.id", 21),
    ] as never)
  })

  it("may hold braces and quotes inside an expression", () => {
    for (const source of ['{"a": {"b": 1}}', '"}}"', "'}}' + \"{{\"", 'x == "\\"}}"']) {
      assert.deepStrictEqual(Template.parse(`\${{ ${source} }}`), [expression(source, 4)] as never)
    }
  })

  it("that is not closed says where it opens", () => {
    assert.deepStrictEqual(Template.parse("ab ${{ x }"), { unclosedAt: 3 })
    assert.deepStrictEqual(Template.parse('${{ "x }}'), { unclosedAt: 0 })
  })

  it("has one form, which stays as it is", () => {
    const words = FastCheck.constantFrom("${{ a.b }}", "${{a}}", "${{  a  }}", " ", "x", "$", "}", "${{ '}}' }}", "")
    FastCheck.assert(
      FastCheck.property(FastCheck.array(words), (pieces) => {
        const parts = Template.parse(pieces.join(""))
        if ("unclosedAt" in parts) throw new Error(`${pieces.join("")} is closed`)
        const normal = Template.normalise(parts)
        const again = Template.parse(normal)
        assert.strictEqual("unclosedAt" in again ? "" : Template.normalise(again), normal)
      }),
    )
  })
})

describe("a plain reference", () => {
  it("is names with dots and nothing else", () => {
    assert.deepStrictEqual(Template.plainReference("tasks.train.model"), ["tasks", "train", "model"])
    for (const other of ["a.b()", "a[0]", "a + b", "1", "a..b", "a.", "a-b", ""]) {
      assert.isUndefined(Template.plainReference(other), other)
    }
  })
})
