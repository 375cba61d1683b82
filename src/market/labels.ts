/** What the two models learn (05-tasks.md, `train`). AI1: does an extreme spread revert in time? AI2: is it risky? */
import * as Schema from "effect/Schema"
import { completeRows, type FeatureTable } from "./features.ts"

/** Thresholds of both labels. z and speed in standard deviations (a bar), horizons in bars, drawdown as a fraction. */
export const LabelSpec = Schema.Struct({
  entryZ: Schema.Finite,
  exitZ: Schema.Finite,
  maxSpeed: Schema.Finite,
  horizon: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  riskRhoVariance: Schema.Finite,
  riskAtrRatio: Schema.Finite,
  riskSpeed: Schema.Finite,
  riskDrawdown: Schema.Finite,
  riskLead: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
})
export type LabelSpec = typeof LabelSpec.Type

/** The thresholds of the specification; the risk label is one bar ahead. */
export const defaultLabelSpec: LabelSpec = {
  entryZ: 2,
  exitZ: 0.5,
  maxSpeed: 0.12,
  horizon: 48,
  riskRhoVariance: 0.025,
  riskAtrRatio: 1.8,
  riskSpeed: 0.12,
  riskDrawdown: 0.07,
  riskLead: 1,
}

/** Samples of one label: `rows` of the feature table, ascending; 0 or 1; and the last row that the label looked at. */
export interface Labels {
  readonly rows: Int32Array
  readonly values: Uint8Array
  readonly ends: Int32Array
}

const collect = (samples: ReadonlyArray<{ row: number; value: 0 | 1; end: number }>): Labels => ({
  rows: Int32Array.from(samples, (sample) => sample.row),
  values: Uint8Array.from(samples, (sample) => sample.value),
  ends: Int32Array.from(samples, (sample) => sample.end),
})

/** Whether a row is an event of AI1: |z| ≥ entryZ and speed ≤ maxSpeed. */
export const isEvent = (z: number, speed: number, spec: LabelSpec): boolean =>
  Math.abs(z) >= spec.entryZ && speed <= spec.maxSpeed

/**
 * AI1: events, 1 where |z| ≤ exitZ within `horizon` bars after the event.
 *
 * An event ends when |z| is back or the horizon is over; a row up to that end starts no other event, so no two samples
 * share a bar. Only rows with every feature count, and an event whose horizon runs past the table is left out,
 * decided or not: kept ones would all be 1.
 */
export const reversion = (table: FeatureTable, spec: LabelSpec = defaultLabelSpec): Labels => {
  const { abs_dz_ema: speed, z } = table.columns
  const samples: Array<{ row: number; value: 0 | 1; end: number }> = []
  let free = 0
  for (const row of completeRows(table)) {
    const last = row + spec.horizon
    if (last >= z.length) break
    if (row < free || !isEvent(z[row], speed[row], spec)) continue
    let end = row + 1
    while (end < last && !(Math.abs(z[end]) <= spec.exitZ)) end++
    samples.push({ row, value: Math.abs(z[end]) <= spec.exitZ ? 1 : 0, end })
    free = end + 1
  }
  return collect(samples)
}

/** AI2's criterion on one row: var(ρ), the ATR ratio, speed or drawdown above its threshold. */
export const isRisky = (table: FeatureTable, row: number, spec: LabelSpec): boolean =>
  table.columns.rho_var_180[row] > spec.riskRhoVariance ||
  table.columns.atr_ratio[row] > spec.riskAtrRatio ||
  table.columns.abs_dz_ema[row] > spec.riskSpeed ||
  table.columns.drawdown_recent[row] > spec.riskDrawdown

/**
 * AI2: every complete row, 1 where the criterion holds `riskLead` bars later.
 *
 * The specification states the criterion on values that are features themselves; with lead 0 a model would only
 * restate four thresholds (AUC 1). One bar is chosen because an order decided on bar i is filled on bar i + 1: the
 * model says whether that bar will be risky. Lead 0 gives the specification's literal label.
 */
export const risk = (table: FeatureTable, spec: LabelSpec = defaultLabelSpec): Labels => {
  const length = table.timestamp.length
  const complete = completeRows(table)
  const known = new Set(complete)
  const samples: Array<{ row: number; value: 0 | 1; end: number }> = []
  for (const row of complete) {
    const end = row + spec.riskLead
    if (end >= length || !known.has(end)) continue
    samples.push({ row, value: isRisky(table, end, spec) ? 1 : 0, end })
  }
  return collect(samples)
}

/** The share of ones; NaN without samples. */
export const baseRate = ({ values }: Labels): number => values.reduce((sum, value) => sum + value, 0) / values.length
