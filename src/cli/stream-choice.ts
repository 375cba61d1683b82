import * as Effect from "effect/Effect"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as Hint from "./hint.ts"
import { Missing } from "./missing.ts"
import * as Output from "./output.ts"
import { plain } from "./plain-text.ts"
import * as PurgedRuns from "./purged-runs.ts"

const listed = 5

/** The stream that a person named: `root`, `system`, `schedules/ENV`, a run's id, or a beginning that only one run has. */
export const choose = Effect.fnUntraced(function* (name: string) {
  if (StreamName.isGathering(name)) return name
  if (StreamName.schedulesOf(name) !== undefined) {
    if ((yield* (yield* Ledger).schedules).includes(name)) return name
    const next = `See what there is: ${(yield* Hint.here).either("schedule list")}`
    return yield* new Missing({ what: `The ledger has no stream ${plain(name)}`, next })
  }
  const runs = yield* (yield* Ledger).runs
  const prefix = name.toLowerCase().replace(/^runs\//, "")
  const found = runs.filter((run) => run.startsWith(prefix))
  const [only] = found
  if (prefix !== "" && only !== undefined && (found.length === 1 || only === prefix)) return StreamName.ofRun(only)
  if (prefix !== "" && found.length > 1) {
    const some = found.slice(0, listed).join(", ")
    const more = found.length > listed ? ` and ${found.length - listed} more` : ""
    return yield* new Output.UsageError({ reason: `${name} is the beginning of ${found.length} runs: ${some}${more}` })
  }
  const hint = yield* Hint.here
  const next = `See what there is: ${hint.either("runs list")}`
  const purged = yield* PurgedRuns.find(prefix)
  if (purged !== undefined) return yield* new Missing({ what: PurgedRuns.describe(purged), next })
  const AskedRuns = yield* Effect.promise(() => import("./asked-runs.ts"))
  const { asked, notCreated } = yield* AskedRuns.find(prefix)
  if (asked !== undefined) {
    return yield* new AskedRuns.RunNotBegun({ asked, cancel: hint.either(`runs cancel ${asked.run}`) })
  }
  return yield* new Missing({ what: notCreated ?? `The ledger has no run ${plain(name)}`, next })
})

/** The run that a person named. */
export const chooseRun = Effect.fnUntraced(function* (name: string) {
  const run = StreamName.runOf(yield* choose(name))
  if (run !== undefined) return run
  return yield* new Output.UsageError({
    reason: `${name} is no run. Name one: ${(yield* Hint.here).either("runs list")}`,
  })
})
