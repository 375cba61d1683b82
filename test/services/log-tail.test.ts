import { assert, describe, it } from "@effect/vitest"
import * as Fc from "fast-check"
import * as LogTail from "../../src/services/log-tail.ts"

const line = Fc.array(Fc.constantFrom("a", "é", "段", "😀", " "), { maxLength: 40 }).map(
  (parts) => `${parts.join("")}\n`,
)

describe("the tail of a log", () => {
  it("is the end of what was written, as whole lines, and knows what came before", () => {
    Fc.assert(
      Fc.property(Fc.array(line, { maxLength: 60 }), Fc.integer({ min: 8, max: 400 }), (lines, size) => {
        const tail = LogTail.make(size)
        for (const text of lines) tail.write(text, Buffer.byteLength(text))
        const all = Buffer.from(lines.join(""))
        const { dropped, kept } = tail.end()
        assert.strictEqual(dropped + kept.length, all.length)
        assert.isAtMost(kept.length, size)
        assert.deepStrictEqual(Buffer.from(kept), all.subarray(dropped))
        assert.notInclude(new TextDecoder().decode(kept), "\ufffd")
        if (all.length <= size) return assert.strictEqual(dropped, 0)
        const lastLine = Buffer.byteLength(lines.at(-1) ?? "")
        // A cut falls on a line's start, unless not even the last line is there as a whole.
        if (lastLine < size) assert.strictEqual(all[dropped - 1], 10)
      }),
    )
  })
})
