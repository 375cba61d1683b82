import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Random from "../../src/market/random.ts"

const take = <A>(count: number, draw: () => A) => Array.from({ length: count }, draw)

describe("Random", () => {
  it("gives the numbers of the authors' C program (xoshiro128starstar.c) from a known state", () => {
    const random = Random.fromState([0x964d4a0c, 0xd40ab895, 0xad7fdecb, 0x3006f0f0])
    assert.deepStrictEqual(take(4, random.uint32), [0xf1391922, 0x6fe53806, 0xa5be2840, 0xf510ee70])
  })

  it("gives the same numbers for the same seed and others for another seed", () => {
    assert.deepStrictEqual(take(100, Random.make(7).next), take(100, Random.make("7").next))
    assert.notDeepEqual(take(4, Random.make(7).next), take(4, Random.make(8).next))
    assert.notDeepEqual(take(4, Random.make("7/a").next), take(4, Random.make("7/b").next))
  })

  it("draws uniforms in [0, 1) and integers below n", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 1000 }), (seed, n) => {
        const random = Random.make(seed)
        assert.isTrue(take(50, random.next).every((value) => value >= 0 && value < 1))
        assert.isTrue(
          take(50, () => random.int(n)).every((value) => Number.isInteger(value) && value >= 0 && value < n),
        )
      }),
    )
  })

  it("draws integers evenly and refuses a range that it cannot serve", () => {
    const random = Random.make("even")
    const counts = new Float64Array(10)
    for (let i = 0; i < 100_000; i++) counts[random.int(10)]++
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)
    assert.isBelow(chiSquare, 27.9)
    assert.throws(() => random.int(0), RangeError)
    assert.throws(() => random.int(1.5), RangeError)
  })

  it("draws normals with the first four moments of the standard normal", () => {
    const values = take(200_000, Random.make("moments").normal)
    const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / values.length
    assert.closeTo(moment(1), 0, 0.01)
    assert.closeTo(moment(2), 1, 0.015)
    assert.closeTo(moment(3), 0, 0.04)
    assert.closeTo(moment(4), 3, 0.1)
  })

  it("shuffles in place into a permutation of the same elements", () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { maxLength: 60 }), fc.string(), (list, seed) => {
        const shuffled = Random.make(seed).shuffle([...list])
        assert.deepStrictEqual([...shuffled].sort(), [...list].sort())
      }),
    )
    assert.notDeepEqual(
      [...Random.make(1).shuffle(Int32Array.from({ length: 20 }, (_, i) => i))],
      take(20, () => 0).map((_, i) => i),
    )
  })
})
