import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Durable from "./durable-files.ts"
import * as FolderTree from "./folder-tree.ts"
import type { ObjectStore, ObjectStoreError, Store } from "./object-store.ts"
import * as SnapshotManifest from "./snapshot-manifest.ts"
import { openSnapshot, SnapshotDamaged } from "./snapshot-read.ts"

/** The place to restore to is not empty. */
export class RestoreRefused extends Schema.TaggedError<RestoreRefused>()("RestoreRefused", { folder: Schema.String }) {
  readonly notApplied = true
  override get message() {
    return `${this.folder} is not empty; restore into an empty or a new folder`
  }
}

/** What a verification proved. `restoreMillis` is the time that restoring took, where it was done, databases included. */
export const Verification = Schema.Struct({
  mode: SnapshotManifest.VerifyMode,
  objects: Schema.Int.annotate({ description: "files that were read back and compared" }),
  of: Schema.Int.annotate({ description: "files in the snapshot" }),
  bytes: Schema.Int,
  restoreMillis: Schema.optionalKey(Schema.Finite),
  databases: Schema.optionalKey(Schema.Array(SnapshotManifest.ProvedDatabase)),
}).annotate({ identifier: "SnapshotVerification" })
export type Verification = typeof Verification.Type

type Failure = SnapshotDamaged | ObjectStoreError | Durable.FileFailed

const parallel = { concurrency: 8 } as const

const restoreFile = (store: Store, snapshot: string, file: SnapshotManifest.SnapshotFile, into: string) =>
  Effect.gen(function* () {
    const target = join(into, file.path)
    yield* Durable.makeFolderDurably(dirname(target))
    const copied = yield* store.copyTo(SnapshotManifest.objectKey(snapshot, file.sha256), target)
    if (copied.sha256 !== file.sha256) {
      const problems = [`${file.path} has the digest ${copied.sha256}, the manifest says ${file.sha256}`]
      return yield* new SnapshotDamaged({ location: store.location, snapshot, problems })
    }
    yield* Durable.attempt("set the time of", target, () => Fs.utimes(target, file.mtime / 1000, file.mtime / 1000))
    yield* Durable.attempt("change the mode of", target, () => Fs.chmod(target, file.mode))
  })

/** Restores everything but links first: a link restored early could lead a later file elsewhere. */
const restoreAll = (store: Store, manifest: SnapshotManifest.Manifest, into: string) =>
  Effect.gen(function* () {
    const folders = manifest.targets.flatMap((target) => [
      { path: target.name, mode: 0o755 },
      ...target.folders.map((folder) => ({ ...folder, path: `${target.name}/${folder.path}` })),
    ])
    yield* Effect.forEach(folders, (folder) => Durable.makeFolderDurably(join(into, folder.path)))
    yield* Effect.forEach(
      SnapshotManifest.filesOf(manifest.targets),
      (file) => restoreFile(store, manifest.snapshot, file, into),
      { ...parallel, discard: true },
    )
    for (const target of manifest.targets) {
      for (const link of target.links) {
        const at = join(into, target.name, link.path)
        yield* Durable.attempt("create the link", at, () => Fs.symlink(link.target, at))
      }
    }
    for (const folder of folders.toReversed()) {
      const at = join(into, folder.path)
      yield* Durable.attempt("change the mode of", at, () => Fs.chmod(at, folder.mode))
      yield* Durable.syncFolder(at)
    }
  })

/** How a restored folder differs from the manifest, each difference named; empty when it is equal, file by file. */
export const differences = (
  manifest: SnapshotManifest.Manifest,
  folder: string,
): Effect.Effect<ReadonlyArray<string>, Durable.FileFailed> =>
  Effect.gen(function* () {
    const tree = yield* FolderTree.walk(folder)
    const wanted = new Map(SnapshotManifest.filesOf(manifest.targets).map((file) => [file.path, file]))
    const problems = tree.files.filter((path) => !wanted.has(path)).map((path) => `${path} is not in the snapshot`)
    const there = new Set(tree.files)
    const found = yield* Effect.forEach(
      wanted.values(),
      (file) =>
        Effect.gen(function* () {
          if (!there.has(file.path)) return [`${file.path} is missing`]
          const at = join(folder, file.path)
          const { sha256 } = yield* Durable.digestFile(at)
          if (sha256 !== file.sha256) return [`${file.path} has the digest ${sha256}, not ${file.sha256}`]
          const { mode } = yield* Durable.attempt("look at", at, () => Fs.lstat(at))
          return (mode & 0o777) === file.mode ? [] : [`${file.path} has another mode`]
        }),
      parallel,
    )
    const linkText = (link: { readonly path: string; readonly target: string }) => `${link.path} -> ${link.target}`
    const links = new Set(tree.links.map(linkText))
    const lost = manifest.targets
      .flatMap((target) => target.links.map((link) => linkText({ ...link, path: `${target.name}/${link.path}` })))
      .filter((text) => !links.has(text))
    return [...problems, ...found.flat(), ...lost.map((text) => `the link ${text} is missing`)]
  })

/**
 * Restores a snapshot into a folder that is empty or new, one sub-folder for each target, and proves that every file
 * has its digest and mode, and that there is nothing else.
 */
export const restore = (
  location: string,
  snapshot: string,
  into: string,
): Effect.Effect<SnapshotManifest.Manifest, Failure | RestoreRefused, ObjectStore> =>
  Effect.gen(function* () {
    const { store, manifest } = yield* openSnapshot(location, snapshot)
    yield* Durable.makeFolderDurably(into)
    const there = yield* Durable.attempt("list", into, () => Fs.readdir(into))
    if (there.length > 0) return yield* new RestoreRefused({ folder: into })
    yield* restoreAll(store, manifest, into)
    const problems = yield* differences(manifest, into)
    if (problems.length > 0) return yield* new SnapshotDamaged({ location: store.location, snapshot, problems })
    return manifest
  })

const digestAll = (store: Store, manifest: SnapshotManifest.Manifest) =>
  Effect.gen(function* () {
    const distinct = new Map(SnapshotManifest.filesOf(manifest.targets).map((file) => [file.sha256, file]))
    const found = yield* Effect.forEach(
      distinct.values(),
      (file) =>
        Effect.map(store.info(SnapshotManifest.objectKey(manifest.snapshot, file.sha256)), (info) => {
          if (Option.isNone(info)) return [`the object of ${file.path} is missing`]
          return info.value.sha256 === file.sha256
            ? []
            : [`the object of ${file.path} has the digest ${info.value.sha256}`]
        }),
      parallel,
    )
    return found.flat()
  })

/** A twentieth of the files, at least ten, chosen by their digests: always the same ones. */
const sampleOf = (manifest: SnapshotManifest.Manifest): SnapshotManifest.Manifest => {
  const all = SnapshotManifest.filesOf(manifest.targets).toSorted((x, y) => (x.sha256 < y.sha256 ? -1 : 1))
  const chosen = new Set(all.slice(0, Math.max(10, Math.ceil(all.length / 20))).map((file) => file.path))
  const targets = manifest.targets.map((target) => ({
    ...target,
    files: target.files.filter((file) => chosen.has(`${target.name}/${file.path}`)),
  }))
  return { ...manifest, targets }
}

const missingObjects = (store: Store, manifest: SnapshotManifest.Manifest) =>
  Effect.map(store.list(`${manifest.snapshot}/objects/`), (keys) => {
    const there = new Set(keys)
    return SnapshotManifest.filesOf(manifest.targets)
      .filter((file) => !there.has(SnapshotManifest.objectKey(manifest.snapshot, file.sha256)))
      .map((file) => `the object of ${file.path} is missing`)
  })

/** Removes a folder and what lies in it, also what nobody may write to. */
export const removeTree = (folder: string) =>
  Effect.gen(function* () {
    const tree = yield* FolderTree.walk(folder)
    for (const { path } of tree.folders)
      yield* Durable.attempt("open up", path, () => Fs.chmod(join(folder, path), 0o700))
    yield* Durable.attempt("remove", folder, () => Fs.rm(folder, { recursive: true, force: true }))
  })

/** Proves what only a service can read: the restored folder's copies of databases. */
type Prove<E, R> = (
  targets: ReadonlyArray<SnapshotManifest.SnapshotTarget>,
  folder: string,
) => Effect.Effect<ReadonlyArray<SnapshotManifest.ProvedDatabase>, E, R>

/**
 * Proves a snapshot by reading it back: `digest` every object, `sample-restore` and `full-restore` by restoring below
 * `scratch` and comparing, which is removed again; a full restore is also given to `prove`. Fails with `SnapshotDamaged`,
 * naming each thing that is wrong.
 */
export const verifySnapshot = <E = never, R = never>(
  location: string,
  snapshot: string,
  mode: SnapshotManifest.VerifyMode,
  scratch: string,
  prove?: Prove<E, R>,
): Effect.Effect<Verification, Failure | E, ObjectStore | R> =>
  Effect.gen(function* () {
    const { store, manifest } = yield* openSnapshot(location, snapshot)
    let databases: ReadonlyArray<SnapshotManifest.ProvedDatabase> = []
    const part = mode === "sample-restore" ? sampleOf(manifest) : manifest
    const began = yield* Clock.currentTimeMillis
    const problems = yield* mode === "digest"
      ? digestAll(store, manifest)
      : Effect.acquireUseRelease(
          Effect.sync(() => join(scratch, `verify-${crypto.randomUUID()}`)).pipe(
            Effect.tap((into) => Durable.makeFolderDurably(into)),
          ),
          (into) =>
            Effect.gen(function* () {
              const missing = yield* missingObjects(store, manifest)
              if (missing.length > 0) return missing
              yield* restoreAll(store, part, into)
              const found = yield* differences(part, into)
              if (found.length > 0 || mode !== "full-restore" || prove === undefined) return found
              databases = yield* prove(part.targets, into)
              return []
            }),
          (into) => Effect.ignore(removeTree(into)),
        )
    if (problems.length > 0) return yield* new SnapshotDamaged({ location: store.location, snapshot, problems })
    const files = SnapshotManifest.filesOf(part.targets)
    const counts = {
      mode,
      objects: files.length,
      of: manifest.objects,
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    }
    if (mode === "digest") return counts
    const restoreMillis = (yield* Clock.currentTimeMillis) - began
    return { ...counts, restoreMillis, ...(databases.length === 0 ? {} : { databases }) }
  })
