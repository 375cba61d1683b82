import { assert, describe, it } from "@effect/vitest"
import * as Cel from "../../../src/domain/expression/cel.ts"
import type { JsonSchema } from "../../../src/domain/json-schema.ts"

const object = (properties: Record<string, JsonSchema>, required = Object.keys(properties)): JsonSchema => ({
  type: "object",
  properties,
  required,
})

const scope: Cel.Scope = {
  params: object({
    n: { type: "integer" },
    x: { type: "number" },
    s: { type: "string" },
    b: { type: "boolean" },
    list: { type: "array", items: { type: "integer" } },
    any: {},
    map: { type: "object", additionalProperties: { type: "integer" } },
  }),
  run: object({ status: { type: "string", enum: ["succeeded", "failed"] } }),
  tasks: object({ a: object({ out: { type: "string" }, count: { type: "integer" } }, ["count"]) }),
}

const values = {
  params: { n: 7, x: 2.5, s: "text", b: true, list: [1, 2, 3], any: { k: [1, "a"] }, map: { one: 1 } },
  run: { status: "failed" },
  tasks: { a: { count: 3 } },
}

const compiled = (source: string): Cel.Expression => {
  const result = Cel.compile(source, scope)
  if (Cel.isExpressionFault(result)) throw new Error(`${source}: ${result.message}`)
  return result
}

const value = (source: string) => compiled(source).evaluate(values)

const fault = (source: string): string => {
  const result = Cel.compile(source, scope)
  return Cel.isExpressionFault(result) ? result.message : `no fault: ${JSON.stringify(result.type)}`
}

describe("an expression", () => {
  it("that is one reference gives the value as it is, with its type", () => {
    assert.strictEqual(value("params.any"), values.params.any)
    assert.deepStrictEqual(compiled("params.list").type, { type: "array", items: { type: "integer" } })
  })

  it("computes with whole numbers and comes back as numbers", () => {
    assert.strictEqual(value("params.n / 2"), 3)
    assert.strictEqual(value("params.n % 4 + 1"), 4)
    assert.strictEqual(value("params.list.map(i, i * 2)[2]"), 6)
    assert.deepStrictEqual(compiled("params.n * 2").type, { type: "integer" })
  })

  it("mixes whole and other numbers", () => {
    assert.strictEqual(value("params.n + params.x"), 9.5)
    assert.strictEqual(value("params.x * 2"), 5)
    assert.strictEqual(value("params.n > 2.5"), true)
    assert.deepStrictEqual(compiled("params.n + params.x").type, { type: "number" })
  })

  it("has text, conditions, lists and maps", () => {
    assert.strictEqual(value('params.s + "-" + string(params.n)'), "text-7")
    assert.strictEqual(value('params.b ? "yes" : "no"'), "yes")
    assert.strictEqual(value("params.list.exists(i, i > 2) && size(params.list) == 3"), true)
    assert.deepStrictEqual(value('{"a": [params.n], "b": params.s}'), { a: [7], b: "text" })
    assert.strictEqual(value("params.map.one"), 1)
  })

  it("asks with has() whether a field is there", () => {
    const asked = compiled('has(tasks.a.out) ? tasks.a.out : "none"')
    assert.deepStrictEqual(asked.guarded, [["tasks", "a", "out"]])
    assert.strictEqual(asked.evaluate(values), "none")
    assert.strictEqual(asked.evaluate({ ...values, tasks: { a: { count: 3, out: "there" } } }), "there")
  })

  it("knows the durations of pipelines, and gives them back as pipelines write them", () => {
    assert.strictEqual(value('duration("1m30s")'), "1m30s")
    assert.deepStrictEqual(compiled('duration("2d")').type, { type: "string", "x-name": "Duration" })
    assert.strictEqual(value('duration("PT90M") + duration("2 hours")'), "3h30m")
    assert.strictEqual(value('duration("2d") > duration("47h") && params.n == 7'), true)
    assert.strictEqual(value('"for " + string(duration("2d"))'), "for 2d")
    assert.strictEqual(value('timestamp("2025-01-01T00:00:00Z") + duration("2d")'), "2025-01-03T00:00:00.000Z")
    assert.strictEqual(value('"on " + string(timestamp("2025-01-01T00:00:00Z"))'), "on 2025-01-01T00:00:00.000Z")
    assert.strictEqual(value('timestamp("2025-01-01T00:00:00Z") - timestamp("2025-01-01T01:00:00Z")'), "-1h")
    assert.strictEqual(value('"duration(" + params.s'), "duration(text")
  })

  it("with a constant that a function cannot take is refused before it runs", () => {
    assert.match(fault('duration("4 parsecs") > duration("5m")'), /^"4 parsecs" is no duration, like 90s, 5m or 2d$/)
    assert.match(
      fault('timestamp("yesterday") < timestamp("2025-01-01T00:00:00Z")'),
      /^timestamp\("yesterday"\) has no/,
    )
    assert.match(fault('int("abc") + params.n'), /^int\("abc"\) has no result: /)
    assert.match(fault("params.n / 0"), /division by zero/)
    assert.match(fault("params.n % 0"), /division by zero|modulo by zero/)
    assert.match(fault("duration(params.n)"), /no matching overload for 'duration\(int\)'/)
    assert.strictEqual(value("params.x / 0.0 > 1.0"), true)
  })

  it("names what it reads, so that needs follow from it", () => {
    assert.deepStrictEqual(compiled("tasks.a.count > params.n && params.list.all(i, i > params.n)").references, [
      ["tasks", "a", "count"],
      ["params", "n"],
      ["params", "list"],
      ["params", "n"],
    ])
  })

  it("with a name or a field that is not there says what there is", () => {
    assert.match(fault("param.n"), /^There is no "param" here\. Did you mean "params"\?$/)
    assert.match(fault("params.nn + 1"), /^params has no field "nn"; it has n, x, s/)
    assert.match(fault("size(tasks.a.outt)"), /^tasks\.a has no field "outt".*Did you mean "out"\?$/)
    assert.match(fault("has(tasks.a.outt)"), /has no field "outt"/)
    assert.match(fault("params.n.x"), /params\.n has no field "x"; it has no fields/)
  })

  it("whose types do not fit is refused before it runs", () => {
    for (const source of [
      'params.n + "a"',
      "params.s && true",
      "params.s - 1",
      "size(params.n)",
      "nothing(1)",
      "!params.n",
    ]) {
      assert.notMatch(fault(source), /^no fault/, source)
    }
  })

  it("that compares with a value which never occurs is refused", () => {
    assert.match(fault('run.status == "success"'), /^run\.status is never "success"; it is one of succeeded, failed\./)
    assert.match(fault('"faild" != run.status'), /Did you mean "failed"\?/)
    assert.strictEqual(value('run.status == "failed"'), true)
    assert.match(
      fault('run.status in ["succeeded", "faild"]'),
      /^run\.status is never "faild"; .* Did you mean "failed"\?$/,
    )
    assert.strictEqual(value('run.status in ["succeeded", "failed"]'), true)
  })

  it("has no regular expressions, which can hang", () => {
    assert.match(fault('params.s.matches("(a+)+$")'), /matches\(\) is not available/)
    assert.match(fault('matches(params.s, "(a+)+$")'), /matches/)
  })

  it("that is empty or broken says where", () => {
    assert.match(fault(""), /empty/)
    const broken = Cel.compile("params.n + * 2", scope)
    assert.isTrue(Cel.isExpressionFault(broken) && broken.start > 0)
  })

  it("reaches nothing of JavaScript", () => {
    for (const source of [
      "params.constructor",
      "params.s.constructor",
      "params.list.constructor",
      "params.__proto__",
      "globalThis",
      "process.env",
      "params.toString",
    ]) {
      assert.notMatch(fault(source), /^no fault/, source)
    }
    assert.isUndefined(value("params.map.constructor"))
  })
})
