import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as ClassWeights from "../../src/market/class-weights.ts"

const labelled = (positives: number, negatives: number) =>
  Array.from({ length: positives + negatives }, (_, i) => (i < positives ? 1 : 0))

describe("class weights", () => {
  it("sum to the rows, favour the rarer class and never by more than the ratio", () => {
    const count = fc.integer({ min: 1, max: 200 })
    fc.assert(
      fc.property(count, count, fc.double({ min: 1, max: 10, noNaN: true }), (positives, negatives, maxRatio) => {
        const labels = labelled(positives, negatives)
        const { positive, negative } = ClassWeights.balanced(labels, maxRatio)
        const expected = Math.min(maxRatio, Math.max(positives / negatives, negatives / positives))
        assert.approximately(positives <= negatives ? positive / negative : negative / positive, expected, 1e-9)
        const sum = ClassWeights.perRow(labels, { positive, negative }).reduce((a, b) => a + b)
        assert.approximately(sum, labels.length, 1e-9)
      }),
    )
  })

  it("below the cap the classes weigh the same, so the log odds are zero", () => {
    const labels = labelled(30, 90)
    const weights = ClassWeights.balanced(labels, 5)
    assert.deepStrictEqual(weights, { positive: 2, negative: 2 / 3 })
    assert.approximately(ClassWeights.logOdds(labels, weights), 0, 1e-12)
  })

  it("a single class is weighted alike and has finite log odds", () => {
    assert.deepStrictEqual(ClassWeights.balanced([1, 1], 5), { positive: 1, negative: 1 })
    assert.approximately(ClassWeights.logOdds([1, 1], { positive: 1, negative: 1 }), Math.log(3), 1e-12)
    assert.approximately(ClassWeights.logOdds([0, 0], { positive: 1, negative: 1 }), -Math.log(3), 1e-12)
  })

  it("a ratio below 1 is refused", () => {
    assert.throws(() => ClassWeights.balanced([0, 1], 0.5), RangeError, "at least 1")
  })
})
