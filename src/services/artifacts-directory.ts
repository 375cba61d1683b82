import { constants, lstatSync, readFileSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Artifact } from "../domain/artifact.ts"
import * as Sha256 from "../domain/sha256.ts"
import { ArtifactError, Artifacts } from "./artifacts.ts"
import * as Durable from "./durable-files.ts"
import * as FileLock from "./file-lock.ts"

const hex = /^[0-9a-f]{64}$/

/** Bytes that are put again have their time renewed, unless it is younger than so many milliseconds. */
const young = 3_600_000

/** How long a put waits for a sweep that looks at one of the artifacts beside it, milliseconds. */
const patience = 10_000

/** Files up to so many bytes are read at once. */
const smallFile = 64 * 1024

const pathIn = (root: string, sha256: string): string => join(root, "sha256", sha256.slice(0, 2), sha256.slice(2))

/** The text of an artifact below `root` as it lies there, for those who only look: its digest is not checked. */
export const text = (root: string, sha256: Sha256.Sha256): Effect.Effect<string, Durable.FileFailed> =>
  Durable.attempt("read", pathIn(root, sha256), () => Fs.readFile(pathIn(root, sha256), "utf8"))

const make = (root: string): Artifacts["Service"] => {
  const pathOf = (sha256: string) => {
    if (!hex.test(sha256)) throw new RangeError(`${JSON.stringify(sha256)} is no SHA-256 digest`)
    return pathIn(root, sha256)
  }
  const incoming = join(root, "incoming")
  const failed = (sha256: string) => (error: Durable.FileFailed | FileLock.LockBusy | FileLock.LockFailed) =>
    new ArtifactError({ sha256, reason: error.message, cause: error })
  const known = (sha256: string) =>
    hex.test(sha256)
      ? Effect.succeed(pathOf(sha256))
      : Effect.fail(new ArtifactError({ sha256, reason: "this is no SHA-256 digest (64 hexadecimal digits)" }))

  /** Artifacts whose entry in their folder this process has flushed, or knows to be flushed. */
  const settled = new Set<string>()

  const digestOf = (path: string, bytes: number) =>
    bytes <= smallFile
      ? Durable.attemptNow("read", path, () =>
          Sha256.of(readFileSync(path, { flag: constants.O_RDONLY | constants.O_NOFOLLOW })),
        )
      : Effect.map(Durable.digestFile(path), ({ sha256 }) => sha256)

  /** While something is put into its folder, no sweep removes anything there. */
  const whileNotSwept = <A, E>(path: string, put: Effect.Effect<A, E>) => {
    const lock = FileLock.patiently(FileLock.acquireFolder(dirname(path), "shared"), patience)
    return Effect.scoped(Effect.andThen(lock, put))
  }

  /** Whether the bytes are there, and will be: a sweep takes them for what somebody is about to name. */
  const holds = (path: string, sha256: string, bytes: number) =>
    Effect.gen(function* () {
      const stat = yield* Durable.attemptNow("look at", path, () => lstatSync(path))
      if (!stat.isFile() || stat.size !== bytes) return false
      if ((yield* digestOf(path, bytes)) !== sha256) return false
      const now = Date.now()
      if (now - stat.mtimeMs >= young) {
        yield* whileNotSwept(path, Durable.renewTime(path))
      }
      if (!settled.has(path)) yield* Durable.syncFolder(dirname(path))
      settled.add(path)
      return true
    }).pipe(Effect.orElseSucceed(() => false))

  /** Writes below a folder that is made when it turns out to be missing. */
  const inFolder = (path: string, write: Effect.Effect<void, Durable.FileFailed>) =>
    whileNotSwept(path, write).pipe(
      Effect.catchIf(
        (error) => "code" in error && error.code === "ENOENT",
        () => Effect.andThen(Durable.makeFolderDurably(dirname(path)), whileNotSwept(path, write)),
      ),
    )

  const put: Artifacts["Service"]["put"] = Effect.fn("Artifacts.put")(function* (name, mediaType, data) {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data
    const sha256 = Sha256.of(bytes)
    const path = pathOf(sha256)
    if (!(yield* holds(path, sha256, bytes.length))) {
      yield* inFolder(path, Durable.writeFileDurably(path, bytes, { mode: 0o444 })).pipe(
        Effect.mapError(failed(sha256)),
      )
    }
    return { name, sha256, bytes: bytes.length, mediaType } satisfies Artifact
  })

  const putFile: Artifacts["Service"]["putFile"] = Effect.fn("Artifacts.putFile")(
    function* (name, mediaType, from) {
      yield* Durable.makeFolderDurably(incoming)
      const staged = join(incoming, crypto.randomUUID())
      const copied = yield* Durable.copyFileDurably(from, staged, { mode: 0o444 })
      const path = pathOf(copied.sha256)
      yield* Effect.gen(function* () {
        if (yield* holds(path, copied.sha256, copied.bytes)) {
          yield* Durable.attempt("remove", staged, () => Fs.unlink(staged))
        } else {
          yield* inFolder(path, Durable.renameDurably(staged, path))
        }
      }).pipe(Effect.onError(() => Effect.ignore(Durable.attempt("remove", staged, () => Fs.unlink(staged)))))
      return { name, sha256: copied.sha256, bytes: copied.bytes, mediaType } satisfies Artifact
    },
    (effect, _name, _mediaType, from) =>
      Effect.mapError(
        effect,
        (error) => new ArtifactError({ sha256: `of ${from}`, reason: error.message, cause: error }),
      ),
  )

  const damaged = (sha256: string, actual: string) =>
    new ArtifactError({
      sha256,
      reason: `the stored bytes have the digest ${actual.slice(0, 12)}…; store them again from their source`,
    })

  const get: Artifacts["Service"]["get"] = Effect.fn("Artifacts.get")(function* (sha256) {
    const path = yield* known(sha256)
    const bytes = yield* Durable.attempt("read", path, () => Fs.readFile(path)).pipe(Effect.mapError(failed(sha256)))
    const actual = Sha256.of(bytes)
    return actual === sha256 ? new Uint8Array(bytes) : yield* damaged(sha256, actual)
  })

  const copyTo: Artifacts["Service"]["copyTo"] = Effect.fn("Artifacts.copyTo")(function* (sha256, to) {
    const from = yield* known(sha256)
    yield* Durable.fillNewFileDurably(to, (write) =>
      Effect.flatMap(Durable.digestWhile(from, write), (stored) =>
        stored.sha256 === sha256 ? Effect.void : Effect.fail(damaged(sha256, stored.sha256)),
      ),
    ).pipe(Effect.mapError((error) => (error instanceof ArtifactError ? error : failed(sha256)(error))))
  })

  const has: Artifacts["Service"]["has"] = (sha256) =>
    known(sha256).pipe(
      Effect.andThen(Durable.digestFile),
      Effect.map((stored) => stored.sha256 === sha256),
      Effect.orElseSucceed(() => false),
    )

  return { put, putFile, get, copyTo, has, pathOf }
}

/** Artifacts in a folder: `<root>/sha256/ab/cdef…`, mode 0444. Damaged bytes are replaced by the next `put` of the same. */
export const layer = (root: string): Layer.Layer<Artifacts> => Layer.succeed(Artifacts, make(resolve(root)))
