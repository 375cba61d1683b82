/** What the bars of a training look like, and whether they may be trained on (08-values.md, training, feature_builder). */
import * as Schema from "effect/Schema"
import type { DqSection } from "../domain/config/dq.ts"
import type { TrainingSection } from "../domain/config/training.ts"
import type { Bars } from "./bars.ts"
import * as Rolling from "./rolling.ts"

/** The flags of a partition, worst first. */
const Flag = Schema.Literals(["missing", "outlier", "spike"])

/** Shares of the bars of one symbol in one month; `flag` is the first threshold that is exceeded, or null. */
export const PartitionReport = Schema.Struct({
  symbol: Schema.String,
  month: Schema.String,
  bars: Schema.Int,
  missing: Schema.Finite,
  outlier: Schema.Finite,
  spike: Schema.Finite,
  flag: Schema.NullOr(Flag),
})
export type PartitionReport = typeof PartitionReport.Type

/** `preprocess_report.json`. `refused` holds a sentence for each partition that may not be trained on. */
export const PreprocessReport = Schema.Struct({
  partitions: Schema.Array(PartitionReport),
  alignedBars: Schema.Int,
  completeRows: Schema.Int,
  thresholds: Schema.Struct({ missing: Schema.Finite, outlier: Schema.Finite, spike: Schema.Finite }),
  warnings: Schema.Array(Schema.String),
  refused: Schema.Array(Schema.String),
})
export type PreprocessReport = typeof PreprocessReport.Type

const monthOf = (time: number) => new Date(time).toISOString().slice(0, 7)

const finiteRow = (bars: Bars, row: number) =>
  [bars.open, bars.high, bars.low, bars.close].every((column) => Number.isFinite(column[row]))

interface Counts {
  bars: number
  expected: number
  sound: number
  outlier: number
  spike: number
}

/**
 * Counts by month. Expected are the times at which either leg has a bar; missing are those without a sound one (all
 * prices finite). Outliers are log returns beyond ±`outlier_sigma` standard deviations of the symbol's; spikes are
 * |Δclose| above `spike_factor` × the median of |Δclose| over `spike_window_bars`.
 */
const countByMonth = (bars: Bars, expected: ReadonlySet<number>, checks: DqSection["checks"]): Map<string, Counts> => {
  const months = new Map<string, Counts>()
  const at = (time: number) => {
    const month = monthOf(time)
    const counts = months.get(month) ?? { bars: 0, expected: 0, sound: 0, outlier: 0, spike: 0 }
    months.set(month, counts)
    return counts
  }
  for (const time of expected) at(time).expected++
  const returns = Rolling.logReturn(bars.close)
  const known = returns.filter(Number.isFinite)
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length
  const deviation = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (known.length - 1))
  const change = Rolling.difference(bars.close).map(Math.abs)
  const median = Rolling.median(change, checks.spike_window_bars)
  bars.timestamp.forEach((time, row) => {
    const counts = at(time)
    counts.bars++
    if (finiteRow(bars, row)) counts.sound++
    if (Math.abs(returns[row] - mean) > checks.outlier_sigma * deviation) counts.outlier++
    if (change[row] > checks.spike_factor * median[row]) counts.spike++
  })
  return months
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`

/**
 * Examines both legs. A partition above the thresholds for missing or outlier is refused, above that for spike it is
 * warned of, or refused where the policy does not allow warnings.
 */
export const examine = (
  legs: readonly [Bars, Bars],
  sizes: { readonly alignedBars: number; readonly completeRows: number },
  policy: TrainingSection["feature_builder"],
  checks: DqSection["checks"],
): PreprocessReport => {
  const expected = new Set(legs.flatMap(({ timestamp }) => [...timestamp]))
  const partitions = legs.flatMap((bars) =>
    [...countByMonth(bars, expected, checks)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([month, counts]): PartitionReport => {
        const shares = {
          missing: 1 - counts.sound / counts.expected,
          outlier: counts.bars === 0 ? 0 : counts.outlier / counts.bars,
          spike: counts.bars === 0 ? 0 : counts.spike / counts.bars,
        }
        const flag = (["missing", "outlier", "spike"] as const).find((name) => shares[name] > policy[name]) ?? null
        return { symbol: bars.symbol, month, bars: counts.bars, ...shares, flag }
      }),
  )
  const describe = (wanted: (flag: string) => boolean) =>
    partitions.flatMap((part) =>
      part.flag !== null && wanted(part.flag)
        ? [
            `${part.symbol} ${part.month}: ${percent(part[part.flag])} of its bars are ${part.flag}, ` +
              `at most ${percent(policy[part.flag])} are allowed`,
          ]
        : [],
    )
  const isWarning = (flag: string) => flag === "spike" && policy.allow_warning
  return {
    partitions,
    ...sizes,
    thresholds: { missing: policy.missing, outlier: policy.outlier, spike: policy.spike },
    warnings: describe(isWarning),
    refused: describe((flag) => !isWarning(flag)),
  }
}
