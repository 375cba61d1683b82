import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { RunId } from "../domain/names.ts"
import { Settings } from "../services/settings.ts"
import { Workspace } from "../services/workspace.ts"
import { Ledger } from "./ledger.ts"
import * as RootTestimonies from "./root-testimonies.ts"
import * as StreamName from "./stream-name.ts"

const isRunId = Schema.is(RunId)

/** What to do where two ledgers share a home. */
const apart = "give each environment a home of its own ($DANDORI_HOME)"

/**
 * Why it cannot be told what is named: the ledger lacks runs of which its root knows, or runs were driven from this home
 * that are in another ledger, as where two environments share a home, or a ledger was put back from an earlier copy.
 */
export const find = Effect.fnUntraced(function* (named: ReadonlyArray<string>, runs: ReadonlySet<string>) {
  const fs = yield* FileSystem.FileSystem
  const { home } = yield* Workspace
  const { store } = (yield* Settings).sections.ledger
  // A later look: what is gone by now was purged meanwhile.
  const said = yield* (yield* Ledger).testimonies
  if (said.entries === 0 && runs.size === 0) return "the ledger is empty"
  for (const stream of named) {
    const run = StreamName.runOf(stream)
    if (run === undefined || runs.has(run) || said.isPurged(stream)) continue
    return `run ${run} is missing from the ledger: dandori ledger verify`
  }
  const inFiles = join(home, "ledger", StreamName.segmentPath(StreamName.root))
  if (store === "postgres" && (yield* Effect.orElseSucceed(fs.exists(inFiles), () => true))) {
    return `there is a ledger in files too, ${inFiles}, whose runs may name bytes here: ${apart}`
  }
  const logs = yield* Effect.orElseSucceed(fs.readDirectory(join(home, "logs")), (): ReadonlyArray<string> => [])
  const foreign = logs.find(
    (run) => isRunId(run) && !runs.has(run) && !RootTestimonies.isNamed(said, StreamName.ofRun(run)),
  )
  if (foreign === undefined) return undefined
  return `${join(home, "logs", foreign)} is of a run that this ledger does not know: another ledger may name bytes here; ${apart}`
})
