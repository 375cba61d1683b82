/**
 * Splits of samples in time order without leakage (M. López de Prado, "Advances in Financial Machine Learning", 2018,
 * ch. 7). A sample is named by its bar row; around a test block training samples within `purge` bars before, and within
 * `purge` + `embargo` bars after, are left out: labels look ahead by up to the purge, on either side of a border.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** Blocks and gaps in bars; walk-forward lengths in days. */
export const SplitSpec = Schema.Struct({
  folds: Schema.Int.check(Schema.isGreaterThanOrEqualTo(2)),
  purge: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  embargo: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  minBlock: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  firstDays: Schema.Finite,
  stepDays: Schema.Finite,
})
export type SplitSpec = typeof SplitSpec.Type

/** The specification's values. */
export const defaultSplitSpec: SplitSpec = {
  folds: 5,
  purge: 24,
  embargo: 24,
  minBlock: 240,
  firstDays: 360,
  stepDays: 30,
}

/** One fold: indices into the list of samples, ascending, and the test block as bar rows [from, until). */
export interface Fold {
  readonly train: Int32Array
  readonly test: Int32Array
  readonly from: number
  readonly until: number
}

/** There is too little data for the split that was asked for. */
export class TooFewBars extends Schema.TaggedError<TooFewBars>()("TooFewBars", {
  split: Schema.Literals(["k-fold", "walk-forward"]),
  bars: Schema.Int,
  needed: Schema.Int,
}) {
  override get message() {
    return `${this.split} needs ${this.needed} bars with samples and there are ${this.bars}: add months of data, or ask for fewer or shorter blocks in training.yaml`
  }
}

/** The purge in force: the spec's, raised to the label horizon. */
export const purgeOf = (spec: SplitSpec, horizon: number): number => Math.max(spec.purge, horizon)

const indices = (rows: Int32Array, keep: (row: number) => boolean): Int32Array =>
  Int32Array.from(rows.keys()).filter((index) => keep(rows[index]))

/**
 * Purged K-fold: the bars from the first sample to the newest are cut into K blocks of equal length, each tested once.
 * @param rows bar rows of the samples, ascending
 * @param bars number of bars of the table; the last block ends there
 * @param horizon bars that a label looks ahead
 */
export const purgedKFold = (
  rows: Int32Array,
  bars: number,
  horizon: number,
  spec: SplitSpec = defaultSplitSpec,
): Result.Result<ReadonlyArray<Fold>, TooFewBars> => {
  const start = rows.length === 0 ? bars : rows[0]
  const span = bars - start
  const needed = spec.folds * spec.minBlock
  if (span < needed) return Result.fail(new TooFewBars({ split: "k-fold", bars: span, needed }))
  const purge = purgeOf(spec, horizon)
  return Result.succeed(
    Array.from({ length: spec.folds }, (_, k) => {
      const from = start + Math.floor((span * k) / spec.folds)
      const until = start + Math.floor((span * (k + 1)) / spec.folds)
      return {
        from,
        until,
        test: indices(rows, (row) => row >= from && row < until),
        train: indices(rows, (row) => row < from - purge || row >= until + purge + spec.embargo),
      }
    }),
  )
}

/**
 * Expanding walk-forward: the first `firstDays` from the first sample are trained on, the next `stepDays` tested, and
 * so on; training samples end `purge` bars before the test. The last fold ends at the newest bar: a remainder of fewer
 * than `minBlock` bars is tested with the fold before it.
 * @param rows bar rows of the samples, ascending
 * @param timestamp times of all bars, ascending, milliseconds
 * @param horizon bars that a label looks ahead
 */
export const walkForward = (
  rows: Int32Array,
  timestamp: Float64Array,
  horizon: number,
  spec: SplitSpec = defaultSplitSpec,
): Result.Result<ReadonlyArray<Fold>, TooFewBars> => {
  const bars = timestamp.length
  const start = rows.length === 0 ? bars : rows[0]
  const day = 86_400_000
  const borders: Array<number> = []
  let border = timestamp[start] + spec.firstDays * day
  for (let row = start; row < bars; row++) {
    if (timestamp[row] < border) continue
    borders.push(row)
    while (timestamp[row] >= border) border += spec.stepDays * day
  }
  while (borders.length > 1 && bars - borders[borders.length - 1] < spec.minBlock) borders.pop()
  if (borders.length === 0 || bars - borders[0] < spec.minBlock) {
    const perDay = (bars - start) / Math.max(1, (timestamp[bars - 1] - timestamp[start]) / day)
    const needed = Math.ceil(spec.firstDays * (Number.isFinite(perDay) ? perDay : 1)) + spec.minBlock
    return Result.fail(new TooFewBars({ split: "walk-forward", bars: bars - start, needed }))
  }
  const purge = purgeOf(spec, horizon)
  return Result.succeed(
    borders.map((from, k) => {
      const until = borders[k + 1] ?? bars
      return {
        from,
        until,
        test: indices(rows, (row) => row >= from && row < until),
        train: indices(rows, (row) => row < from - purge),
      }
    }),
  )
}
