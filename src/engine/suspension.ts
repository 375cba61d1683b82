import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import type { Entry, EventData } from "../domain/event.ts"
import * as CompiledPlan from "./compiled-plan.ts"
import type { Recorder } from "./recorder.ts"

const suspendedType = "dev.dandori.run.suspended.v1"
const startedType = "dev.dandori.attempt.started.v1"

/** A ledger that is away is not waited for any longer, milliseconds: others may go on with the run. */
const longestFlush = 10_000

/** Says which attempts an orderly stop of the process has interrupted, when they are gone; nothing where there are none. */
export const record = Effect.fnUntraced(function* (recorder: Recorder) {
  const { plan, running } = recorder.state()
  if (HashMap.size(running) === 0) return
  const interrupted = [...HashMap.keys(running)].map((index) => CompiledPlan.taskOfNode(plan, index).id)
  recorder.record({ type: suspendedType, data: { interrupted: interrupted.toSorted() } })
  yield* Effect.ignore(Effect.timeoutOption(recorder.writer.durable, longestFlush))
})

/** The tasks whose newest attempt an orderly stop has interrupted. */
export const interruptedIn = (entries: ReadonlyArray<Entry>): ReadonlySet<string> => {
  const found = new Set<string>()
  for (const { data, type } of entries) {
    if (type === startedType) found.delete((data as EventData<typeof startedType>).task)
    if (type === suspendedType)
      for (const task of (data as EventData<typeof suspendedType>).interrupted) found.add(task)
  }
  return found
}
