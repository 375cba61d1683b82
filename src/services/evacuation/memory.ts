import * as Effect from "effect/Effect"

/**
 * Gives back what nobody needs any more. The runtime takes its time with that where the machine has much memory, and an
 * evacuation may have little: between its steps and now and then while it sends, some tens of milliseconds are well spent.
 */
export const tidy: Effect.Effect<void> = Effect.sync(() => Bun.gc(true))

const everyBytes = 256 << 20
const everyObjects = 500

/** As `tidy`, once so much has gone through since the last time. */
export const tidyNowAndThen = (): ((bytes: number) => Effect.Effect<void>) => {
  let objects = 0
  let bytes = 0
  return (more) =>
    Effect.suspend(() => {
      objects++
      bytes += more
      if (objects < everyObjects && bytes < everyBytes) return Effect.void
      objects = bytes = 0
      return tidy
    })
}
