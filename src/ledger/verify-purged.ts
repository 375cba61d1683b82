import * as StreamName from "./stream-name.ts"
import type { Purged, Testimony } from "./testimony.ts"
import type { LedgerFault, PurgedRun } from "./verify-report.ts"

/** Why what the root says of a purge cannot be: only a run goes, and only as the root has closed it. */
const contradiction = (stream: string, { closed }: Testimony, { entries, head, line }: Purged): string | undefined => {
  if (StreamName.runOf(stream) === undefined) return `line ${line} says that it was purged, and it is no run`
  const last = closed.findLast((end) => end.line < line)
  if (last === undefined) return `line ${line} says that ${stream} was purged, but no line before it says how it ended`
  if (last.entries === entries && last.head === head) return undefined
  return `line ${line} says that ${stream} was purged with ${entries} entries and another head than line ${last.line} names`
}

/**
 * The purged runs of a ledger, oldest purge first, and what is wrong with what the root says of them. `there` are the
 * streams that were found; those are verified like any other.
 */
export const check = (said: ReadonlyMap<string, Testimony>, there: ReadonlySet<string>) => {
  const runs: Array<PurgedRun> = []
  const faults: Array<LedgerFault> = []
  for (const [stream, testimony] of said) {
    const { purged } = testimony
    if (purged === undefined) continue
    runs.push({ stream, ...purged, there: there.has(stream) })
    const reason = contradiction(stream, testimony, purged)
    if (reason === undefined) continue
    faults.push({ stream: StreamName.root, line: purged.line, offset: 0, kind: "altered", reason })
  }
  return { runs: runs.toSorted((a, b) => a.line - b.line), faults }
}
