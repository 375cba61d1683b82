import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Bins from "../../src/market/boosting-bins.ts"
import * as Matrix from "../../src/market/matrix.ts"

const value = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: -50, max: 50, noNaN: true }) },
  { weight: 2, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Infinity, -Infinity) },
)

describe("boosting bins", () => {
  it("keep the order of the values, put a value at or below its threshold, and missing ones apart", () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 80 }), fc.integer({ min: 2, max: 20 }), (values, bins) => {
        const binned = Bins.bin(Matrix.make(["x"], [Float64Array.from(values)]), bins)
        const thresholds = binned.thresholds[0]
        assert.isTrue(thresholds.length < bins)
        values.forEach((x, i) => {
          const bin = binned.columns[0][i]
          if (!Number.isFinite(x)) return assert.strictEqual(bin, binned.missing[0])
          assert.isTrue(bin <= thresholds.length)
          for (let b = 0; b < thresholds.length; b++) assert.strictEqual(bin <= b, x <= thresholds[b])
        })
      }),
    )
  })

  it("few distinct values get a bin each, cut half way between them", () => {
    const binned = Bins.bin(Matrix.make(["x"], [Float64Array.of(4, 1, 2, 2, Number.NaN)]), 255)
    assert.deepStrictEqual(binned.thresholds[0], Float64Array.of(1.5, 3))
    assert.deepStrictEqual(binned.columns[0], Uint8Array.of(2, 0, 1, 1, 3))
  })

  it("many values get bins of about equal counts, however skewed they are", () => {
    const skewed = Float64Array.from({ length: 10_000 }, (_, i) => Math.exp(i / 500))
    const binned = Bins.bin(Matrix.make(["x"], [skewed]), 255)
    const counts = new Int32Array(255)
    for (const bin of binned.columns[0]) counts[bin]++
    for (const count of counts) assert.isTrue(count >= 38 && count <= 41, `${count}`)
  })

  it("a column without a value has only the missing bin in use", () => {
    const binned = Bins.bin(Matrix.make(["x"], [new Float64Array(3).fill(Number.NaN)]), 255)
    assert.strictEqual(binned.thresholds[0].length, 0)
    assert.deepStrictEqual(binned.columns[0], Uint8Array.of(1, 1, 1))
  })

  it("a number of bins that a byte cannot hold is refused", () => {
    for (const bins of [1, 256, 2.5]) assert.throws(() => Bins.bin(Matrix.make([], []), bins), RangeError, "2 to 255")
  })
})
