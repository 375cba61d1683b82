import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { check, resultOf, rowsOf, failed, clean, write, runbook, defects, formats } from "./dq-bars.ts"
import * as Workplace from "./workplace.ts"

describe("dq with the runbook's expectations", () => {
  for (const format of formats) {
    it.effect(`passes clean bars in ${format}`, () =>
      Effect.gen(function* () {
        const root = yield* Workplace.project
        const output = yield* check(root, [yield* write(root, format, clean(300))], runbook)
        assert.deepStrictEqual(failed(output), [])
        assert.strictEqual(output.verdict, "PASSED")
        assert.deepStrictEqual(output.quarantine, [])
      }),
    )
    for (const { defect, named, rows, seed, verdict } of defects) {
      it.effect(`finds ${defect} by name and row in ${format}`, () =>
        Effect.gen(function* () {
          const root = yield* Workplace.project
          const bars = clean(300)
          seed(bars)
          const output = yield* check(root, [yield* write(root, format, bars)], runbook)
          assert.include(failed(output), named)
          assert.deepStrictEqual(rowsOf(output, named), rows)
          assert.strictEqual(resultOf(output, named).failing, rows.length)
          assert.strictEqual(output.verdict, verdict)
          assert.strictEqual(output.gate.verdict, verdict)
        }),
      )
    }
    it.effect(`finds all eight defects at once in ${format}`, () =>
      Effect.gen(function* () {
        const root = yield* Workplace.project
        const bars = clean(300)
        for (const { seed } of defects.slice(0, 8)) seed(bars)
        const output = yield* check(root, [yield* write(root, format, bars)], runbook)
        for (const { named, rows } of defects.slice(0, 8))
          assert.includeMembers(rowsOf(output, named), [...rows], named)
      }),
    )
  }
})
