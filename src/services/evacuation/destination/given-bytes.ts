import * as Effect from "effect/Effect"
import * as Sha256 from "../../../domain/sha256.ts"
import type { Destination, DestinationFailed } from "./destination.ts"
import type { Piece, Reading } from "../sources/reading.ts"

/** Bytes in memory as a source. */
export const reading = (bytes: Uint8Array, pieceBytes: number): Reading => {
  let offset = 0
  return {
    seen: { bytes: bytes.length, mtimeNs: "0", inode: "0" },
    next: Effect.sync((): Piece | undefined => {
      if (offset >= bytes.length) return undefined
      const piece = bytes.subarray(offset, offset + pieceBytes)
      offset += piece.length
      return { bytes: piece, release: () => {} }
    }),
    end: Effect.succeed({ changed: false }),
  }
}

/** Creates an object of these bytes. The same bytes there are fine; other bytes there are a failure, and stay. */
export const putBytes = (
  destination: Pick<Destination, "put" | "pieceBytes">,
  key: string,
  bytes: Uint8Array | string,
  lock: boolean,
): Effect.Effect<
  { readonly bytes: number; readonly sha256: Sha256.Sha256; readonly sent: number },
  DestinationFailed
> => {
  const content = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes
  const open = Effect.sync(() => reading(content, destination.pieceBytes))
  return destination.put({ key, lock, open }).pipe(
    // Bytes in memory can be read.
    Effect.catchTag("SourceFailed", (error) => Effect.die(error)),
    Effect.map(({ bytes: size, sha256, sent }) => ({ bytes: size, sha256, sent })),
  )
}
