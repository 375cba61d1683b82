import type { RunRetention } from "./config/retention.ts"
import type { FinalRunStatus } from "./final-run-status.ts"
import { monthsBefore } from "./model-retention.ts"
import { formatDuration, parseDuration } from "./quantity.ts"

/**
 * How long records of runs are kept: the `runs` of the retention section, and its `reports_months` for those that made a
 * report, where these count.
 */
export type Rules = RunRetention & { readonly reports_months?: number }

/** What the rules look at of a run that has ended. Times are milliseconds since the epoch. */
export interface EndedRun {
  readonly run: string
  readonly pipeline: string
  readonly status: FinalRunStatus
  readonly ended: number
}

/** What the rules make of a run: why it is kept, or by which of them it goes. */
export type Verdict = { readonly is: "kept"; readonly why: string } | { readonly is: "due"; readonly rule: string }

const minutes = (millis: number) => formatDuration(Math.floor(Math.max(0, millis) / 60_000) * 60_000)

/** Why a run that made a report is kept, whatever the other rules say; undefined where its report keeps it no more. */
export const reportKeeps = ({ ended }: Pick<EndedRun, "ended">, rules: Rules, now: number): string | undefined => {
  const { reports_months: months } = rules
  if (months === undefined || ended <= monthsBefore(now, months)) return undefined
  return `it made a report and ended ${minutes(now - ended)} ago, and runs that made one are kept ${months} months`
}

/** How long a run of this status is kept, as text. */
export const keptFor = (rules: Rules, status: FinalRunStatus): string =>
  status === "succeeded" ? rules.succeeded : rules.others

/**
 * Decides about runs that have ended, in the order of `runs`, by the rules alone: of each pipeline the newest ones stay,
 * however old, and of the others each as long as its status says. Of two that ended together, the later one by its id is
 * the newer.
 */
export const judge = <A extends EndedRun>(
  runs: ReadonlyArray<A>,
  rules: Rules,
  now: number,
): ReadonlyArray<A & { readonly verdict: Verdict }> => {
  const newest = new Set<string>()
  for (const own of Map.groupBy(runs, ({ pipeline }) => pipeline).values()) {
    const sorted = own.toSorted((a, b) => b.ended - a.ended || (a.run < b.run ? 1 : -1))
    for (const { run } of sorted.slice(0, rules.at_least)) newest.add(run)
  }
  const verdictOf = (one: EndedRun): Verdict => {
    const text = keptFor(rules, one.status)
    const age = now - one.ended
    const which = one.status === "succeeded" ? "succeeded runs" : "runs that did not succeed"
    if (age < (parseDuration(text) ?? Number.POSITIVE_INFINITY)) {
      return { is: "kept", why: `it ended ${minutes(age)} ago, and ${which} are kept ${text}` }
    }
    if (newest.has(one.run)) return { is: "kept", why: `it is among the newest ${rules.at_least} of ${one.pipeline}` }
    return { is: "due", rule: `${which} are kept ${text}, and at least ${rules.at_least} of a pipeline` }
  }
  return runs.map((one) => ({ ...one, verdict: verdictOf(one) }))
}
