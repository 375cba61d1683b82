import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as IntMap from "../../src/engine/int-map.ts"

const key = FastCheck.oneof(FastCheck.nat(40), FastCheck.nat(2_000), FastCheck.nat(200_000), FastCheck.nat(2 ** 30 - 1))

describe("a map from whole numbers", () => {
  it("gives what was set last, and leaves earlier maps as they were", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(FastCheck.tuple(key, FastCheck.nat()), { maxLength: 200 }),
        FastCheck.array(key),
        (changes, others) => {
          const model = new Map<number, number>()
          let map: IntMap.IntMap<number> = IntMap.empty
          const before: Array<readonly [IntMap.IntMap<number>, ReadonlyMap<number, number>]> = []
          for (const [number, value] of changes) {
            before.push([map, new Map(model)])
            map = IntMap.set(map, number, value)
            model.set(number, value)
          }
          before.push([map, model])
          for (const [then, known] of before.slice(-20)) {
            assert.deepStrictEqual(
              IntMap.entries(then),
              [...known].toSorted(([a], [b]) => a - b),
            )
            for (const number of [...known.keys(), ...others]) {
              assert.strictEqual(IntMap.get(then, number), known.get(number))
            }
          }
        },
      ),
    )
  })

  it("has nothing where nothing can be, and takes no such key", () => {
    const map = IntMap.set(IntMap.empty, 7, "seven")
    for (const odd of [-1, 2 ** 30, 2 ** 32 + 7, 1.5, Number.NaN, Infinity]) {
      assert.isUndefined(IntMap.get(map, odd), String(odd))
    }
    for (const odd of [-1, 2 ** 30, 2 ** 32 + 7, Number.NaN, Infinity]) {
      assert.throws(() => IntMap.set(map, odd, "odd"), "is no key")
    }
  })
})
