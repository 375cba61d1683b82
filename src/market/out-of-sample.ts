/**
 * `out_of_sample.json` of a model version: what its classifiers said of bars before they could know them. Each walk-forward
 * fold is scored by models that were fitted to bars before it, and calibrated on earlier folds' labels that end before it.
 * The final model is fitted to all bars, so only these signals can be backtested over the same bars.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Classifier from "./classifier.ts"
import * as Matrix from "./matrix.ts"
import type * as Samples from "./training-samples.ts"

const Time = Schema.Finite.annotate({ description: "start of a bar, milliseconds since the epoch, UTC" })
const Probability = Schema.NullOr(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })))

/** Parallel columns over the tested bars, ascending. `gapBars` is the least number of bars between training and test. */
export const OutOfSampleFile = Schema.Struct({
  method: Schema.Literal("walk-forward"),
  gapBars: Schema.Int,
  folds: Schema.Array(Schema.Struct({ trainedUntil: Time, from: Time, until: Time, rows: Schema.Int })),
  timestamp: Schema.Array(Time),
  returnProb: Schema.Array(Probability),
  riskScore: Schema.Array(Probability),
})
export type OutOfSampleFile = typeof OutOfSampleFile.Type

const calibrated = (samples: Samples.Samples, name: Samples.ClassifierName, scores: Float64Array): Float64Array => {
  const labels = samples.labels[name]
  const { horizon, riskLead } = samples.labelSpec
  const ahead = Math.max(horizon, riskLead)
  const probabilities = new Float64Array(scores.length).fill(Number.NaN)
  samples.walkForward.forEach(({ from, test }, k) => {
    const known = samples.walkForward
      .slice(0, k)
      .flatMap((earlier) => [...earlier.test])
      .filter((i) => samples.rows[i] + ahead < from && !Number.isNaN(scores[i]) && !Number.isNaN(labels[i]))
    if (known.length === 0) return
    const seen = Int32Array.from(known)
    const calibration = Classifier.calibrate(Matrix.takeColumn(scores, seen), Matrix.takeColumn(labels, seen))
    const values = Classifier.applyCalibration(calibration, Matrix.takeColumn(scores, test))
    test.forEach((sample, i) => (probabilities[sample] = values[i]))
  })
  return probabilities
}

const orNull = (value: number) => (Number.isNaN(value) ? null : value)

/**
 * The file's value. `scores` are uncalibrated, per sample, by the walk-forward model that tests it. The first fold has no
 * earlier fold to be calibrated on: its probabilities are null, and so it is not traded.
 */
export const make = (samples: Samples.Samples, scores: Samples.PerClassifier<Float64Array>): OutOfSampleFile => {
  const { rows, table, walkForward } = samples
  const returnProb = calibrated(samples, "ai1", scores.ai1)
  const riskScore = calibrated(samples, "ai2", scores.ai2)
  const tested = walkForward.flatMap(({ test }) => [...test])
  const lastTrained = (train: Int32Array) => rows[train[train.length - 1]]
  return {
    method: "walk-forward",
    gapBars: Math.min(...walkForward.map(({ from, train }) => from - lastTrained(train) - 1)),
    folds: walkForward.map(({ from, test, train, until }) => ({
      trainedUntil: table.timestamp[lastTrained(train)],
      from: table.timestamp[from],
      until: table.timestamp[until - 1],
      rows: test.length,
    })),
    timestamp: tested.map((sample) => table.timestamp[rows[sample]]),
    returnProb: tested.map((sample) => orNull(returnProb[sample])),
    riskScore: tested.map((sample) => orNull(riskScore[sample])),
  }
}

/** The probabilities on a pair's bars, NaN where there is none; both are known on `count` rows of [from, until). */
export interface Placed {
  readonly returnProb: Float64Array
  readonly riskScore: Float64Array
  readonly from: number
  readonly until: number
  readonly count: number
}

/** Puts the probabilities on bars with these ascending starts. Fails with a reason when they are not of these bars. */
export const place = (file: OutOfSampleFile, timestamp: Float64Array): Result.Result<Placed, string> => {
  const { length } = file.timestamp
  if (file.returnProb.length !== length || file.riskScore.length !== length) {
    return Result.fail(`its columns have ${length}, ${file.returnProb.length} and ${file.riskScore.length} rows`)
  }
  const rowOf = new Map(Array.from(timestamp, (time, row) => [time, row]))
  const returnProb = new Float64Array(timestamp.length).fill(Number.NaN)
  const riskScore = new Float64Array(timestamp.length).fill(Number.NaN)
  let from = timestamp.length
  let until = 0
  let count = 0
  let before = -1
  for (let i = 0; i < length; i++) {
    const row = rowOf.get(file.timestamp[i])
    if (row === undefined) return Result.fail(`it has ${new Date(file.timestamp[i]).toISOString()}, the bars do not`)
    if (row <= before) return Result.fail(`${new Date(file.timestamp[i]).toISOString()} is not after the row before it`)
    before = row
    returnProb[row] = file.returnProb[i] ?? Number.NaN
    riskScore[row] = file.riskScore[i] ?? Number.NaN
    if (Number.isNaN(returnProb[row]) || Number.isNaN(riskScore[row])) continue
    from = Math.min(from, row)
    until = row + 1
    count++
  }
  return count === 0
    ? Result.fail("it has no row on which both classifiers have a probability")
    : Result.succeed({ returnProb, riskScore, from, until, count })
}
