import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import { type OpenReading, type Piece, SourceFailed } from "../../src/services/evacuation/reading.ts"

/** Reads a file as it is, in pieces of its own; nothing is redacted. */
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
    const free: Array<Uint8Array> = []
    const length = Math.min(pieceBytes, Number(size) + 1)
    const next = Effect.gen(function* () {
      const buffer = free.pop() ?? new Uint8Array(length)
      let filled = 0
      while (filled < length) {
        const from = filled
        const { bytesRead } = yield* at(() => handle.read(buffer, from, length - from))
        if (bytesRead === 0) break
        filled += bytesRead
      }
      if (filled === 0) return undefined
      return { bytes: buffer.subarray(0, filled), release: () => void free.push(buffer) } satisfies Piece
    })
    const end = Effect.map(look, (now) => ({ changed: now.mtimeNs !== mtimeNs || now.size !== size }))
    return { seen: { bytes: Number(size), mtimeNs: String(mtimeNs), inode: String(ino) }, next, end }
  })
