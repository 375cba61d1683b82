import * as Effect from "effect/Effect"

/** Ticks to a heartbeat: it is found missing at most one of them late. */
const ticks = 20

/** Listens to one attempt. */
export interface Heartbeat {
  /** A sign of life. */
  readonly beat: () => void
  /** Succeeds when there was none for the whole time. */
  readonly silence: Effect.Effect<void>
}

/**
 * Watches for `millis` without a sign of life. It counts ticks of its own and reads no clock: a stepped clock changes
 * nothing, and time in which this process could not run (it was stopped, the machine slept) is at most one tick.
 */
export const make = (millis: number): Heartbeat => {
  const tick = Math.max(1, Math.ceil(millis / ticks))
  const most = Math.ceil(millis / tick)
  let alive = true
  return {
    beat: () => {
      alive = true
    },
    silence: Effect.gen(function* () {
      for (let silent = 0; silent < most; silent++) {
        yield* Effect.sleep(tick)
        if (alive) silent = -1
        alive = false
      }
    }),
  }
}
