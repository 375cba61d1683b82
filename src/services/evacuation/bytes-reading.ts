import * as Effect from "effect/Effect"
import type { Reading } from "./reading.ts"

/**
 * A reading of bytes that are there already; they must not change until it has ended. `mtime` is milliseconds since the
 * epoch. Without `pieceBytes` all of them are one piece.
 */
export const readingOf = (bytes: Uint8Array, mtime = 0, pieceBytes = bytes.length): Effect.Effect<Reading> =>
  Effect.sync(() => {
    let offset = 0
    const next = Effect.sync(() => {
      if (offset >= bytes.length) return undefined
      const piece = bytes.subarray(offset, offset + pieceBytes)
      offset += piece.length
      return { bytes: piece, release: () => {} }
    })
    return {
      seen: { bytes: bytes.length, mtimeNs: String(BigInt(Math.trunc(mtime)) * 1_000_000n), inode: "0" },
      next,
      end: Effect.succeed({ changed: false }),
    }
  })
