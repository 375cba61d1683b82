import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as Topology from "../../src/compiler/topology.ts"

const id = (n: number) => `t${n}`

/** Needs that only point to earlier numbers, the tasks in a random order. */
const acyclic = FastCheck.integer({ min: 1, max: 60 }).chain((size) =>
  FastCheck.record({
    needs: FastCheck.tuple(
      ...Array.from({ length: size }, (_, n) => FastCheck.subarray(Array.from({ length: n }, (__, i) => id(i)))),
    ),
    order: FastCheck.shuffledSubarray(
      Array.from({ length: size }, (_, n) => n),
      { minLength: size },
    ),
  }),
)

const nodesOf = (needs: ReadonlyArray<ReadonlyArray<string>>, order: ReadonlyArray<number>) =>
  order.map((n) => ({ id: id(n), needs: needs[n] }))

describe("topological order", () => {
  it("puts every task after those that it needs, and keeps each once", () => {
    FastCheck.assert(
      FastCheck.property(acyclic, ({ needs, order }) => {
        const sorted = Topology.sort(nodesOf(needs, order))
        const ids = "order" in sorted ? sorted.order.map((node) => node.id) : []
        assert.deepStrictEqual(ids.toSorted(), order.map(id).toSorted())
        const place = new Map(ids.map((one, at) => [one, at]))
        needs.forEach((own, n) => {
          for (const need of own) assert.isBelow(place.get(need) ?? Infinity, place.get(id(n)) ?? -1)
        })
      }),
    )
  })

  it("does not depend on the order in which tasks are written", () => {
    FastCheck.assert(
      FastCheck.property(acyclic, ({ needs, order }) => {
        assert.deepStrictEqual(
          Topology.sort(nodesOf(needs, order)),
          Topology.sort(
            nodesOf(
              needs,
              order.toSorted((a, b) => a - b),
            ),
          ),
        )
      }),
    )
  })

  it("names a true circle where there is one", () => {
    FastCheck.assert(
      FastCheck.property(acyclic, FastCheck.nat(), FastCheck.nat(), ({ needs, order }, a, b) => {
        const [low, high] = [a % needs.length, b % needs.length].toSorted((x, y) => x - y)
        const circular = needs.map((own, n) => (n === high ? [...own, id(low)] : n === low ? [...own, id(high)] : own))
        const graph = nodesOf(circular, order)
        const sorted = Topology.sort(graph)
        const cycle = "cycle" in sorted ? sorted.cycle : []
        assert.isAtLeast(cycle.length, 2)
        assert.strictEqual(cycle[0], cycle.at(-1))
        for (let i = 1; i < cycle.length; i++)
          assert.include(graph.find((node) => node.id === cycle[i - 1])?.needs ?? [], cycle[i])
      }),
    )
  })
})
