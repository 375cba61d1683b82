/** Results of training that must not pass for a model. */
import { aucStandardError, type Report } from "./metrics.ts"

/** Why a result is blocked, with the number that was found and the one that was wanted, where there is one. */
export interface Reason {
  readonly code: "single_class" | "too_few_samples" | "auc_within_noise" | "metric_missing"
  readonly message: string
  readonly observed: number | null
  readonly required: number | null
}

type MetricName = Exclude<keyof Report, "rows" | "positives" | "threshold">

/** What a result must have; `defaults` has what is not given. */
export interface DegeneratePolicy {
  /** Fewest samples of the rarer class. */
  readonly minSamplesOfRarerClass?: number
  /** How many standard errors above 0.5 the AUC must be. */
  readonly standardErrors?: number
  /** Metrics that must be there. */
  readonly metrics?: ReadonlyArray<MetricName>
}

/** What the policy is where it is not given; 1.64 standard errors are a one-sided test at 5 %. */
export const defaults: Required<DegeneratePolicy> = {
  minSamplesOfRarerClass: 20,
  standardErrors: 1.64,
  metrics: ["baseRate", "auc", "prAuc", "logLoss", "brier", "ece", "precision", "recall", "f1"],
}

/** Metrics as a trainer hands them over: any of them may be absent, null or NaN. */
export type ReportedMetrics = { readonly [K in keyof Report]?: number | null | undefined }

const numberOf = (value: number | null | undefined): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null

/**
 * Every reason why the out-of-sample metrics of a training are degenerate; none when it may go on (05-tasks, train).
 * The noise of the AUC is its standard error at 0.5 by Hanley and McNeil (1982), which takes samples as independent: with
 * samples that follow each other closely it is too small. An AUC far below 0.5 is as bad, and has the same code.
 */
export const assess = (metrics: ReportedMetrics, policy: DegeneratePolicy = {}): ReadonlyArray<Reason> => {
  const { minSamplesOfRarerClass, standardErrors, metrics: wanted } = { ...defaults, ...policy }
  const reasons: Array<Reason> = []
  const missing = (name: string) =>
    reasons.push({
      code: "metric_missing",
      message: `The metric ${name} is missing: it was not reported, or is not defined for this result`,
      observed: null,
      required: null,
    })
  const rows = numberOf(metrics.rows)
  const positives = numberOf(metrics.positives)
  const area = numberOf(metrics.auc)
  if (rows === null) missing("rows")
  if (positives === null) missing("positives")
  if (rows !== null && positives !== null) {
    const negatives = rows - positives
    const rarer = Math.min(positives, negatives)
    if (rarer <= 0) {
      reasons.push({
        code: "single_class",
        message: `All ${rows} samples have the label ${positives > 0 ? 1 : 0}: check the label rule and the period`,
        observed: rarer,
        required: minSamplesOfRarerClass,
      })
    } else if (rarer < minSamplesOfRarerClass) {
      reasons.push({
        code: "too_few_samples",
        message: `Only ${rarer} of ${rows} samples have the rarer label, fewer than ${minSamplesOfRarerClass}: use a longer period`,
        observed: rarer,
        required: minSamplesOfRarerClass,
      })
    }
    if (rarer > 0 && area !== null) {
      const required = 0.5 + standardErrors * aucStandardError(0.5, positives, negatives)
      if (area <= required) {
        reasons.push({
          code: "auc_within_noise",
          message: `The AUC of ${area.toFixed(3)} is not above ${required.toFixed(3)}, where it would differ from chance`,
          observed: area,
          required,
        })
      }
    }
  }
  for (const name of wanted) if (numberOf(metrics[name]) === null) missing(name)
  return reasons
}
