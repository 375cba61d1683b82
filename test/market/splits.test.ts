import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { isOpen } from "../../src/market/synthetic.ts"
import * as Splits from "../../src/market/splits.ts"

/** Ascending bar rows of samples, a share of all bars from `start` on. */
const samples = fc
  .record({
    bars: fc.integer({ min: 1500, max: 4000 }),
    start: fc.integer({ min: 0, max: 200 }),
    step: fc.integer({ min: 1, max: 60 }),
  })
  .map(({ bars, start, step }) => ({
    bars,
    rows: Int32Array.from({ length: Math.ceil((bars - start) / step) }, (_, i) => start + i * step),
  }))
const horizons = fc.integer({ min: 0, max: 60 })
const hour = 3_600_000
const hours = Array.from({ length: 24 * 731 }, (_, i) => Date.UTC(2024, 0, 1) + i * hour).filter(isOpen)
const timestamp = Float64Array.from(hours)

describe("purgedKFold", () => {
  it("tests every sample exactly once, in five blocks that end at the newest bar", () => {
    fc.assert(
      fc.property(samples, horizons, ({ bars, rows }, horizon) => {
        const folds = Result.getOrThrow(Splits.purgedKFold(rows, bars, horizon))
        assert.strictEqual(folds.length, 5)
        assert.strictEqual(folds[4].until, bars)
        assert.deepStrictEqual(
          folds.flatMap((fold) => [...fold.test]),
          [...rows.keys()],
        )
        folds.forEach((fold) => assert.isAtLeast(fold.until - fold.from, 240))
      }),
    )
  })

  it("keeps training samples away from the test block by purge before, purge and embargo after", () => {
    fc.assert(
      fc.property(samples, horizons, ({ bars, rows }, horizon) => {
        const purge = Math.max(24, horizon)
        for (const { from, test, train, until } of Result.getOrThrow(Splits.purgedKFold(rows, bars, horizon))) {
          const tested = new Set(test)
          for (const index of train) {
            assert.isFalse(tested.has(index))
            const row = rows[index]
            assert.isTrue(row + purge < from || row >= until + purge + 24, `row ${row} beside [${from}, ${until})`)
          }
          const left = rows.filter((row) => row < from - purge || row >= until + purge + 24)
          assert.strictEqual(train.length, left.length)
        }
      }),
    )
  })

  it("says how many bars are needed when blocks would be too short", () => {
    const rows = Int32Array.from({ length: 1199 }, (_, i) => i)
    const result = Splits.purgedKFold(rows, 1199, 48)
    assert.isTrue(Result.isFailure(result))
    assert.match(
      Result.isFailure(result) ? result.failure.message : "",
      /needs 1200 bars with samples and there are 1199/,
    )
    assert.isTrue(Result.isFailure(Splits.purgedKFold(new Int32Array(0), 5000, 48)))
  })
})

describe("walkForward", () => {
  it("trains on the first 360 days, tests 30 days at a time, and reaches the newest bar", () => {
    const rows = Int32Array.from(timestamp.keys()).subarray(359)
    const folds = Result.getOrThrow(Splits.walkForward(rows, timestamp, 48))
    assert.isAtLeast(timestamp[folds[0].from] - timestamp[359], 360 * 24 * hour)
    assert.isAtMost(timestamp[folds[0].from] - timestamp[359], 363 * 24 * hour)
    folds.forEach((fold, k) => {
      assert.isAbove(fold.test.length, 0)
      assert.isTrue(fold.train.every((index) => rows[index] + 48 < fold.from))
      if (k > 0) {
        assert.strictEqual(fold.from, folds[k - 1].until)
        assert.isAbove(fold.train.length, folds[k - 1].train.length)
      }
      if (k < folds.length - 1)
        assert.closeTo(timestamp[fold.until] - timestamp[fold.from], 30 * 24 * hour, 3 * 24 * hour)
    })
    const last = folds[folds.length - 1]
    assert.strictEqual(last.until, timestamp.length)
    assert.strictEqual(last.test[last.test.length - 1], rows.length - 1)
    assert.strictEqual(last.train[0], 0)
  })

  it("tests a short remainder with the fold before it, for any length of history", () => {
    fc.assert(
      fc.property(fc.integer({ min: 7000, max: timestamp.length }), horizons, (bars, horizon) => {
        const rows = Int32Array.from({ length: bars }, (_, i) => i)
        const folds = Result.getOrThrow(Splits.walkForward(rows, timestamp.subarray(0, bars), horizon))
        assert.strictEqual(folds[folds.length - 1].until, bars)
        folds.forEach((fold) => assert.isAtLeast(fold.until - fold.from, 240))
      }),
      { numRuns: 30 },
    )
  })

  it("refuses a history that leaves nothing to test", () => {
    const rows = Int32Array.from({ length: 3000 }, (_, i) => i)
    const result = Splits.walkForward(rows, timestamp.subarray(0, 3000), 48)
    assert.match(
      Result.isFailure(result) ? result.failure.message : "",
      /walk-forward needs \d+ bars with samples and there are 3000/,
    )
    assert.isTrue(Result.isFailure(Splits.walkForward(new Int32Array(0), timestamp, 48)))
  })
})
