import * as Effect from "effect/Effect"

/**
 * Gives back what nobody needs any more, in some tens of milliseconds. The runtime takes its time with that where the
 * machine has much memory, or is busy, so whatever reads much has it done now and then.
 */
export const tidy: Effect.Effect<void> = Effect.sync(() => Bun.gc(true))

/** As `tidy`, and gives the machine what is free then: for a process that has loaded much and will stay. */
export const giveBack: Effect.Effect<void> = Effect.sync(() => {
  Bun.gc(true)
  Bun.shrink()
})

/** As `tidy`, once so many bytes or pieces went through since the last time. It is told of each piece. */
export const tidyEvery = (limit: { readonly bytes: number; readonly pieces: number }) => {
  let pieces = 0
  let bytes = 0
  return (more: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      pieces++
      bytes += more
      if (pieces < limit.pieces && bytes < limit.bytes) return Effect.void
      pieces = bytes = 0
      return tidy
    })
}
