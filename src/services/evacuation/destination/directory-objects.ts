import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import type { Sha256 } from "../../../domain/sha256.ts"
import * as Durable from "../../durable-files.ts"
import type { Bandwidth } from "./bandwidth.ts"
import { type Confirmed, DestinationFailed, type PutRequest } from "./destination.ts"
import { temporaryName } from "./destination-key.ts"
import type { PiecePermits } from "./piece-permits.ts"
import type { Reading } from "../sources/reading.ts"

/** A source that changes is read so often; what was read last is kept. */
const readings = 3
const objectMode = 0o444

/** What writing into a folder needs to know. `pathOf` is the file of a key. */
export interface Writing {
  readonly location: string
  readonly pathOf: (key: string) => string
  readonly permits: PiecePermits
  readonly bandwidth: Bandwidth
}

export const failed =
  (location: string, operation: string, key: string) =>
  (error: Durable.FileFailed): DestinationFailed =>
    new DestinationFailed({
      location,
      operation,
      key,
      reason: `${Durable.advice[error.code] ?? error.reason} (${error.code})`,
      transient: error.transient,
      refused: false,
    })

/** Digest and size of what a file holds; undefined where there is none. */
export const digestOf = (path: string) =>
  Durable.digestFile(path).pipe(
    Effect.catchIf(
      ({ code }) => code === "ENOENT" || code === "ENOTDIR",
      () => Effect.undefined,
    ),
  )

/** File systems without hard links, like those of many removable disks, have these codes for it. */
const linkless = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"])

const isThere = (path: string) =>
  Durable.attempt("look at", path, () => Fs.lstat(path)).pipe(
    Effect.as(true),
    Effect.catchIf(
      ({ code }) => code === "ENOENT",
      () => Effect.succeed(false),
    ),
  )

/** Gives a file its name unless there is one of this name: fails with EEXIST then. Durable on return. */
const place = (temporary: string, path: string): Effect.Effect<void, Durable.FileFailed> =>
  Durable.attempt("create", path, () => Fs.link(temporary, path)).pipe(
    Effect.andThen(Effect.ignore(Durable.attempt("remove", temporary, () => Fs.unlink(temporary)))),
    Effect.catchIf(
      ({ code }) => linkless.has(code),
      () =>
        Effect.flatMap(isThere(path), (there) =>
          there
            ? Effect.fail(new Durable.FileFailed({ path, operation: "create", code: "EEXIST", reason: "it is there" }))
            : Durable.attempt("rename", path, () => Fs.rename(temporary, path)),
        ),
    ),
    Effect.andThen(Durable.syncFolder(dirname(path))),
  )

/** The pieces of a reading, each digested and given to `use`. */
const eachPiece = (
  reading: Reading,
  permits: Effect.Success<PiecePermits["ofObject"]>,
  use: (bytes: Uint8Array) => Effect.Effect<void, Durable.FileFailed>,
) =>
  Effect.gen(function* () {
    const hasher = new Bun.CryptoHasher("sha256")
    let bytes = 0
    yield* permits.take
    let piece = yield* reading.next
    while (piece !== undefined) {
      hasher.update(piece.bytes)
      bytes += piece.bytes.length
      yield* Effect.ensuring(use(piece.bytes), Effect.sync(piece.release))
      piece = yield* reading.next
    }
    yield* permits.give
    return { bytes, sha256: hasher.digest("hex") as Sha256 }
  })

const writeAll = (handle: Fs.FileHandle, path: string, bytes: Uint8Array) =>
  Effect.gen(function* () {
    let offset = 0
    while (offset < bytes.length) {
      const from = offset
      const { bytesWritten } = yield* Durable.attempt("write", path, () =>
        handle.write(bytes, from, bytes.length - from),
      )
      offset += bytesWritten
    }
  })

/** Takes an object: a `Destination`'s `put`. It appears whole, flushed, or not at all. */
export const put = (writing: Writing, { key, open }: PutRequest) => {
  const { bandwidth, location } = writing
  const path = writing.pathOf(key)
  const folder = dirname(path)
  let sent = 0

  /** Compares what is there with the source, without writing. */
  const compareWith = (taken: { readonly bytes: number; readonly sha256: Sha256 }, end: Confirmed["end"]) =>
    Effect.gen(function* () {
      const there = yield* digestOf(path)
      const fields = { location, operation: "store", key }
      if (there === undefined) {
        return yield* new DestinationFailed({
          ...fields,
          reason: "it was removed meanwhile",
          transient: true,
          refused: false,
        })
      }
      if (there.sha256 === taken.sha256) {
        yield* Durable.syncFolder(folder)
        return { key, ...taken, sent, end }
      }
      const reason = `other bytes are there: ${there.bytes} bytes with the SHA-256 ${there.sha256}`
      return yield* new DestinationFailed({ ...fields, reason, transient: false, refused: true, there })
    })

  const once = (isLast: boolean) =>
    Effect.gen(function* () {
      const permits = yield* writing.permits.ofObject
      const reading = yield* open
      if (yield* isThere(path)) {
        const taken = yield* eachPiece(reading, permits, () => Effect.void)
        const end = yield* reading.end
        return end.changed && !isLast ? undefined : yield* compareWith(taken, end)
      }
      yield* Durable.makeFolderDurably(folder)
      const temporary = join(folder, temporaryName())
      const handle = yield* Effect.acquireRelease(
        Durable.attempt("create", path, () =>
          Fs.open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600),
        ),
        (opened, exit) =>
          Durable.attempt("close", path, () => opened.close()).pipe(
            Effect.andThen(
              exit._tag === "Success" ? Effect.void : Durable.attempt("remove", path, () => Fs.unlink(temporary)),
            ),
            Effect.ignore,
          ),
      )
      const taken = yield* eachPiece(reading, permits, (bytes) =>
        Effect.andThen(bandwidth(bytes.length), writeAll(handle, path, bytes)),
      )
      sent += taken.bytes
      const end = yield* reading.end
      if (end.changed && !isLast) {
        yield* Durable.attempt("remove", path, () => Fs.unlink(temporary))
        return undefined
      }
      // Not all file systems have modes.
      yield* Effect.ignore(Durable.attempt("change the mode of", path, () => handle.chmod(objectMode)))
      yield* Durable.attempt("flush", path, () => handle.sync())
      const placed = yield* place(temporary, path).pipe(
        Effect.as(true),
        Effect.catchIf(
          ({ code }) => code === "EEXIST",
          () => Effect.succeed(false),
        ),
      )
      if (placed) return { key, ...taken, sent, end } satisfies Confirmed
      yield* Effect.ignore(Durable.attempt("remove", path, () => Fs.unlink(temporary)))
      return yield* compareWith(taken, end)
    }).pipe(
      Effect.scoped,
      Effect.catchTag("FileFailed", (error) => Effect.fail(failed(location, "store", key)(error))),
    )

  return Effect.gen(function* () {
    for (let reading = 1; ; reading++) {
      const taken: Confirmed | undefined = yield* once(reading === readings)
      if (taken !== undefined) return taken
    }
  })
}
