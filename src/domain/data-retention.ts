import * as Schema from "effect/Schema"
import type { RetentionSection } from "./config/retention.ts"
import { monthsBefore } from "./model-retention.ts"

/** The kinds of data that go by the retention section, each below a root of its own. */
export const DataClass = Schema.Literals(["canonical", "features", "raw", "snapshots"]).annotate({
  identifier: "DataClass",
})
export type DataClass = typeof DataClass.Type

/** What the retention section says of data. */
export type Rules = Pick<
  RetentionSection,
  "raw_days" | "canonical_months" | "features_months" | "adopted_snapshots_months" | "deletion_grace_days"
>

/** When something was first found due (milliseconds since the epoch), and which bytes it had then. */
export interface Mark {
  readonly digest: string
  readonly since: number
}

/**
 * All that a decision about a unit of data is made from. `time`: when it was put last; `why`: what keeps it beside its age;
 * `ended`: when the last hold on it ended. Times are milliseconds since the epoch.
 */
export interface Facts {
  readonly class: DataClass
  readonly time: number
  readonly digest: string
  readonly mark: Mark | undefined
  readonly why: string | undefined
  readonly ended: number | undefined
}

/** What is to become of a unit: it may go from `from` on, which is over when it is `ready`. `since` is what its mark says. */
export type Verdict =
  | { readonly is: "kept"; readonly why: string }
  | { readonly is: "due" | "ready"; readonly since: number; readonly from: number }

const dayMillis = 86_400_000

const months = {
  canonical: "canonical_months",
  features: "features_months",
  snapshots: "adopted_snapshots_months",
} as const

/** When something of a class must have been put last to be old enough, at the latest. */
export const oldest = (kind: DataClass, rules: Rules, now: number): number =>
  kind === "raw" ? now - rules.raw_days * dayMillis : monthsBefore(now, rules[months[kind]])

/** How long a class is kept, in words. */
export const keptFor = (kind: DataClass, rules: Rules): string =>
  kind === "raw" ? `${rules.raw_days} days` : `${rules[months[kind]]} months`

/** The end of a month like `2025-01`, milliseconds since the epoch: its data cannot be older. */
export const endOfMonth = (month: string): number => Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5, 7)), 1)

/**
 * Decides about a unit. It is kept while it is not old enough, and while something keeps it. The rest is due, and ready once
 * the grace since its mark is over. A mark counts only for the bytes that it was given for, where these were not put again
 * since; the end of a hold begins the grace anew.
 */
export const judge = (one: Facts, rules: Rules, now: number): Verdict => {
  if (one.time > oldest(one.class, rules, now)) return { is: "kept", why: `it is not ${keptFor(one.class, rules)} old` }
  if (one.why !== undefined) return { is: "kept", why: one.why }
  const { mark } = one
  const stands = mark !== undefined && mark.digest === one.digest && mark.since >= one.time && mark.since <= now
  const since = stands ? mark.since : now
  const from = Math.max(since, one.ended ?? 0) + rules.deletion_grace_days * dayMillis
  return { is: stands && from <= now ? "ready" : "due", since, from }
}
