import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Bundle from "../../src/market/model-bundle.ts"
import * as OutOfSample from "../../src/market/out-of-sample.ts"
import * as Random from "../../src/market/random.ts"
import type { Samples } from "../../src/market/training-samples.ts"

const hour = 3_600_000
const bars = 400
const horizon = 20
const timestamp = Float64Array.from({ length: bars }, (_, row) => row * hour)
const firstRow = 40
const rows = Int32Array.from({ length: bars - firstRow }, (_, i) => firstRow + i)
const between = (from: number, until: number) => rows.map((_, i) => i).filter((i) => rows[i] >= from && rows[i] < until)
const fold = (from: number, until: number) => ({
  from,
  until,
  train: between(0, from - horizon),
  test: between(from, until),
})
const folds = [fold(160, 240), fold(240, 320), fold(320, bars)]

const random = Random.make("out of sample")
const scores = Float64Array.from(rows, () => random.next())
const labels = scores.map((score) => (random.next() < score ? 1 : 0))

/** What `make` reads of a training's samples. */
const samplesWith = (ai1: Float64Array): Samples =>
  ({
    rows,
    table: { timestamp },
    walkForward: folds,
    labels: { ai1, ai2: labels },
    labelSpec: { horizon, riskLead: 1 },
  }) as unknown as Samples

const made = OutOfSample.make(samplesWith(labels), { ai1: scores, ai2: scores })
const inFold = (k: number) => folds[k].test.map((i) => i - folds[0].test[0])

describe("the file", () => {
  it("has every tested bar once, the first fold without probabilities because nothing calibrates it", () => {
    assert.deepStrictEqual(
      made.timestamp,
      Array.from({ length: bars - 160 }, (_, i) => (160 + i) * hour),
    )
    assert.isTrue([...inFold(0)].every((i) => made.returnProb[i] === null && made.riskScore[i] === null))
    assert.isTrue([...inFold(1), ...inFold(2)].every((i) => made.returnProb[i] !== null && made.riskScore[i] !== null))
    assert.deepStrictEqual(
      Schema.decodeUnknownSync(OutOfSample.OutOfSampleFile)(JSON.parse(Bundle.jsonText(made))),
      made,
    )
  })

  it("says how long before its test each fold's training ended", () => {
    assert.strictEqual(made.gapBars, horizon)
    assert.deepStrictEqual(made.folds[1], {
      trainedUntil: (240 - horizon - 1) * hour,
      from: 240 * hour,
      until: 319 * hour,
      rows: 80,
    })
  })

  it("does not depend on labels that are decided in or after the fold", () => {
    const flipped = labels.map((label, i) => (rows[i] + horizon >= 320 ? 1 - label : label))
    const other = OutOfSample.make(samplesWith(flipped), { ai1: scores, ai2: scores })
    assert.deepStrictEqual(other.returnProb, made.returnProb)
  })

  it("depends on labels that were decided before it", () => {
    const flipped = labels.map((label, i) => (rows[i] + horizon < 320 ? 1 - label : label))
    const other = OutOfSample.make(samplesWith(flipped), { ai1: scores, ai2: scores })
    assert.notDeepEqual(
      [...inFold(2)].map((i) => other.returnProb[i]),
      [...inFold(2)].map((i) => made.returnProb[i]),
    )
  })
})

describe("placing it on bars", () => {
  it("finds the rows by their time, and the range in which both classifiers spoke", () => {
    const placed = Result.getOrThrow(OutOfSample.place(made, timestamp))
    assert.strictEqual(placed.from, 240)
    assert.strictEqual(placed.until, bars)
    assert.strictEqual(placed.count, bars - 240)
    assert.strictEqual(placed.returnProb[300], made.returnProb[300 - 160])
    assert.isNaN(placed.returnProb[239])
  })

  it("refuses bars that are not there, rows out of order, columns of different lengths, and nothing at all", () => {
    const reason = (file: OutOfSample.OutOfSampleFile, times = timestamp) => {
      const placed = OutOfSample.place(file, times)
      return Result.isFailure(placed) ? placed.failure : "placed"
    }
    assert.match(reason(made, timestamp.subarray(0, 399)), /1970-01-17T15:00:00\.000Z, the bars do not/)
    assert.match(reason({ ...made, timestamp: [...made.timestamp].reverse() }), /is not after the row before it/)
    assert.match(reason({ ...made, riskScore: [] }), /240, 240 and 0 rows/)
    assert.match(reason({ ...made, riskScore: made.riskScore.map(() => null) }), /no row on which both/)
  })
})
