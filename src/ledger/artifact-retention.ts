import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as ArtifactSweep from "../services/artifact-sweep.ts"
import { Settings } from "../services/settings.ts"
import { Workspace } from "../services/workspace.ts"
import * as ArtifactNames from "./artifact-names.ts"
import { Ledger } from "./ledger.ts"
import * as NamingDoubt from "./naming-doubt.ts"
import * as RootTestimonies from "./root-testimonies.ts"
import * as StreamName from "./stream-name.ts"

const dayMillis = 86_400_000

/** What may lie between the time of a put and that of the run that it is for, milliseconds. */
const slack = 2 * 3_600_000

/** What a sweep came to; `why` where nothing was looked at, because the ledger may not be all that names artifacts here. */
export interface Swept extends ArtifactSweep.Swept {
  readonly why?: string
}

/**
 * Before when an artifact must have been put, and marked, to go: a day ago, or `deletion_grace_days` where those are more,
 * and before every run that a process drives was made: such a run may name at its end what it put at its beginning.
 */
const limit = Effect.fnUntraced(function* (
  said: RootTestimonies.RootTestimonies,
  runs: ReadonlySet<string>,
  now: number,
) {
  const ledger = yield* Ledger
  const { deletion_grace_days } = (yield* Settings).sections.retention
  let before = now - Math.max(1, deletion_grace_days) * dayMillis
  for (const run of runs) {
    const stream = StreamName.ofRun(run)
    if (RootTestimonies.isOver(said, stream) || StreamName.createdAt(run) - slack >= before) continue
    if (yield* ledger.owned(stream)) before = StreamName.createdAt(run) - slack
  }
  return before
})

/** Removes the artifacts that nothing names any more, and marks what was not long enough without a name. */
export const sweep = Effect.fn("ArtifactRetention.sweep")(function* () {
  const root = join((yield* Workspace).home, "artifacts")
  const now = yield* Clock.currentTimeMillis
  const said = yield* (yield* Ledger).testimonies
  const streams = [...said.streams()]
  const runs = new Set(yield* (yield* Ledger).runs)
  // What is put after this is young, and what a run names after this was named by another before, or is put again.
  const stored = yield* ArtifactSweep.list(root)
  const why = stored.length === 0 ? undefined : yield* NamingDoubt.find(streams, runs)
  if (why !== undefined) return { removed: 0, bytes: 0, marked: 0, why } as Swept
  const before = yield* limit(said, runs, now)
  // Its doubts do not stop a sweep. Where machines share a ledger, outputs of the others are never here: nothing would
  // ever go. Those were made where the others keep their artifacts; what lies here a run of this machine has put, and names.
  const { named } = yield* ArtifactNames.find(new Set(stored.map(({ sha256 }) => sha256)))
  return (yield* ArtifactSweep.sweep(root, stored, named, { before, now })) as Swept
})

/** As `sweep`, but once a day; undefined where it was done within the last one. One that was in doubt is done again. */
export const sweepDaily = Effect.fn("ArtifactRetention.sweepDaily")(function* () {
  const root = join((yield* Workspace).home, "artifacts")
  const [now, last] = [yield* Clock.currentTimeMillis, yield* ArtifactSweep.lastSwept(root)]
  if (now >= last && now - last < dayMillis) return undefined
  const swept = yield* sweep()
  if (swept.why === undefined) yield* ArtifactSweep.noteSwept(root, now)
  return swept
})
