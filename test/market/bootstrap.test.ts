import { assert, describe, it } from "@effect/vitest"
import * as Bootstrap from "../../src/market/bootstrap.ts"
import * as Performance from "../../src/market/performance.ts"
import * as Random from "../../src/market/random.ts"

const series = (count: number, mean: number, seed: number) => {
  const random = Random.make(seed)
  return Float64Array.from({ length: count }, () => mean + 0.01 * random.normal())
}

describe("resample", () => {
  it("redraws days of the series, in runs of the mean length asked for", () => {
    const returns = Float64Array.from({ length: 5000 }, (_, day) => day)
    const drawn = Bootstrap.resample(returns, 10, Random.make(1))
    assert.isTrue(drawn.every((value) => returns.includes(value)))
    const breaks = drawn.filter((value, i) => i > 0 && value !== (drawn[i - 1] + 1) % 5000).length
    assert.closeTo(breaks / 5000, 0.1, 0.02)
  })

  it("redraws single days at a block length of 1", () => {
    const returns = Float64Array.from({ length: 1000 }, (_, day) => day)
    const drawn = Bootstrap.resample(returns, 1, Random.make(1))
    assert.isBelow(drawn.filter((value, i) => i > 0 && value === drawn[i - 1] + 1).length, 10)
  })
})

describe("intervals", () => {
  it("are the same for the same seed, and others for another", () => {
    const returns = series(300, 0.001, 1)
    const one = Bootstrap.intervals(returns, { seed: 7, samples: 200 })
    assert.deepStrictEqual(Bootstrap.intervals(returns, { seed: 7, samples: 200 }), one)
    assert.notDeepEqual(Bootstrap.intervals(returns, { seed: 8, samples: 200 }), one)
  })

  it("hold the observed Sharpe ratio, and are as wide as theory says for independent days", () => {
    const returns = series(500, 0.001, 3)
    const { sharpe, maxDrawdown, blockLength } = Bootstrap.intervals(returns, { seed: 1, samples: 600 })
    const observed = Performance.sharpe(returns) ?? Number.NaN
    assert.isNotNull(sharpe)
    assert.isNotNull(maxDrawdown)
    assert.strictEqual(blockLength, 8)
    assert.isBelow(sharpe.low, observed)
    assert.isAbove(sharpe.high, observed)
    const standardError = Math.sqrt(252 / 500)
    assert.closeTo((sharpe.high - sharpe.low) / (2 * 1.96 * standardError), 1, 0.25)
    assert.isTrue(0 < maxDrawdown.low && maxDrawdown.low < maxDrawdown.median && maxDrawdown.median < maxDrawdown.high)
  })

  it("narrow with the level", () => {
    const returns = series(300, 0, 5)
    const wide = Bootstrap.intervals(returns, { seed: 1, samples: 300, level: 0.99 }).sharpe
    const narrow = Bootstrap.intervals(returns, { seed: 1, samples: 300, level: 0.5 }).sharpe
    assert.isNotNull(wide)
    assert.isNotNull(narrow)
    assert.isTrue(wide.low < narrow.low && narrow.high < wide.high)
  })

  it("are null where the ratio is not defined", () => {
    assert.isNull(Bootstrap.intervals(new Float64Array(100), { seed: 1, samples: 20 }).sharpe)
    const empty = Bootstrap.intervals(new Float64Array(0), { seed: 1, samples: 20 })
    assert.deepStrictEqual([empty.sharpe, empty.maxDrawdown], [null, null])
  })
})
