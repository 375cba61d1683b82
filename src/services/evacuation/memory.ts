import * as Effect from "effect/Effect"
import type { OpenReading } from "./reading.ts"

/**
 * Gives back what nobody needs any more. The runtime takes its time with that where the machine has much memory, and an
 * evacuation may have little: between its steps and now and then while it sends, some tens of milliseconds are well spent.
 */
export const tidy: Effect.Effect<void> = Effect.sync(() => Bun.gc(true))

const everyBytes = 128 << 20
const everyPieces = 500

/** As `tidy`, once so much has gone through since the last time. */
export const tidyNowAndThen = (): ((bytes: number) => Effect.Effect<void>) => {
  let pieces = 0
  let bytes = 0
  return (more) =>
    Effect.suspend(() => {
      pieces++
      bytes += more
      if (pieces < everyPieces && bytes < everyBytes) return Effect.void
      pieces = bytes = 0
      return tidy
    })
}

/** Sources whose pieces are counted for `tidyNowAndThen`. */
export const tidying =
  (now: ReturnType<typeof tidyNowAndThen>, open: OpenReading): OpenReading =>
  (file, pieceBytes) =>
    Effect.map(open(file, pieceBytes), (reading) => ({
      ...reading,
      next: Effect.tap(reading.next, (piece) => now(piece?.bytes.length ?? 0)),
    }))
