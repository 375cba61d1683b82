import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import * as Random from "../../src/market/random.ts"
import * as Scaling from "../../src/market/scaling.ts"

const normals = (count: number, mean: number, sd: number) => {
  const random = Random.make("scaling")
  return Float64Array.from({ length: count }, () => mean + sd * random.normal())
}

describe("Scaling", () => {
  it("turns normal values into about mean 0 and standard deviation 1", () => {
    const x = normals(20_000, 50, 4)
    const { scaled } = Scaling.apply(Scaling.fit({ scaled: x }), { scaled: x })
    const mean = scaled.reduce((sum, value) => sum + value, 0) / scaled.length
    const sd = Math.sqrt(scaled.reduce((sum, value) => sum + (value - mean) ** 2, 0) / scaled.length)
    assert.closeTo(mean, 0, 0.02)
    assert.closeTo(sd, 1, 0.04)
  })

  it("is not moved by an outlier, and clips it", () => {
    const x = normals(5000, 0, 1)
    const wild = x.slice()
    wild[10] = 1e9
    const scaler = Scaling.fit({ x: wild })
    assert.closeTo(scaler.columns.x.median, Scaling.fit({ x }).columns.x.median, 0.01)
    assert.closeTo(scaler.columns.x.scale, Scaling.fit({ x }).columns.x.scale, 0.01)
    assert.isAtMost(Scaling.apply(scaler, { x: wild }).x[10], 5)
  })

  it("stays within the clip and leaves NaN as it is, for any finite column", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1 }), (list) => {
        const x = Float64Array.from([...list, Number.NaN])
        const scaled = Scaling.apply(Scaling.fit({ x }), { x }).x
        assert.isNaN(scaled[list.length])
        assert.isTrue(scaled.subarray(0, list.length).every((value) => Math.abs(value) <= 5))
      }),
    )
  })

  it("learns from the given rows only", () => {
    const x = Float64Array.of(1, 2, 3, 1000, 2000)
    assert.strictEqual(Scaling.fit({ x }, { rows: Int32Array.of(0, 1, 2) }).columns.x.median, 2)
  })

  it("falls back to the mean deviation where most values are equal, and to 1 for a constant", () => {
    const mostly = Float64Array.from({ length: 100 }, (_, i) => (i < 80 ? 7 : 9))
    assert.closeTo(Scaling.fit({ mostly }).columns.mostly.scale, 0.4 * 1.2533, 1e-12)
    const constant = new Float64Array(10).fill(3)
    const scaler = Scaling.fit({ constant })
    assert.strictEqual(scaler.columns.constant.scale, 1)
    assert.isTrue(Scaling.apply(scaler, { constant }).constant.every((value) => value === 0))
  })

  it("survives JSON without a change", () => {
    const scaler = Scaling.fit({ a: normals(500, 1, 1), b: normals(500, -3, 0.1) })
    assert.deepStrictEqual(Schema.decodeUnknownSync(Scaling.Scaler)(JSON.parse(JSON.stringify(scaler))), scaler)
  })

  it("names the column that is missing or empty", () => {
    const scaler = Scaling.fit({ a: Float64Array.of(1, 2) })
    assert.throws(() => Scaling.apply(scaler, { b: Float64Array.of(1) }), /column a is not in the feature table/)
    assert.throws(() => Scaling.fit({ a: Float64Array.of(Number.NaN) }), /column a has no finite value/)
  })

  it("interpolates quantiles between neighbours", () => {
    const sorted = Float64Array.of(0, 10, 20, 30)
    assert.strictEqual(Scaling.quantile(sorted, 0), 0)
    assert.strictEqual(Scaling.quantile(sorted, 0.5), 15)
    assert.strictEqual(Scaling.quantile(sorted, 1), 30)
  })
})
