import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Waits until this many bytes more may be sent. */
export type Bandwidth = (bytes: number) => Effect.Effect<void>

/** At most this many bytes a second, over all that share it; undefined: as fast as it goes. */
export const make = (bytesPerSecond: number | undefined): Bandwidth => {
  let free = 0
  return (bytes) =>
    bytesPerSecond === undefined
      ? Effect.void
      : Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const from = Math.max(now, free)
          free = from + (bytes / bytesPerSecond) * 1000
          return from > now ? Effect.sleep(from - now) : Effect.void
        })
}
