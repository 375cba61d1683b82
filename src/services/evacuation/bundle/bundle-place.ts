import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, relative, sep } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Durable from "../../durable-files.ts"
import type { ObjectStoreError, Store } from "../../object-store.ts"

/** Something of a bundle cannot be read. */
export class PlaceFailed extends Schema.TaggedError<PlaceFailed>()("PlaceFailed", {
  location: Schema.String,
  path: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  readonly exitCode = 74
  override get message() {
    return `${this.location}${this.path === "" ? "" : `/${this.path}`} cannot be read: ${this.reason}`
  }
}

/** Where a bundle lies, for reading. Paths are the bundle's; what is not there is None. */
export interface BundlePlace {
  readonly location: string
  /** All that lies there but folders. */
  readonly list: Effect.Effect<ReadonlyArray<string>, PlaceFailed>
  readonly read: (path: string) => Effect.Effect<Option.Option<Uint8Array>, PlaceFailed>
  /** Reads every byte. */
  readonly digest: (path: string) => Effect.Effect<Option.Option<Durable.FileDigest>, PlaceFailed>
  /** A file of this machine with its bytes, for as long as the scope is open. */
  readonly file: (path: string) => Effect.Effect<Option.Option<string>, PlaceFailed, Scope.Scope>
}

const missing = new Set(["ENOENT", "ENOTDIR"])

/** A folder of this machine. Links in it are not followed. */
export const ofFolder = (root: string): BundlePlace => {
  const failed = (path: string) => (error: Durable.FileFailed) =>
    new PlaceFailed({
      location: root,
      path,
      reason: `${Durable.advice[error.code] ?? error.reason} (${error.code})`,
      cause: error,
    })
  const optional = <A>(path: string, effect: Effect.Effect<A, Durable.FileFailed>) =>
    effect.pipe(
      Effect.asSome,
      Effect.catchIf(
        ({ code }) => missing.has(code),
        () => Effect.succeedNone,
      ),
      Effect.mapError(failed(path)),
    )
  const at = (path: string) => join(root, path)
  return {
    location: root,
    list: Durable.attempt("list", root, () => Fs.readdir(root, { recursive: true, withFileTypes: true })).pipe(
      Effect.catchIf(
        ({ code }) => missing.has(code),
        () => Effect.succeed([]),
      ),
      Effect.map((entries) =>
        entries
          .filter((entry) => !entry.isDirectory())
          .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/")),
      ),
      Effect.mapError(failed("")),
    ),
    read: (path) =>
      optional(
        path,
        Effect.map(
          Durable.attempt("read", at(path), () => Fs.readFile(at(path))),
          (bytes) => new Uint8Array(bytes),
        ),
      ),
    digest: (path) => optional(path, Durable.digestFile(at(path))),
    file: (path) =>
      optional(
        path,
        Effect.map(
          Durable.attempt("look at", at(path), () => Fs.lstat(at(path))),
          () => at(path),
        ),
      ),
  }
}

/** A bucket below a prefix, or another store of objects. */
export const ofStore = (store: Store): BundlePlace => {
  const { location } = store
  const failed = (path: string) => (error: ObjectStoreError | Durable.FileFailed) =>
    new PlaceFailed({
      location,
      path,
      reason: error._tag === "ObjectStoreError" ? error.reason : error.message,
      cause: error,
    })
  const ifThere = <A, R>(path: string, effect: Effect.Effect<A, PlaceFailed, R>) =>
    Effect.flatMap(Effect.mapError(store.list(path), failed(path)), (keys) =>
      keys.includes(path) ? Effect.asSome(effect) : Effect.succeedNone,
    )
  const folder = Effect.acquireRelease(
    Durable.attempt("make a folder in", tmpdir(), () => Fs.mkdtemp(join(tmpdir(), "dandori-bundle-"))),
    (path) => Effect.ignore(Durable.attempt("remove", path, () => Fs.rm(path, { recursive: true, force: true }))),
  )
  return {
    location,
    list: Effect.mapError(store.list(""), failed("")),
    read: (path) => ifThere(path, Effect.mapError(store.get(path), failed(path))),
    digest: (path) =>
      store
        .info(path)
        .pipe(
          Effect.map(Option.map(({ bytes, sha256 }): Durable.FileDigest => ({ bytes, sha256 }))),
          Effect.mapError(failed(path)),
        ),
    file: (path) =>
      ifThere(
        path,
        Effect.gen(function* () {
          const copy = join(yield* folder, "copy")
          yield* store.copyTo(path, copy)
          return copy
        }).pipe(Effect.mapError(failed(path))),
      ),
  }
}
