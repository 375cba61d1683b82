import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as Fifo from "../../src/engine/fifo.ts"

describe("a queue", () => {
  it("gives its elements in the order in which they came, and older versions keep theirs", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.option(FastCheck.nat())), (steps) => {
        let queue: Fifo.Fifo<number> = Fifo.empty
        let naive: ReadonlyArray<number> = []
        const versions: Array<readonly [Fifo.Fifo<number>, ReadonlyArray<number>]> = []
        for (const step of steps) {
          queue = step === null ? Fifo.pop(queue) : Fifo.push(queue, step)
          naive = step === null ? naive.slice(1) : [...naive, step]
          versions.push([queue, naive])
        }
        for (const [version, expected] of versions) {
          assert.deepStrictEqual([...Fifo.values(version)], expected)
          assert.strictEqual(version.size, expected.length)
          assert.strictEqual(Fifo.isEmpty(version), expected.length === 0)
          assert.strictEqual(version.front?.value, expected[0])
        }
      }),
    )
  })
})
