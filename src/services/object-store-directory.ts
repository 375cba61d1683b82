import * as Fs from "node:fs/promises"
import { dirname, join, relative, resolve, sep } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Sha256 from "../domain/sha256.ts"
import * as Durable from "./durable-files.ts"
import {
  ObjectExists,
  ObjectStore,
  ObjectStoreError,
  type ObjectInfo,
  type PutOptions,
  type Store,
} from "./object-store.ts"
import { keyProblem } from "./object-store-key.ts"

const mode = 0o444

/** A store in a folder. An object is a file, read only; it appears whole or not at all. */
const make = (root: string): Store => {
  const location = pathToFileURL(root).href
  const failed = (key: string) => (error: Durable.FileFailed) =>
    new ObjectStoreError({ location, key, reason: error.message, transient: error.transient })
  const refuse = (key: string, reason: string) => new ObjectStoreError({ location, key, reason, transient: false })

  /** The file of a key. Links inside the store are not followed: they could lead out of it. */
  const fileOf = (key: string): Effect.Effect<string, ObjectStoreError> =>
    Effect.gen(function* () {
      const problem = keyProblem(key)
      if (problem !== undefined) return yield* refuse(key, problem)
      const file = join(root, key)
      let folder = root
      for (const part of key.split("/")) {
        folder = join(folder, part)
        const stat = yield* Durable.attempt("look at", folder, () => Fs.lstat(folder)).pipe(Effect.option)
        if (Option.isNone(stat)) break
        if (stat.value.isSymbolicLink())
          return yield* refuse(key, `${folder} is a symbolic link, which is not followed`)
      }
      return file
    })

  const stored = (key: string, file: string): Effect.Effect<Option.Option<ObjectInfo>, ObjectStoreError> =>
    Durable.digestFile(file).pipe(
      Effect.map((digest) => Option.some({ key, ...digest })),
      Effect.catchIf(
        (error) => error.code === "ENOENT" || error.code === "ENOTDIR",
        () => Effect.succeedNone,
      ),
      Effect.mapError(failed(key)),
    )

  /** Creates by `create` unless there is an object; the same bytes there are as good as created. */
  const place = (
    key: string,
    digest: Durable.FileDigest,
    { lock }: PutOptions,
    create: (file: string) => Effect.Effect<Durable.FileDigest, Durable.FileFailed>,
  ) =>
    Effect.gen(function* () {
      if (lock !== undefined) return yield* refuse(key, "a folder cannot lock an object; use a bucket with Object Lock")
      const file = yield* fileOf(key)
      const settle = (there: ObjectInfo) =>
        there.sha256 === digest.sha256
          ? Durable.syncFolder(dirname(file)).pipe(Effect.as(there), Effect.mapError(failed(key)))
          : Effect.fail(new ObjectExists({ location, key }))
      const before = yield* stored(key, file)
      if (Option.isSome(before)) return yield* settle(before.value)
      yield* Durable.makeFolderDurably(dirname(file)).pipe(Effect.mapError(failed(key)))
      const created = yield* create(file).pipe(
        Effect.asSome,
        Effect.catchIf(
          (error) => error.code === "EEXIST",
          () => Effect.succeedNone,
        ),
        Effect.mapError(failed(key)),
      )
      if (Option.isNone(created)) {
        const raced = yield* stored(key, file)
        return Option.isSome(raced)
          ? yield* settle(raced.value)
          : yield* refuse(key, "it was removed while it was read")
      }
      if (created.value.sha256 === digest.sha256) return { key, ...created.value } satisfies ObjectInfo
      yield* Effect.ignore(Durable.removeFileDurably(file))
      return yield* new ObjectStoreError({
        location,
        key,
        reason: "the source changed while it was being stored; nothing was kept, try again",
        transient: true,
      })
    })

  const put: Store["put"] = (key, bytes, options = {}) => {
    const digest = { sha256: Sha256.of(bytes), bytes: bytes.length }
    return place(key, digest, options, (file) => Effect.as(Durable.writeNewFileDurably(file, bytes, { mode }), digest))
  }

  const putFile: Store["putFile"] = (key, path, options = {}) =>
    Durable.digestFile(path).pipe(
      Effect.mapError(failed(key)),
      Effect.flatMap((digest) =>
        place(key, digest, options, (file) => Durable.copyNewFileDurably(path, file, { mode })),
      ),
    )

  const get: Store["get"] = (key) =>
    fileOf(key).pipe(
      Effect.flatMap((file) =>
        Durable.attempt("read", file, () => Fs.readFile(file)).pipe(Effect.mapError(failed(key))),
      ),
      Effect.map((bytes) => new Uint8Array(bytes)),
    )

  const copyTo: Store["copyTo"] = (key, path) =>
    fileOf(key).pipe(
      Effect.flatMap((file) => Durable.copyNewFileDurably(file, path).pipe(Effect.mapError(failed(key)))),
      Effect.map((digest) => ({ key, ...digest })),
    )

  const info: Store["info"] = (key) => Effect.flatMap(fileOf(key), (file) => stored(key, file))

  const list: Store["list"] = (prefix) => {
    const parent = prefix.slice(0, Math.max(0, prefix.lastIndexOf("/")))
    if (parent !== "" && keyProblem(parent) !== undefined) return Effect.succeed([])
    const folder = join(root, parent)
    return Durable.attempt("list", folder, () => Fs.readdir(folder, { recursive: true, withFileTypes: true })).pipe(
      Effect.catchIf(
        (error) => error.code === "ENOENT" || error.code === "ENOTDIR",
        () => Effect.succeed([]),
      ),
      Effect.map((entries) =>
        entries
          .filter((entry) => entry.isFile())
          .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
          .filter((key) => key.startsWith(prefix) && keyProblem(key) === undefined)
          .toSorted(),
      ),
      Effect.mapError(failed(prefix)),
    )
  }

  return { location, put, putFile, get, copyTo, info, list }
}

/** Opens a folder as store, by path or `file:` URL. */
export const open = (location: string): Effect.Effect<Store, ObjectStoreError> =>
  Effect.suspend(() => {
    if (/^[a-z][a-z0-9+.-]+:/i.test(location) && !location.startsWith("file:")) {
      const reason = "only folders (a path or a file: URL) can be opened here; configure the store for this scheme"
      return Effect.fail(new ObjectStoreError({ location, key: "", reason, transient: false }))
    }
    return Effect.try({
      try: () => make(resolve(location.startsWith("file:") ? fileURLToPath(location) : location)),
      catch: () =>
        new ObjectStoreError({ location, key: "", reason: "this is no file: URL of this machine", transient: false }),
    })
  })

/** Opens folders as stores. */
export const layer: Layer.Layer<ObjectStore> = Layer.succeed(ObjectStore, { open })
