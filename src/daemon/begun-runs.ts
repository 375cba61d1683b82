import * as Effect from "effect/Effect"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as Orders from "../scheduler/schedule-orders.ts"

/** Runs that are created, by whether a process drives them: who waits for people is driven by none. */
export interface BegunRuns {
  readonly driven: ReadonlySet<string>
  readonly resting: ReadonlySet<string>
}

/** As if none of them was created yet. */
export const none: BegunRuns = { driven: new Set(), resting: new Set() }

/** Streams that are looked at at once. */
const looks = 16

/** Those of some runs that have begun. */
export const of = Effect.fnUntraced(function* (runs: ReadonlyArray<string>) {
  const ledger = yield* Ledger
  const [driven, resting] = [new Set<string>(), new Set<string>()]
  const look = Effect.fnUntraced(function* (run: string) {
    if (!(yield* Orders.isCreated(run))) return
    const isDriven = yield* ledger.owned(StreamName.ofRun(run))
    const found = isDriven ? driven : resting
    found.add(run)
  })
  yield* Effect.forEach(runs, look, { concurrency: looks, discard: true })
  return { driven, resting } satisfies BegunRuns
})

/** How many runs wait to be created where there is room for so many; less than 0 while there is some left. */
export const waiting = (asked: ReadonlyArray<string>, { driven, resting }: BegunRuns, room: number): number => {
  let going = 0
  let uncreated = 0
  for (const run of asked) {
    if (driven.has(run)) going++
    else if (!resting.has(run)) uncreated++
  }
  return uncreated + Math.min(going, room) - room
}
