import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Sha256 } from "../domain/sha256.ts"
import { attempt, type FileFailed } from "./durable-files.ts"

/** The bytes of a file are no longer those that were digested. */
export class FileChanged extends Schema.TaggedError<FileChanged>()("FileChanged", { path: Schema.String }) {
  readonly transient = true
  override get message() {
    return `the source changed while it was being stored; nothing was kept, try again`
  }
}

/** A stretch of a file. */
export interface Part {
  /** From 1. */
  readonly number: number
  readonly offset: number
  readonly bytes: number
  /** In base64, as S3 writes it. */
  readonly sha256: string
}

/** A file that was digested part by part and can be read again. */
export interface FileParts {
  readonly bytes: number
  readonly sha256: Sha256
  /** At least one; that of an empty file is empty. */
  readonly parts: ReadonlyArray<Part>
  /** The bytes of a part in `buffer`, which must be large enough; fails when they are not those that were digested. */
  readonly read: (part: Part, buffer: Uint8Array) => Effect.Effect<Uint8Array, FileFailed | FileChanged>
  /** Fails when there are more or fewer bytes than were digested. */
  readonly stillAsLong: Effect.Effect<void, FileFailed | FileChanged>
}

const chunkBytes = 1 << 20
/** S3 takes no more parts than this. */
const mostParts = 10_000

/** Opens a file, which must not be a link, and digests it, `partBytes` at a time or as many more as 10,000 parts need. */
export const open = (path: string, partBytes: number): Effect.Effect<FileParts, FileFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const handle = yield* Effect.acquireRelease(
      attempt("open", path, () => Fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW)),
      (opened) => Effect.ignore(attempt("close", path, () => opened.close())),
    )
    const { size } = yield* attempt("look at", path, () => handle.stat())
    const step = Math.max(partBytes, Math.ceil(size / mostParts))
    const whole = new Bun.CryptoHasher("sha256")
    const parts: Array<Part> = []
    const chunk = new Uint8Array(Math.min(chunkBytes, step, Math.max(size + 1, 4096)))
    let end = 0
    for (let offset = 0; offset === end; offset += step) {
      const hasher = new Bun.CryptoHasher("sha256")
      while (end < offset + step) {
        const wanted = Math.min(chunk.length, offset + step - end)
        const { bytesRead } = yield* attempt("read", path, () => handle.read(chunk, 0, wanted, end))
        if (bytesRead === 0) break
        const read = chunk.subarray(0, bytesRead)
        whole.update(read)
        hasher.update(read)
        end += bytesRead
      }
      if (end === offset && offset > 0) break
      parts.push({ number: parts.length + 1, offset, bytes: end - offset, sha256: hasher.digest("base64") })
    }
    const read: FileParts["read"] = (part, buffer) =>
      Effect.gen(function* () {
        let filled = 0
        while (filled < part.bytes) {
          const { bytesRead } = yield* attempt("read", path, () =>
            handle.read(buffer, filled, part.bytes - filled, part.offset + filled),
          )
          if (bytesRead === 0) return yield* new FileChanged({ path })
          filled += bytesRead
        }
        const found = buffer.subarray(0, part.bytes)
        const sha256 = new Bun.CryptoHasher("sha256").update(found).digest("base64")
        return sha256 === part.sha256 ? found : yield* new FileChanged({ path })
      })
    const stillAsLong = attempt("look at", path, () => handle.stat()).pipe(
      Effect.flatMap((now) => (now.size === end ? Effect.void : Effect.fail(new FileChanged({ path })))),
    )
    return { bytes: end, sha256: whole.digest("hex") as Sha256, parts, read, stillAsLong }
  })
