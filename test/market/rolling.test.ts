import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Random from "../../src/market/random.ts"
import * as Rolling from "../../src/market/rolling.ts"

const value = fc.double({ min: -1000, max: 1000, noNaN: true })
const column = fc.array(value, { minLength: 0, maxLength: 60 }).map((list) => Float64Array.from(list))
const gappy = fc
  .array(fc.oneof({ weight: 12, arbitrary: value }, { weight: 1, arbitrary: fc.constant(Number.NaN) }), {
    maxLength: 60,
  })
  .map((list) => Float64Array.from(list))
const window = fc.integer({ min: 2, max: 12 })

/** The statistic recomputed from each full window of finite values. */
const naive = (x: Float64Array, size: number, statistic: (values: Float64Array, row: number) => number) =>
  x.map((_, i) => {
    const values = x.slice(Math.max(0, i - size + 1), i + 1)
    return values.length === size && values.every(Number.isFinite) ? statistic(values, i) : Number.NaN
  })
const meanOf = (values: Float64Array) => values.reduce((sum, next) => sum + next, 0) / values.length
const covarianceOf = (x: Float64Array, y: Float64Array) => {
  const mx = meanOf(x)
  const my = meanOf(y)
  return x.reduce((sum, next, i) => sum + (next - mx) * (y[i] - my), 0) / (x.length - 1)
}

const close = (actual: Float64Array, expected: Float64Array, tolerance: number) =>
  expected.forEach((want, i) => {
    if (Number.isNaN(want)) assert.isNaN(actual[i])
    else assert.closeTo(actual[i], want, tolerance)
  })

describe("Rolling", () => {
  it("gives the mean and sample variance of each full window, NaN elsewhere", () => {
    fc.assert(
      fc.property(gappy, window, (x, size) => {
        close(Rolling.mean(x, size), naive(x, size, meanOf), 1e-9)
        close(
          Rolling.variance(x, size),
          naive(x, size, (values) => covarianceOf(values, values)),
          1e-6,
        )
      }),
    )
  })

  it("keeps its digits on a long series far from zero, and after an outlier has left", () => {
    const random = Random.make("rolling")
    const x = Float64Array.from({ length: 20_000 }, () => 1e6 + 0.001 * random.normal())
    x[700] = 1e12
    const expected = naive(x, 180, (values) => {
      const shifted = values.map((next) => next - values[0])
      return covarianceOf(shifted, shifted)
    })
    const actual = Rolling.variance(x, 180)
    for (let i = 179; i < x.length; i++) assert.closeTo(actual[i] / expected[i], 1, 1e-5)
  })

  it("finds no variance in a constant column", () => {
    const x = new Float64Array(500).fill(1.1)
    assert.isTrue(
      Rolling.variance(x, 180)
        .slice(179)
        .every((next) => next === 0),
    )
    assert.isTrue(Rolling.beta(x, x, 180).every(Number.isNaN))
    assert.isTrue(Rolling.correlation(x, x, 180).every(Number.isNaN))
  })

  it("gives the least squares slope and the correlation of each window", () => {
    const random = Random.make("pair")
    const x = Float64Array.from({ length: 600 }, () => random.normal())
    const y = x.map((next) => 3 + 0.8 * next + 0.5 * random.normal())
    const pick = (row: number, size: number) => [x.slice(row - size + 1, row + 1), y.slice(row - size + 1, row + 1)]
    close(
      Rolling.beta(y, x, 30),
      naive(x, 30, (_, row) => {
        const [u, v] = pick(row, 30)
        return covarianceOf(u, v) / covarianceOf(u, u)
      }),
      1e-10,
    )
    close(
      Rolling.correlation(x, y, 30),
      naive(x, 30, (_, row) => {
        const [u, v] = pick(row, 30)
        return covarianceOf(u, v) / Math.sqrt(covarianceOf(u, u) * covarianceOf(v, v))
      }),
      1e-10,
    )
  })

  it("keeps a correlation within −1 and 1", () => {
    fc.assert(
      fc.property(column, window, fc.double({ min: -5, max: 5, noNaN: true }), (x, size, k) => {
        const rho = Rolling.correlation(
          x,
          x.map((next) => k * next),
          size,
        )
        assert.isTrue(rho.every((next) => Number.isNaN(next) || Math.abs(next) <= 1))
      }),
    )
  })

  it("finds a straight line's slope a bar", () => {
    const line = Float64Array.from({ length: 400 }, (_, i) => 5 - 0.25 * i)
    Rolling.slope(line, 20)
      .slice(19)
      .forEach((next) => assert.closeTo(next, -0.25, 1e-9))
  })

  it("gives the median and the maximum of each full window", () => {
    fc.assert(
      fc.property(gappy, window, (x, size) => {
        const middle = (values: Float64Array) => {
          const sorted = values.slice().sort()
          return (sorted[Math.floor((size - 1) / 2)] + sorted[Math.ceil((size - 1) / 2)]) / 2
        }
        close(Rolling.median(x, size), naive(x, size, middle), 1e-9)
        close(
          Rolling.maximum(x, size),
          naive(x, size, (values) => Math.max(...values)),
          0,
        )
      }),
    )
  })

  it("has nothing to compare row 0 with", () => {
    const x = Float64Array.of(1, 2, 4)
    assert.deepStrictEqual([...Rolling.difference(x)], [Number.NaN, 1, 2])
    assert.deepStrictEqual([...Rolling.lag(x)], [Number.NaN, 1, 2])
    assert.deepStrictEqual([...Rolling.logReturn(x)], [Number.NaN, Math.LN2, Math.LN2])
  })
})
