import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type { SqlError } from "effect/sql/SqlError"
import type { TermEntry, TermRows } from "./lease-rows-postgres.ts"
import * as Outage from "./outage.ts"
import { pause } from "./process-groups.ts"

/** Milliseconds between two looks at what others did, at first and when nothing is heard. */
const shortestPause = 50
const longestPause = 1_000

/** What all want of the names that a request wants, as it was after the request was put there. */
export type Seen = Exit.Exit<ReadonlyArray<TermEntry>, SqlError>

/**
 * Looks on behalf of all requests of this process that wait: by one statement, at once when a change is heard of, and now
 * * and then, because a notification may be lost with its connection.
 */
export const make = Effect.fnUntraced(function* (rows: TermRows) {
  const scope = yield* Effect.scope
  const waiting = new Map<string, { readonly names: ReadonlyArray<string>; readonly seen: Queue.Queue<Seen> }>()
  const heard = Latch.makeUnsafe(false)
  let polling = false
  let rest = shortestPause

  const look = Effect.gen(function* () {
    const asked = [...waiting.values()]
    const names = new Set(asked.flatMap((each) => each.names))
    const exit = yield* Effect.exit(Outage.outlast("Taking pools and locks", rows.entries([...names])))
    for (const { seen } of asked) Queue.offerUnsafe(seen, exit)
  })
  const poll = Effect.gen(function* () {
    while (waiting.size > 0) {
      heard.closeUnsafe()
      yield* look
      const jittered = rest * (0.75 + (yield* Random.next) / 2)
      if (yield* Effect.raceFirst(Effect.as(heard.await, true), Effect.as(pause(jittered), false))) rest = shortestPause
      else rest = Math.min(rest * 1.5, longestPause)
    }
  }).pipe(Effect.ensuring(Effect.sync(() => void (polling = false))))

  return {
    /** Somebody has given something back. */
    changed: () => heard.openUnsafe(),
    /** What can be seen from now on of the names of a request that waits, newest only, until the scope closes. */
    follow: Effect.fnUntraced(function* (id: string, names: ReadonlyArray<string>) {
      const seen = yield* Queue.sliding<Seen>(1)
      yield* Effect.acquireRelease(
        Effect.sync(() => void waiting.set(id, { names, seen })),
        () => Effect.sync(() => void waiting.delete(id)),
      )
      rest = shortestPause
      heard.openUnsafe()
      if (!polling) {
        polling = true
        yield* Effect.forkIn(poll, scope)
      }
      return Queue.take(seen)
    }),
  }
})
export type LeaseWatch = Effect.Success<ReturnType<typeof make>>
