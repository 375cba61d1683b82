import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { command, pipeline, plan, told } from "./compiled.ts"

const mayBeGone = command("a", "continueOnError: true")
const ok = 'tasks.a.status == "succeeded"'
const out = "tasks.a.stdout"

/** A pipeline with a task that reads the output of another, which may have none. */
const reading = (read: string, condition?: string) =>
  pipeline(
    "params: { go: { type: boolean, default: true } }",
    "tasks:",
    mayBeGone,
    `  b:`,
    `    uses: command`,
    ...(condition === undefined ? [] : [`    if: >-`, `      ${condition}`]),
    `    with:`,
    `      argv:`,
    `        - >-`,
    `          \${{ ${read} }}`,
  )

describe("a read of an output that may not be there", () => {
  const guarded: ReadonlyArray<readonly [read: string, condition?: string]> = [
    [out, ok],
    [out, `(${ok})`],
    [out, `params.go && (${ok} && true)`],
    [out, `"succeeded" == tasks.a.status`],
    [out, `tasks.a.status in ["succeeded"]`],
    [out, `!(tasks.a.status != "succeeded" || params.go)`],
    [out, `params.go ? ${ok} : false`],
    [out, `has(${out}) && params.go`],
    [out, `(params.go && ${ok}) || (!params.go && has(${out}))`],
    [`${ok} ? ${out} : "none"`],
    [`tasks.a.status != "succeeded" ? "none" : ${out}`],
    [`!has(${out}) ? "none" : params.go ? ${out} : ""`],
    [`string(has(${out}) && ${out} == "x")`],
    [`string(${out} == "x" && has(${out}))`],
    [`string(!has(${out}) || ${out} == "x")`],
  ]
  for (const [read, condition] of guarded) {
    it.effect(`compiles: ${read}${condition === undefined ? "" : ` if ${condition}`}`, () =>
      Effect.gen(function* () {
        assert.lengthOf((yield* plan(reading(read, condition))).tasks, 2)
      }),
    )
  }

  const unguarded: ReadonlyArray<readonly [read: string, condition?: string]> = [
    [out, `${ok} || true`],
    [out, `${ok} || params.go`],
    [out, `!(${ok})`],
    [out, `!(${ok} && params.go)`],
    [out, `params.go ? ${ok} : true`],
    [out, `${ok} ? params.go : true`],
    [out, `"x" == 'tasks.a.status == "succeeded"'`],
    [out, `tasks.a.status in ["succeeded", "failed"]`],
    [out, `has(${out}) || params.go`],
    [out, `!has(${out})`],
    [`${ok} ? "none" : ${out}`],
    [`has(${out}) ? "none" : ${out}`],
    [`string(has(${out}) || ${out} == "x")`],
    [`string(has(${out})) + ${out}`],
  ]
  for (const [read, condition] of unguarded) {
    it.effect(`does not compile: ${read}${condition === undefined ? "" : ` if ${condition}`}`, () =>
      Effect.gen(function* () {
        const all = yield* told(reading(read, condition))
        assert.lengthOf(all, 1)
        assert.match(all[0], /Task a may have no output here\. Ask first/)
      }),
    )
  }
})

describe("a read of a field that need not be there", () => {
  const text = (read: string) =>
    pipeline(
      "tasks:",
      `  many: { uses: command, matrix: { values: { n: [1, 2] }, include: [{ n: 1, extra: x }] }, with: { argv: ['\${{ ${read} }}'] } }`,
    )
  it.effect("compiles only where the expression has asked for it there", () =>
    Effect.gen(function* () {
      assert.lengthOf((yield* plan(text('has(matrix.extra) ? matrix.extra : ""'))).tasks, 1)
      for (const read of ['has(matrix.extra) ? "" : matrix.extra', "string(has(matrix.extra)) + matrix.extra"]) {
        assert.match((yield* told(text(read)))[0] ?? "", /matrix\.extra may be absent\. Ask first/)
      }
    }),
  )
})

describe("an output of a pipeline", () => {
  const text = (value: string) =>
    pipeline("outputs:", `  said: >-`, `    \${{ ${value} }}`, "tasks:", command("a", "if: 'true'"))
  it.effect("that is made of a task which may be skipped compiles only where it asks first", () =>
    Effect.gen(function* () {
      assert.lengthOf((yield* plan(text(`has(${out}) ? ${out} : ""`))).tasks, 1)
      for (const value of [`has(${out}) ? "" : ${out}`, `string(has(${out})) + ${out}`]) {
        assert.match((yield* told(text(value)))[0] ?? "", /Task a may have no output/)
      }
    }),
  )
})
