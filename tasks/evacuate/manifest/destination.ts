import * as Effect from "effect/Effect"
import { type Destination, DestinationFailed } from "../../../src/services/evacuation/destination.ts"
import type { IncidentFolder } from "../../../src/services/evacuation/incidents.ts"
import type { Reading } from "../../../src/services/evacuation/reading.ts"

/** The rung of the ladder that the incident's objects were pushed to. */
export const chosen = (folder: IncidentFolder): Effect.Effect<Destination, DestinationFailed> =>
  Effect.fail(
    new DestinationFailed({
      location: folder.path,
      operation: "open",
      key: "",
      reason: "there is no ladder of destinations yet",
      transient: false,
      refused: false,
    }),
  )

const readingOf = (bytes: Uint8Array, pieceBytes: number): Reading => {
  let at = 0
  return {
    seen: { bytes: bytes.length, mtimeNs: "0", inode: "0" },
    next: Effect.sync(() => {
      if (at >= bytes.length) return undefined
      const piece = bytes.subarray(at, at + pieceBytes)
      at += piece.length
      return { bytes: piece, release: () => {} }
    }),
    end: Effect.succeed({ changed: false }),
  }
}

/** Puts bytes as an object of a destination. */
export const putBytes = (destination: Destination, key: string, bytes: Uint8Array, lock: boolean) =>
  destination.put({ key, lock, open: Effect.sync(() => readingOf(bytes, destination.pieceBytes)) })
