import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type DaemonError, isPassing } from "./daemon-errors.ts"

/** Between two tries to reach a daemon that went away: the first pause, the longest, and when it is given up, milliseconds. */
const pause = { first: 250, longest: 5_000, all: 600_000 }

/** How often and for how long a daemon that went away is tried again; `say` hears of it once, and when it is back. */
export const make = (say: (text: string) => void) => {
  let lost: { readonly since: number; readonly wait: number } | undefined

  /** The daemon has answered. */
  const answered = Effect.sync(() => {
    if (lost !== undefined) say("The daemon answers again.")
    lost = undefined
  })

  /** Waits before another try; fails where none would help. */
  const wait = Effect.fnUntraced(function* (error: DaemonError) {
    const now = yield* Clock.currentTimeMillis
    if (!isPassing(error) || (lost !== undefined && now - lost.since > pause.all)) return yield* error
    if (lost === undefined) say("The connection to the daemon is lost: trying again. The run does not depend on it.")
    const millis = lost?.wait ?? pause.first
    lost = { since: lost?.since ?? now, wait: Math.min(millis * 2, pause.longest) }
    yield* Effect.sleep(millis)
  })

  return {
    answered,
    /** Tries until it succeeds, or fails of what does not pass by itself. */
    until: <A, E, R>(attempt: Effect.Effect<A, E | DaemonError, R>) =>
      Effect.gen(function* () {
        for (;;) {
          const result = yield* Effect.result(attempt)
          if (result._tag === "Success") {
            yield* answered
            return result.success
          }
          const { failure } = result
          if (!isPassing(failure)) return yield* Effect.fail(failure)
          yield* wait(failure as DaemonError)
        }
      }),
  }
}
