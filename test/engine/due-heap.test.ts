import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as DueHeap from "../../src/engine/due-heap.ts"

const drain = (heap: DueHeap.DueHeap | null): ReadonlyArray<readonly [number, number]> => {
  const order: Array<readonly [number, number]> = []
  for (let rest = heap; rest !== null; rest = DueHeap.pop(rest)) order.push([rest.due, rest.task])
  return order
}

describe("a heap of due times", () => {
  it("gives back what was put in, by due time and then by task", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.tuple(FastCheck.nat(20), FastCheck.nat(20))), (entries) => {
        let heap: DueHeap.DueHeap | null = null
        for (const [due, task] of entries) heap = DueHeap.insert(heap, due, task)
        assert.deepStrictEqual(
          drain(heap),
          entries.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]),
        )
      }),
    )
  })

  it("takes thirty thousand entries in rising, falling and alternating order without a deep recursion", () => {
    const count = 30_000
    const orders = [(i: number) => i, (i: number) => count - i, (i: number) => (i % 2 === 0 ? i : count - i), () => 0]
    for (const due of orders) {
      let heap: DueHeap.DueHeap | null = null
      for (let i = 0; i < count; i++) heap = DueHeap.insert(heap, due(i), i)
      const order = drain(heap)
      assert.strictEqual(order.length, count)
      assert.isTrue(order.every(([at], i) => i === 0 || order[i - 1][0] <= at))
    }
  })
})
