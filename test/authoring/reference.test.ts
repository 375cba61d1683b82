import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import type { Dataset } from "../../src/domain/dataset.ts"
import type { CheckedDataset } from "../../src/domain/dataset.ts"
import type { GatedModel, Model } from "../../src/domain/model.ts"
import type { Sha256 } from "../../src/domain/sha256.ts"
import {
  type Accepts,
  type Expression,
  type Ref,
  expression,
  ref,
  sourceOf,
  toDocument,
} from "../../src/authoring/reference.ts"

describe("a reference", () => {
  it("has references as its fields, whatever they are called", () => {
    const data = ref<{ toString: { then: string } }>("tasks.a")
    assert.strictEqual(sourceOf(data.toString.then), "tasks.a.toString.then")
    assert.strictEqual(data.toString, data.toString)
  })

  it("stands for its expression in a template string", () => {
    assert.strictEqual(`month ${ref<string>("params.month")}!`, "month ${{ params.month }}!")
  })

  it("is nothing but a reference: other values have no source", () => {
    for (const other of [undefined, null, 1, "params.month", {}, [], { source: "x" }])
      assert.isUndefined(sourceOf(other))
  })
})

describe("a value of an input", () => {
  it("is kept as JSON, references written as expressions, keys without a value left out", () => {
    assert.deepStrictEqual(
      toDocument({ a: [ref("params.x"), 1, null], b: { c: ref("tasks.t.o"), d: undefined }, e: "${{ x }}" }, "in"),
      { a: ["${{ params.x }}", 1, null], b: { c: "${{ tasks.t.o }}" }, e: "${{ x }}" },
    )
  })

  it("that is no JSON is refused with its place", () => {
    const refused: ReadonlyArray<readonly [unknown, RegExp]> = [
      [{ a: [Number.NaN] }, /^in\.a\[0\] must be plain JSON or a reference, not NaN/],
      [{ a: 1n }, /^in\.a must be .* not 1/],
      [{ a: new Map() }, /^in\.a must be .* not a Map/],
      [{ a: () => 1 }, /^in\.a must be/],
      [Symbol("x"), /^in must be .* not Symbol\(x\)/],
    ]
    for (const [value, message] of refused) assert.throws(() => toDocument(value, "in"), message)
  })
})

describe("types of references", () => {
  it("tell a gate's output from what no gate has seen", () => {
    expectTypeOf<Ref<GatedModel>>().toExtend<Accepts<GatedModel>>()
    expectTypeOf<Ref<Model>>().not.toExtend<Accepts<GatedModel>>()
    expectTypeOf<Ref<Dataset>>().not.toExtend<Accepts<CheckedDataset>>()
    expectTypeOf<Expression<unknown>>().not.toExtend<Accepts<GatedModel>>()
    expectTypeOf<GatedModel>().not.toExtend<Accepts<GatedModel>>()
    expectTypeOf<Ref<GatedModel>>().toExtend<Accepts<Model>>()
    expectTypeOf<Ref<CheckedDataset>>().toExtend<Accepts<Dataset>>()
  })

  it("follow fields, lists as a whole", () => {
    expectTypeOf<Ref<Dataset>["rows"]>().toExtend<Expression<number>>()
    expectTypeOf<Ref<Model>["slot"]["legA"]>().toExtend<Expression<string>>()
    expectTypeOf<Ref<Dataset>["symbols"]>().toExtend<Expression<ReadonlyArray<string>>>()
    expectTypeOf<Ref<Dataset>>().not.toHaveProperty("nothing")
    expectTypeOf<Ref<{ a?: number }>["a"]>().toExtend<Expression<number>>()
  })

  it("let a digest be written as text", () => {
    expectTypeOf<string>().toExtend<Accepts<Sha256>>()
    expectTypeOf<Ref<string>>().toExtend<Accepts<Sha256>>()
    expectTypeOf<Ref<Model>["digest"]>().toExtend<Accepts<Sha256>>()
    expectTypeOf<number>().not.toExtend<Accepts<Sha256>>()
  })

  it("let any part of an input be a value or a reference", () => {
    interface Input {
      readonly symbols: ReadonlyArray<string>
      readonly timeframe: "1h" | "4h"
      readonly source?: { readonly kind: "file"; readonly path: string } | { readonly kind: "sample" }
    }
    expectTypeOf<{ symbols: Array<string>; timeframe: "1h" }>().toExtend<Accepts<Input>>()
    expectTypeOf<{ symbols: Array<Ref<string> | string>; timeframe: Ref<"4h"> }>().toExtend<Accepts<Input>>()
    expectTypeOf<{
      symbols: Ref<Array<string>>
      timeframe: "1h"
      source: { kind: "file"; path: Ref<string> }
    }>().toExtend<Accepts<Input>>()
    expectTypeOf<Ref<Input>>().toExtend<Accepts<Input>>()
    expectTypeOf<{ symbols: Array<number>; timeframe: "1h" }>().not.toExtend<Accepts<Input>>()
    expectTypeOf<{ symbols: Array<string>; timeframe: "2h" }>().not.toExtend<Accepts<Input>>()
    expectTypeOf<{ symbols: Array<string>; timeframe: Ref<string> }>().not.toExtend<Accepts<Input>>()
    expectTypeOf<{ timeframe: "1h" }>().not.toExtend<Accepts<Input>>()
  })
})

describe("an expression as CEL source", () => {
  it("stands in documents and template strings as YAML writes it", () => {
    assert.deepStrictEqual(toDocument({ a: [expression("size(params.list)")] }, "p"), {
      a: ["${{ size(params.list) }}"],
    })
    assert.strictEqual(`${expression("1 + 1")} items`, "${{ 1 + 1 }} items")
  })

  it("fits any input, takes a type where one is given, and has no fields", () => {
    const written = <A>(given: Accepts<A>): unknown => toDocument(given, "p")
    assert.strictEqual(written<ReadonlyArray<string>>(expression("params.list")), "${{ params.list }}")
    assert.deepStrictEqual(written<{ readonly n: number }>({ n: expression("params.n + 1") }), {
      n: "${{ params.n + 1 }}",
    })
    expectTypeOf(expression<string>("params.name")).not.toExtend<Accepts<number>>()
    expectTypeOf(expression<{ a: string }>("params.name")).not.toHaveProperty("a")
  })
})
