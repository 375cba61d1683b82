import { closeSync, constants, fsync, mkdirSync, openSync, utimesSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type { Sha256 } from "../domain/sha256.ts"

/** What to do about an error of the operating system, by its code. */
export const advice: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full; free some space or choose another root in the storage section",
  EDQUOT: "the disk quota is used up; free some space or choose another root in the storage section",
  EACCES: "permission denied; give this user the right to it, or choose another root in the storage section",
  EPERM: "not permitted; check the owner and the attributes of the file and its folder",
  EROFS: "the file system is mounted read-only; remount it or choose another root in the storage section",
  ENOENT: "it does not exist; check the path",
  ENOTDIR: "a part of the path is a file, not a folder; check the path",
  EISDIR: "it is a folder, not a file; check the path",
  EEXIST: "it exists already and is not replaced",
  ENAMETOOLONG: "the name is too long for the file system; choose a shorter one",
  EMFILE: "too many open files; raise the limit (ulimit -n) or run fewer tasks at a time",
  ENFILE: "too many open files on this machine; close some programs",
  EIO: "the disk reports an error; check its health and do not trust it with new data",
  EXDEV: "the two paths lie on different file systems; put them on one",
  ENOTEMPTY: "the folder is not empty",
  ELOOP: "it is a symbolic link, which is not followed here",
}

const passing = new Set(["EMFILE", "ENFILE", "EAGAIN", "EBUSY", "EINTR"])

/** A file operation failed. `code` is the operating system's (`ENOSPC`, …); the message says what to do. */
export class FileFailed extends Schema.TaggedError<FileFailed>()("FileFailed", {
  path: Schema.String,
  operation: Schema.String,
  code: Schema.String,
  reason: Schema.String,
}) {
  get transient() {
    return passing.has(this.code)
  }
  override get message() {
    return `${this.operation} ${this.path}: ${advice[this.code] ?? this.reason} (${this.code})`
  }
}

/** How a file is written. `mode` in octal, default 0644 whatever the umask. */
export interface WriteOptions {
  readonly mode?: number
}

/** Digest and size of a file's bytes. */
export interface FileDigest {
  readonly sha256: Sha256
  readonly bytes: number
}

const chunkBytes = 1 << 20
const smallestChunkBytes = 4096

const failed = (operation: string, path: string) => (cause: unknown) => {
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "UNKNOWN"
  return new FileFailed({ path, operation, code, reason: cause instanceof Error ? cause.message : String(cause) })
}

/** Runs one file operation, its rejection as `FileFailed`. */
export const attempt = <A>(operation: string, path: string, run: () => Promise<A>): Effect.Effect<A, FileFailed> =>
  Effect.tryPromise({ try: run, catch: failed(operation, path) })

/** As `attempt`, for what is over sooner than another thread could take it up: no reading, writing or flushing of much. */
export const attemptNow = <A>(operation: string, path: string, run: () => A): Effect.Effect<A, FileFailed> =>
  Effect.try({ try: run, catch: failed(operation, path) })

const withHandle = <A, E>(
  operation: string,
  path: string,
  flags: number,
  mode: number,
  use: (handle: Fs.FileHandle) => Effect.Effect<A, E>,
): Effect.Effect<A, E | FileFailed> =>
  Effect.acquireUseRelease(
    attempt(operation, path, () => Fs.open(path, flags, mode)),
    use,
    (handle) => Effect.ignore(attempt("close", path, () => handle.close())),
  )

const writeAll = (handle: Fs.FileHandle, path: string, bytes: Uint8Array): Effect.Effect<void, FileFailed> =>
  Effect.gen(function* () {
    let offset = 0
    while (offset < bytes.length) {
      const { bytesWritten } = yield* attempt("write", path, () => handle.write(bytes, offset, bytes.length - offset))
      offset += bytesWritten
    }
  })

/**
 * Each chunk of a file's bytes, in order, in a buffer that is used again. Where there is more than a chunk, the next one is
 * read meanwhile.
 */
const forEachChunk = <E>(
  handle: Fs.FileHandle,
  path: string,
  use: (chunk: Uint8Array) => Effect.Effect<void, E>,
): Effect.Effect<void, E | FileFailed> => {
  const begin = (buffer: Uint8Array) => {
    const reading = handle.read(buffer, 0, buffer.length, null)
    // Nobody waits for it any more where the use of the chunk before failed.
    reading.catch(() => {})
    return attempt("read", path, () => reading)
  }
  return Effect.gen(function* () {
    const { size } = yield* attempt("look at", path, () => handle.stat())
    const length = Math.min(chunkBytes, Math.max(size + 1, smallestChunkBytes))
    let buffer: Uint8Array = new Uint8Array(length)
    let spare: Uint8Array | undefined
    let reading = begin(buffer)
    while (true) {
      const { bytesRead } = yield* reading
      if (bytesRead === 0) return
      const chunk = buffer.subarray(0, bytesRead)
      if (bytesRead < length) {
        yield* use(chunk)
        reading = begin(buffer)
      } else {
        const next = spare ?? new Uint8Array(length)
        spare = buffer
        buffer = next
        reading = begin(buffer)
        yield* use(chunk)
      }
    }
  })
}

const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW
const newFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL

const flush = (path: string): Effect.Effect<void, FileFailed> =>
  attemptNow("open", path, () => openSync(path, constants.O_RDONLY)).pipe(
    Effect.flatMap((fd) =>
      Effect.callback<void, FileFailed>((resume) =>
        fsync(fd, (cause) => {
          closeSync(fd)
          resume(cause ? Effect.fail(failed("flush", path)(cause)) : Effect.void)
        }),
      ),
    ),
    Effect.uninterruptible,
  )

/** Flushes a folder's entries to the disk. */
export const syncFolder = flush

/** Flushes a file's bytes to the disk. */
export const fsyncFile = flush

/** Folders whose entry this process has flushed: one flush is enough for as long as the folder stays. */
const durableFolders = new Set<string>()

/** Makes a folder and the folders above it; all that are new are durable on return. `mode` in octal, default 0777 less the umask. */
export const makeFolderDurably = (path: string, { mode }: WriteOptions = {}): Effect.Effect<void, FileFailed> =>
  Effect.gen(function* () {
    const target = resolve(path)
    const first = yield* attemptNow("make the folder", target, () => mkdirSync(target, { recursive: true, mode }))
    if (first === undefined && durableFolders.has(target)) return
    const top = first ?? target
    for (let folder = target; folder.length >= top.length; folder = dirname(folder)) {
      yield* syncFolder(dirname(folder))
      if (folder === dirname(folder)) break
    }
    durableFolders.add(target)
  })

/** Renames within one file system, over what is there; durable on return. */
export const renameDurably = (from: string, to: string): Effect.Effect<void, FileFailed> =>
  attempt("rename", to, () => Fs.rename(from, to)).pipe(
    Effect.andThen(syncFolder(dirname(to))),
    Effect.andThen(dirname(from) === dirname(to) ? Effect.void : syncFolder(dirname(from))),
  )

/** Removes a file; durable on return. Fails with ENOENT when there is none. */
export const removeFileDurably = (path: string): Effect.Effect<void, FileFailed> =>
  attempt("remove", path, () => Fs.unlink(path)).pipe(Effect.andThen(syncFolder(dirname(path))))

/** Makes a file one that was put now, for those who go by how long ago that was. */
export const renewTime = (path: string): Effect.Effect<void, FileFailed> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    attemptNow("renew the time of", path, () => utimesSync(path, now / 1_000, now / 1_000)),
  )

type Fill<A, E = FileFailed> = (handle: Fs.FileHandle, temporary: string) => Effect.Effect<A, E>
type Place = (temporary: string, to: string) => Effect.Effect<void, FileFailed>

const replaces: Place = (temporary, to) => attempt("rename", to, () => Fs.rename(temporary, to))
const createsOnly: Place = (temporary, to) =>
  attempt("create", to, () => Fs.link(temporary, to)).pipe(
    Effect.andThen(attempt("remove", temporary, () => Fs.unlink(temporary))),
  )

/** Fills a temporary file in the target's folder, flushes it, puts it in place, flushes the folder. */
const writeThrough = <A, E = FileFailed>(
  path: string,
  mode: number,
  fill: Fill<A, E>,
  place: Place,
): Effect.Effect<A, E | FileFailed> => {
  const temporary = join(dirname(path), `.${basename(path).slice(0, 64)}.${crypto.randomUUID()}.tmp`)
  return withHandle("create", temporary, newFlags, 0o600, (handle) =>
    Effect.gen(function* () {
      const filled = yield* fill(handle, temporary)
      yield* attempt("change the mode of", temporary, () => handle.chmod(mode))
      yield* attempt("flush", temporary, () => handle.sync())
      return filled
    }),
  ).pipe(
    Effect.tap(() => place(temporary, path)),
    Effect.onError(() => Effect.ignore(attempt("remove", temporary, () => Fs.unlink(temporary)))),
    Effect.tap(() => syncFolder(dirname(path))),
    Effect.mapError((error) =>
      error instanceof FileFailed && error.path === temporary ? new FileFailed({ ...error, path }) : error,
    ),
  )
}

const encoded = (bytes: Uint8Array | string) => (typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes)

/** Writes a file whole or not at all, over what is there. The folder must exist. Durable on return. */
export const writeFileDurably = (
  path: string,
  bytes: Uint8Array | string,
  options: WriteOptions = {},
): Effect.Effect<void, FileFailed> =>
  writeThrough(path, options.mode ?? 0o644, (handle, at) => writeAll(handle, at, encoded(bytes)), replaces)

/** As `writeFileDurably`, but fails with EEXIST, changing nothing, when there is something at the path. */
export const writeNewFileDurably = (
  path: string,
  bytes: Uint8Array | string,
  options: WriteOptions = {},
): Effect.Effect<void, FileFailed> =>
  writeThrough(path, options.mode ?? 0o644, (handle, at) => writeAll(handle, at, encoded(bytes)), createsOnly)

/** As `writeNewFileDurably`, with bytes that come one chunk after the other; where `fill` fails there is no file. */
export const fillNewFileDurably = <A, E>(
  path: string,
  fill: (write: (chunk: Uint8Array) => Effect.Effect<void, FileFailed>) => Effect.Effect<A, E>,
): Effect.Effect<A, E | FileFailed> =>
  writeThrough(path, 0o644, (handle, at) => fill((chunk) => writeAll(handle, at, chunk)), createsOnly)

const digested = <E>(path: string, update: (hasher: Bun.CryptoHasher, chunk: Uint8Array) => Effect.Effect<void, E>) =>
  withHandle("open", path, readFlags, 0, (handle) =>
    Effect.gen(function* () {
      const hasher = new Bun.CryptoHasher("sha256")
      let bytes = 0
      yield* forEachChunk(handle, path, (chunk) => {
        bytes += chunk.length
        return update(hasher, chunk)
      })
      return { sha256: hasher.digest("hex") as Sha256, bytes } satisfies FileDigest
    }),
  )

/** SHA-256 and size of a file's bytes (streamed). Links are not followed. */
export const digestFile = (path: string): Effect.Effect<FileDigest, FileFailed> =>
  digested(path, (hasher, chunk) => Effect.sync(() => void hasher.update(chunk)))

/** As `digestFile`; `use` is given each chunk while it is digested, in a buffer that is used again. */
export const digestWhile = <E>(
  path: string,
  use: (chunk: Uint8Array) => Effect.Effect<void, E>,
): Effect.Effect<FileDigest, E | FileFailed> =>
  digested(path, (hasher, chunk) =>
    Effect.gen(function* () {
      const using = yield* Effect.forkChild(use(chunk), { startImmediately: true })
      hasher.update(chunk)
      yield* Fiber.join(using)
    }),
  )

const copyFrom =
  (from: string): Fill<FileDigest> =>
  (handle, temporary) =>
    digestWhile(from, (chunk) => writeAll(handle, temporary, chunk))

/** Copies a file (streamed), whole or not at all; answers with the digest of the bytes that were copied. Links are not followed. */
export const copyFileDurably = (
  from: string,
  to: string,
  options: WriteOptions = {},
): Effect.Effect<FileDigest, FileFailed> => writeThrough(to, options.mode ?? 0o644, copyFrom(from), replaces)

/** Copies a file to a new one without flushing it: for what only this process needs. Links are not followed. */
export const copyFileForNow = (from: string, to: string): Effect.Effect<FileDigest, FileFailed> =>
  withHandle("create", to, newFlags, 0o600, (handle) => copyFrom(from)(handle, to))

/** As `copyFileDurably`, but fails with EEXIST, changing nothing, when there is something at the target. */
export const copyNewFileDurably = (
  from: string,
  to: string,
  options: WriteOptions = {},
): Effect.Effect<FileDigest, FileFailed> => writeThrough(to, options.mode ?? 0o644, copyFrom(from), createsOnly)
