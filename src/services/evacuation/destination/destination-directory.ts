import * as Fs from "node:fs/promises"
import { dirname, join, relative, sep } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Sha256 from "../../../domain/sha256.ts"
import * as Durable from "../../durable-files.ts"
import * as FileLock from "../../file-lock.ts"
import * as Bandwidth from "./bandwidth.ts"
import { type Destination, DestinationFailed } from "./destination.ts"
import { keyProblem } from "./destination-key.ts"
import * as DirectoryObjects from "./directory-objects.ts"
import { putBytes } from "./given-bytes.ts"
import * as PiecePermits from "./piece-permits.ts"

/** A folder as a rung of the ladder: a mounted or removable disk, or the sealed folder of this machine. */
export interface Place {
  readonly name: string
  /** Absolute. */
  readonly root: string
  readonly away: boolean
  /** Bytes a second. */
  readonly bandwidth?: number
  /** True where the rung asks for locks and takes nothing without. */
  readonly lockRequired?: boolean
}

const pieceBytes = 8 << 20
const pieces = 6
const keyBytes = 4096
const pointerName = "latest.json"
const lockName = ".latest.lock"
/** How long the pointer's lock is waited for. */
const patienceMillis = 5000

/** Opens a folder, which is made where it is missing. With a `probe` it is tried: written, read back, compared. */
export const open = (
  { away, bandwidth, lockRequired = false, name, root }: Place,
  probe?: { readonly key: string; readonly bytes: Uint8Array },
): Effect.Effect<Destination, DestinationFailed> => {
  const location = root
  const failed = (operation: string, key: string) => DirectoryObjects.failed(location, operation, key)
  const refuse = (operation: string, key: string, reason: string, refused: boolean) =>
    new DestinationFailed({ location, operation, key, reason, transient: false, refused })
  const pathOf = (key: string) => join(root, key)
  const checked = (operation: string, key: string) => {
    const reason = keyProblem(key, keyBytes)
    return reason === undefined ? Effect.void : Effect.fail(refuse(operation, key, reason, false))
  }
  const writing: DirectoryObjects.Writing = {
    location,
    pathOf,
    permits: PiecePermits.make(pieces),
    bandwidth: Bandwidth.make(bandwidth),
  }

  const confirm: Destination["confirm"] = ({ bytes, key, sha256 }) =>
    DirectoryObjects.digestOf(pathOf(key)).pipe(
      Effect.mapError(failed("confirm", key)),
      Effect.map((there) => {
        if (there === undefined) return { confirmed: false, reason: "it is not there" }
        if (there.bytes === bytes && there.sha256 === sha256) return { confirmed: true }
        return {
          confirmed: false,
          reason: `other bytes are there: ${there.bytes} bytes with the SHA-256 ${there.sha256}`,
        }
      }),
    )

  const get: Destination["get"] = (key) =>
    Durable.attempt("read", pathOf(key), () => Fs.readFile(pathOf(key))).pipe(
      Effect.map((bytes) => Option.some(new Uint8Array(bytes))),
      Effect.catchIf(
        ({ code }) => code === "ENOENT" || code === "ENOTDIR",
        () => Effect.succeedNone,
      ),
      Effect.mapError(failed("read", key)),
    )

  const list: Destination["list"] = (prefix) => {
    const folder = pathOf(prefix.slice(0, prefix.lastIndexOf("/") + 1))
    return Durable.attempt("list", folder, () => Fs.readdir(folder, { recursive: true, withFileTypes: true })).pipe(
      Effect.catchIf(
        ({ code }) => code === "ENOENT" || code === "ENOTDIR",
        () => Effect.succeed([]),
      ),
      Effect.map((entries) =>
        entries
          .filter((entry) => entry.isFile())
          .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
          .filter((key) => key.startsWith(prefix) && keyProblem(key, keyBytes) === undefined && key !== lockName)
          .toSorted(),
      ),
      Effect.mapError(failed("list", prefix)),
    )
  }

  const copy: Destination["copy"] = ({ key, sha256 }, to) =>
    Effect.gen(function* () {
      yield* checked("copy", to)
      const copied = yield* Durable.makeFolderDurably(dirname(pathOf(to))).pipe(
        Effect.andThen(Durable.copyFileDurably(pathOf(key), pathOf(to))),
        Effect.mapError(failed("copy", key)),
      )
      if (copied.sha256 !== sha256) return yield* refuse("copy", key, `it has the SHA-256 ${copied.sha256}`, true)
    })

  const pointer = Effect.map(
    get(pointerName),
    Option.map((bytes) => ({ bytes, tag: Sha256.of(bytes) as string })),
  )

  const movePointer: Destination["movePointer"] = (bytes, from) =>
    Effect.gen(function* () {
      yield* FileLock.acquireWithin(pathOf(lockName), patienceMillis).pipe(
        Effect.mapError((error) => refuse("move", pointerName, error.message, false)),
      )
      const now = Option.map(yield* pointer, ({ tag }) => tag)
      if (Option.getOrUndefined(now) !== Option.getOrUndefined(from)) return false
      yield* Effect.mapError(Durable.writeFileDurably(pathOf(pointerName), bytes), failed("move", pointerName))
      return true
    }).pipe(Effect.scoped)

  const destination: Destination = {
    name,
    location,
    away,
    readsBack: true,
    pieceBytes,
    put: (request) => Effect.andThen(checked("store", request.key), DirectoryObjects.put(writing, request)),
    confirm,
    get,
    list,
    copy,
    pointer,
    movePointer,
  }

  return Effect.gen(function* () {
    if (lockRequired) {
      return yield* refuse("try", "", "a folder cannot lock objects, which the rung requires; name a bucket", true)
    }
    yield* Effect.mapError(Durable.makeFolderDurably(root), failed("try", ""))
    if (probe === undefined) return destination
    const { bytes, key } = probe
    const object = { key, bytes: bytes.length, sha256: Sha256.of(bytes) }
    yield* putBytes(destination, key, bytes, false)
    const found = yield* confirm(object, "read")
    return found.confirmed ? destination : yield* refuse("try", key, found.reason, true)
  })
}
