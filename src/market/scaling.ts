/** Robust scaling of feature columns: winsorise, centre by the median, divide by the MAD, clip (05-tasks.md, `features`). */
import * as Schema from "effect/Schema"

/** What was learned of one column; `low` and `high` are the winsor limits, in the column's own units. */
export const ColumnScale = Schema.Struct({
  low: Schema.Finite,
  high: Schema.Finite,
  median: Schema.Finite,
  scale: Schema.Finite,
})
export type ColumnScale = typeof ColumnScale.Type

/** The parameters of a fitted scaler: plain JSON, stored with the model and used again by backtest and inference. */
export const Scaler = Schema.Struct({
  /** Share cut off at either end. */
  winsor: Schema.Finite,
  /** Scaled values stay within ± this. */
  clip: Schema.Finite,
  columns: Schema.Record(Schema.String, ColumnScale),
})
export type Scaler = typeof Scaler.Type

/** A column that a scaler cannot be fitted to or that it lacks. */
export class ScalerError extends Schema.TaggedError<ScalerError>()("ScalerError", {
  column: Schema.String,
  reason: Schema.Literals(["missing", "no finite value"]),
}) {
  override get message() {
    return this.reason === "missing"
      ? `column ${this.column} is not in the feature table: compute it with the feature spec that the scaler was fitted with`
      : `column ${this.column} has no finite value: give more bars than its window is long`
  }
}

/** Quantile p of ascending values by linear interpolation (Hyndman and Fan's type 7). */
export const quantile = (sorted: Float64Array, p: number): number => {
  const at = p * (sorted.length - 1)
  const below = Math.floor(at)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (at - below) * (sorted[above] - sorted[below])
}

const madToSigma = 1.4826
const meanDeviationToSigma = 1.2533

const fitColumn = (name: string, column: Float64Array, rows: Int32Array | undefined, winsor: number): ColumnScale => {
  const taken = rows === undefined ? column : Float64Array.from(rows, (row) => column[row])
  const sorted = taken.filter(Number.isFinite).sort()
  if (sorted.length === 0) throw new ScalerError({ column: name, reason: "no finite value" })
  const low = quantile(sorted, winsor)
  const high = quantile(sorted, 1 - winsor)
  const median = quantile(sorted, 0.5)
  const deviations = sorted.map((value) => Math.abs(Math.min(high, Math.max(low, value)) - median)).sort()
  const mad = quantile(deviations, 0.5) * madToSigma
  const fallback = (deviations.reduce((sum, value) => sum + value, 0) / deviations.length) * meanDeviationToSigma
  return { low, high, median, scale: mad > 0 ? mad : fallback > 0 ? fallback : 1 }
}

/**
 * Learns the scale of each column from its finite values on `rows` (all rows without it; training rows only, so that
 * nothing leaks). The scale is 1.4826 × MAD, the standard deviation for normal values; where the MAD is 0 it is
 * 1.2533 × the mean deviation from the median (Iglewicz and Hoaglin 1993), and 1 for a constant column.
 * Throws ScalerError for a column without a finite value.
 */
export const fit = (
  columns: Readonly<Record<string, Float64Array>>,
  options: { readonly rows?: Int32Array; readonly winsor?: number; readonly clip?: number } = {},
): Scaler => {
  const { clip = 5, rows, winsor = 0.01 } = options
  return {
    winsor,
    clip,
    columns: Object.fromEntries(
      Object.entries(columns).map(([name, column]) => [name, fitColumn(name, column, rows, winsor)]),
    ),
  }
}

/**
 * The scaler's columns, scaled; NaN stays NaN, columns that it does not know are left out.
 * Throws ScalerError for a column of the scaler that is not there.
 */
export const apply = (scaler: Scaler, columns: Readonly<Record<string, Float64Array>>): Record<string, Float64Array> =>
  Object.fromEntries(
    Object.entries(scaler.columns).map(([name, { high, low, median, scale }]) => {
      const column = columns[name]
      if (column === undefined) throw new ScalerError({ column: name, reason: "missing" })
      return [
        name,
        column.map((value) => {
          const scaled = (Math.min(high, Math.max(low, value)) - median) / scale
          return Math.min(scaler.clip, Math.max(-scaler.clip, scaled))
        }),
      ]
    }),
  )
