import type { RetentionSection } from "./config/retention.ts"
import { slotText } from "./model.ts"
import { type AliasMove, type FilesEvent, type ModelRow, filesGo, rollbackTargets } from "./registry.ts"

/** What keeps a version beside its age and its place in its slot, and when the last of it ended. */
export interface Keeping {
  /** Why it is kept; undefined where nothing of the kind does. */
  readonly why: string | undefined
  /** When the last hold on it ended, milliseconds since the epoch. */
  readonly ended: number | undefined
}

/** All that a decision is made from. `rows` newest first, `moves` and `files` oldest first. */
export interface Known {
  readonly now: number
  readonly rules: Pick<RetentionSection, "models_months" | "models_min_versions" | "deletion_grace_days">
  readonly rows: ReadonlyArray<ModelRow>
  readonly moves: ReadonlyArray<AliasMove>
  readonly files: ReadonlyArray<FilesEvent>
  readonly keeping: (row: ModelRow) => Keeping
}

/**
 * What is to become of the files of a version. `due`: they may be purged from `from` on (milliseconds since the epoch);
 * `marked` says that the registry knows. `ready`: they may be purged now; `begun` says that a purge was interrupted.
 */
export type Verdict =
  | { readonly is: "kept"; readonly why: string }
  | { readonly is: "due"; readonly from: number; readonly marked: boolean }
  | { readonly is: "ready"; readonly begun: boolean }
  | { readonly is: "purged"; readonly at: string }

/** A version with its verdict. */
export interface Judged {
  readonly row: ModelRow
  readonly verdict: Verdict
}

const dayMillis = 86_400_000

/** So many calendar months earlier, on the last day of that month where it has no such day. In UTC. */
export const monthsBefore = (time: number, months: number): number => {
  const date = new Date(time)
  const first = new Date(time)
  first.setUTCDate(1)
  first.setUTCMonth(first.getUTCMonth() - months)
  const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate()
  first.setUTCDate(Math.min(date.getUTCDate(), last))
  return first.getTime()
}

/** The last row of each version's files. */
export const lastOf = (files: ReadonlyArray<FilesEvent>): ReadonlyMap<string, FilesEvent> =>
  new Map(files.map((event) => [event.version, event]))

/**
 * Decides about every version, in the order of `rows`. Kept are, in this order of reasons: what is deployed, what
 * `champion` stands for, what a rollback would go to, what is held or named by a run that has not ended, the newest
 * versions of each slot, and what is not old enough. The rest is due, and ready once the grace since its mark is over; a
 * change of its status and the end of a hold begin the grace anew.
 */
export const judge = (known: Known): ReadonlyArray<Judged> => {
  const { files, keeping, moves, now, rows, rules } = known
  const last = lastOf(files)
  const oldest = monthsBefore(now, rules.models_months)
  const slots = Map.groupBy(rows, ({ slot }) => slotText(slot))
  const judged = new Map<string, Verdict>()
  for (const [slot, versions] of slots) {
    const own = moves.filter((move) => move.slot === slot)
    const deployed = versions.find(({ status }) => status === "deployed")?.version
    const alias = own.at(-1)?.version ?? undefined
    const targets = new Set([deployed, alias].flatMap((champion) => rollbackTargets(own, champion)))
    const there = versions.filter(({ version }) => !filesGo(last.get(version)?.state))
    const newest = new Set(there.slice(0, rules.models_min_versions).map(({ version }) => version))
    const protection = (row: ModelRow): string | undefined => {
      if (row.status === "deployed") return "it is deployed"
      if (row.version === alias) return "champion stands for it"
      if (targets.has(row.version)) return "a rollback would go back to it"
      const { why } = keeping(row)
      if (why !== undefined) return why
      if (newest.has(row.version)) return `it is among the newest ${rules.models_min_versions} of its slot`
      return Date.parse(row.registered) > oldest ? `it is not ${rules.models_months} months old` : undefined
    }
    const verdictOf = (row: ModelRow): Verdict => {
      const event = last.get(row.version)
      if (event?.state === "purged") return { is: "purged", at: event.at }
      if (event?.state === "purging") return { is: "ready", begun: true }
      const why = protection(row)
      if (why !== undefined) return { is: "kept", why }
      const marked = event?.state === "due"
      const since = Math.max(marked ? Date.parse(event.at) : now, Date.parse(row.changed), keeping(row).ended ?? 0)
      const from = since + rules.deletion_grace_days * dayMillis
      return marked && from <= now ? { is: "ready", begun: false } : { is: "due", from, marked }
    }
    for (const row of versions) judged.set(row.version, verdictOf(row))
  }
  return rows.map((row) => ({ row, verdict: judged.get(row.version) as Verdict }))
}
