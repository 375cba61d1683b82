import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { data as eventData } from "../domain/event.ts"
import type { EnvironmentName } from "../domain/names.ts"
import { Ledger } from "./ledger.ts"
import * as StreamName from "./stream-name.ts"
import * as StreamTail from "./stream-tail.ts"

const isEnded = Schema.is(eventData["dev.dandori.schedule.run.ended.v1"])

const make = (ledger: Ledger["Service"], env: EnvironmentName) => {
  const stream = StreamName.ofSchedules(env)
  const noted = new Set<string>()
  const tail = StreamTail.make(stream, StreamTail.of(ledger, stream), ({ data, type }) => {
    if (type === "dev.dandori.schedule.run.ended.v1" && isEnded(data)) noted.add(StreamTail.own(data.run))
  })
  return { noted, tail }
}

/** What this process has read of a ledger's schedules, by environment. */
const known = new WeakMap<Ledger["Service"], Map<EnvironmentName, ReturnType<typeof make>>>()

/**
 * The runs of whose end the schedules of an environment have taken note and that are there still; undefined where it has no
 * schedules. Who looks again reads only what was added since.
 */
export const read = Effect.fn("NotedEnds.read")(function* (env: EnvironmentName) {
  const ledger = yield* Ledger
  const ofLedger = known.get(ledger) ?? new Map<EnvironmentName, ReturnType<typeof make>>()
  known.set(ledger, ofLedger)
  const { noted, tail } = ofLedger.get(env) ?? make(ledger, env)
  ofLedger.set(env, { noted, tail })
  const { sequence } = (yield* tail.readOn).head
  if (sequence === 0) return undefined
  // A run is noted after it was created: what is not there now will not be again.
  const there = new Set(yield* ledger.runs)
  for (const run of noted) if (!there.has(run)) noted.delete(run)
  return noted as ReadonlySet<string>
})
