/** A process that takes the lock of a home again and again: `bun lock-holder.ts HOME ROUNDS HOLD_MILLIS`; prints its times. */
import * as Effect from "effect/Effect"
import * as LeasesSqlite from "../src/services/leases-sqlite.ts"
import { Leases, type LeaseRequest } from "../src/services/leases.ts"

/** When a round's lock was had and when it was given back; milliseconds on a clock that all processes share. */
export interface Round {
  readonly taken: number
  readonly released: number
}

const now = () => performance.timeOrigin + performance.now()

/** The request for the lock that is measured. */
export const request: LeaseRequest = {
  run: "bench",
  resources: { locks: ["bench"] },
  capacity: { cpu: 1, memory: 1, gpu: 0, pools: {} },
  priority: 0,
}

/** Takes the lock, holds it for a while, gives it back and waits for its next turn. */
export const rounds = Effect.fnUntraced(function* (count: number, holdMillis: number) {
  const leases = yield* Leases
  const found: Array<Round> = []
  for (let round = 0; round < count; round++) {
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* leases.acquire(request, () => {})
        const taken = now()
        yield* Effect.sleep(holdMillis)
        found.push({ taken, released: now() })
      }),
    )
  }
  return found
})

if (import.meta.main) {
  const [home, count, hold] = process.argv.slice(2)
  const found = await Effect.runPromise(
    rounds(Number(count), Number(hold)).pipe(Effect.provide(LeasesSqlite.layer(home))),
  )
  process.stdout.write(`${JSON.stringify(found)}\n`)
}
