import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import { type OpenReading, type Piece, SourceFailed } from "../../src/services/evacuation/sources/reading.ts"

/** Buffers of a size that are not in use. */
const free = new Map<number, Array<Uint8Array>>()

/** Reads a file as it is, in pieces that all readings share; nothing is redacted. */
export const open: OpenReading = (file, pieceBytes) =>
  Effect.gen(function* () {
    const failed = (error: unknown) => new SourceFailed({ source: file.source, reason: String(error) })
    const at = <A>(run: () => Promise<A>) => Effect.tryPromise({ try: run, catch: failed })
    const handle = yield* Effect.acquireRelease(
      at(() => Fs.open(file.source, "r")),
      (opened) => Effect.promise(() => opened.close()),
    )
    const look = at(() => handle.stat({ bigint: true }))
    const { ino, mtimeNs, size } = yield* look
    const length = Math.min(pieceBytes, Number(size) + 1)
    const next = Effect.gen(function* () {
      const buffer = free.get(length)?.pop() ?? new Uint8Array(length)
      let filled = 0
      while (filled < length) {
        const from = filled
        const { bytesRead } = yield* at(() => handle.read(buffer, from, length - from))
        if (bytesRead === 0) break
        filled += bytesRead
      }
      const release = () => {
        if (length === pieceBytes) free.set(length, [...(free.get(length) ?? []), buffer])
      }
      if (filled > 0) return { bytes: buffer.subarray(0, filled), release } satisfies Piece
      release()
      return undefined
    })
    const end = Effect.map(look, (now) => ({ changed: now.mtimeNs !== mtimeNs || now.size !== size }))
    return { seen: { bytes: Number(size), mtimeNs: String(mtimeNs), inode: String(ino) }, next, end }
  })
