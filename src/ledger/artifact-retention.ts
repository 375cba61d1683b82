import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as ArtifactSweep from "../services/artifact-sweep.ts"
import { Settings } from "../services/settings.ts"
import { Workspace } from "../services/workspace.ts"
import * as ArtifactNames from "./artifact-names.ts"
import { Ledger } from "./ledger.ts"
import * as Root from "./root.ts"
import * as StreamName from "./stream-name.ts"
import * as Testimony from "./testimony.ts"

const dayMillis = 86_400_000

/** What may lie between the time of a put and that of the run that it is for, milliseconds. */
const slack = 2 * 3_600_000

/**
 * Before when an artifact must have been put, and marked, to go: a day ago, or `deletion_grace_days` where those are more,
 * and before every run that a process drives was made: such a run may name at its end what it put at its beginning.
 */
const limit = Effect.fnUntraced(function* (now: number) {
  const ledger = yield* Ledger
  const { deletion_grace_days } = (yield* Settings).sections.retention
  const said = Testimony.testimonies(yield* Root.readWhole("root"))
  let before = now - Math.max(1, deletion_grace_days) * dayMillis
  for (const run of yield* ledger.runs) {
    const stream = StreamName.ofRun(run)
    if ((said.get(stream)?.closed ?? []).length > 0 || StreamName.createdAt(run) - slack >= before) continue
    if (yield* ledger.owned(stream)) before = StreamName.createdAt(run) - slack
  }
  return before
})

/** Removes the artifacts that nothing names any more, and marks what was not long enough without a name. */
export const sweep = Effect.fn("ArtifactRetention.sweep")(function* () {
  const root = join((yield* Workspace).home, "artifacts")
  const now = yield* Clock.currentTimeMillis
  // What is put after this is young, what a run names after this was named by another before, or is.
  const before = yield* limit(now)
  const stored = yield* ArtifactSweep.list(root)
  const named = yield* ArtifactNames.find(new Set(stored.map(({ sha256 }) => sha256)))
  return yield* ArtifactSweep.sweep(root, stored, named, { before, now })
})

/** As `sweep`, but once a day; undefined where it was done within the last one. */
export const sweepDaily = Effect.fn("ArtifactRetention.sweepDaily")(function* () {
  const root = join((yield* Workspace).home, "artifacts")
  const [now, last] = [yield* Clock.currentTimeMillis, yield* ArtifactSweep.lastSwept(root)]
  if (now >= last && now - last < dayMillis) return undefined
  const swept = yield* sweep()
  yield* ArtifactSweep.noteSwept(root, now)
  return swept
})
