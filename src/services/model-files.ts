import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Artifact } from "../domain/artifact.ts"
import * as Checksums from "../domain/checksums.ts"
import * as Signature from "../domain/model-signature.ts"
import { Segment } from "../domain/names.ts"
import * as Sha256 from "../domain/sha256.ts"
import { type ArtifactError, Artifacts } from "./artifacts.ts"
import * as Durable from "./durable-files.ts"
import type { Evidence, EvidenceError } from "./evidence.ts"
import * as FileLock from "./file-lock.ts"
import * as ModelSigning from "./model-signing.ts"
import { Settings } from "./settings.ts"
import { type PathRefused, Workspace } from "./workspace.ts"

/** A version that is no plain name, so that it could leave the root. */
export class VersionRefused extends Schema.TaggedError<VersionRefused>()("VersionRefused", { version: Schema.String }) {
  readonly notApplied = true
  override get message() {
    return `${JSON.stringify(this.version)} is no model version: it must be a plain name of letters, digits, '.', '-' and '_'`
  }
}

/** The folder of a version, published or still staged. `path` is absolute. */
export interface VersionFolder {
  readonly version: string
  readonly path: string
}

/**
 * What a check of a version's folder found: `differences` is empty when it holds exactly the files that are listed and
 * signed. `signer` is the SHA-256 of the public key that `model.sig` names, in PEM.
 */
export interface Verification extends VersionFolder {
  readonly list: Checksums.Checksums | undefined
  readonly signer: Sha256.Sha256 | undefined
  readonly differences: ReadonlyArray<Checksums.Difference>
}

type Failed = Durable.FileFailed | PathRefused

/**
 * The folders of model versions under `models_root`. A version is staged beside them under a hidden name and shows up
 * whole, by one rename. Published files are read-only.
 */
export class ModelFiles extends Context.Service<
  ModelFiles,
  {
    /** Only its holder stages and places. It is freed with the process, so that a leftover staging folder is nobody's. */
    readonly claim: Effect.Effect<void, Failed | FileLock.LockBusy | FileLock.LockFailed, Scope.Scope>
    /** Where a version lies or would lie. */
    readonly folder: (version: string) => Effect.Effect<VersionFolder, VersionRefused | PathRefused>
    readonly exists: (folder: VersionFolder) => Effect.Effect<boolean, Durable.FileFailed>
    /**
     * Keeps a version's folder where it is while it is read: nobody purges it until the scope closes. Several may read at
     * once. Where there is no folder, nothing is kept.
     */
    readonly reading: (
      version: string,
    ) => Effect.Effect<void, VersionRefused | PathRefused | FileLock.LockBusy | FileLock.LockFailed, Scope.Scope>
    /** Has a version's folder alone, or fails at once with `LockBusy` while somebody reads it. Its lock goes with it. */
    readonly alone: (
      version: string,
    ) => Effect.Effect<void, VersionRefused | PathRefused | FileLock.LockBusy | FileLock.LockFailed, Scope.Scope>
    /** Takes a version out of the published ones, by one rename; one that is out already stays so. Needs the claim. */
    readonly putAside: (version: string) => Effect.Effect<void, Failed | VersionRefused>
    /** Removes what was put aside of a version; durable on return. Needs the claim. */
    readonly removeAside: (version: string) => Effect.Effect<void, Failed | VersionRefused>
    /** Published versions by name. */
    readonly list: Effect.Effect<ReadonlyArray<string>, Failed>
    /** Removes what earlier attempts left staged; answers with the names. Needs the claim. */
    readonly sweep: Effect.Effect<ReadonlyArray<string>, Failed>
    /** A new, empty folder to put a version's files into. Needs the claim. */
    readonly stage: (version: string) => Effect.Effect<VersionFolder, Failed | VersionRefused>
    /** Puts a stored file at a path of the folder, checked against its digest, flushed. */
    readonly add: (
      folder: VersionFolder,
      path: string,
      file: Artifact,
    ) => Effect.Effect<void, Durable.FileFailed | ArtifactError>
    /** Writes the list of the files and the signature over what it lists and itself, flushed. `check` reads them back. */
    readonly seal: (
      folder: VersionFolder,
      list: Checksums.Checksums,
    ) => Effect.Effect<void, Durable.FileFailed | EvidenceError | ModelSigning.SigningFailed, Evidence>
    /** Every file of the folder, read and digested. What is no plain file has an empty digest. */
    readonly inspect: (folder: VersionFolder) => Effect.Effect<ReadonlyArray<Checksums.FoundFile>, Durable.FileFailed>
    readonly read: (folder: VersionFolder, path: string) => Effect.Effect<string, Durable.FileFailed>
    /** Reads a folder back and compares it with its list and its signature. */
    readonly check: (folder: VersionFolder) => Effect.Effect<Verification, Durable.FileFailed>
    /** Makes a staged version the published one, by one rename; fails when there is one. Needs the claim. */
    readonly place: (staged: VersionFolder) => Effect.Effect<VersionFolder, Failed | VersionRefused>
    /** Checks a published version: extra, missing, swapped and altered files are each named. */
    readonly verify: (version: string) => Effect.Effect<Verification, Failed | VersionRefused>
  }
>()("dandori/services/ModelFiles") {}

const stagingPrefix = ".staging-"
const asidePrefix = ".purging-"
const claimPatience = 30_000
const readPatience = 10_000
const isVersion = Schema.is(Segment)
const decodeList = Schema.decodeUnknownOption(Schema.fromJsonString(Checksums.Checksums))

const exists = (path: string) =>
  Durable.attempt("look at", path, () => Fs.lstat(path)).pipe(
    Effect.as(true),
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeed(false),
    ),
  )

const inspect: ModelFiles["Service"]["inspect"] = Effect.fn("ModelFiles.inspect")(function* (folder) {
  const entries = yield* Durable.attempt("read the folder", folder.path, () =>
    Fs.readdir(folder.path, { recursive: true, withFileTypes: true }),
  )
  const found: Array<Checksums.FoundFile> = []
  for (const entry of entries) {
    const absolute = join(entry.parentPath, entry.name)
    const path = absolute.slice(folder.path.length + 1)
    if (entry.isFile()) found.push({ path, ...(yield* Durable.digestFile(absolute)) })
    else if (!entry.isDirectory()) found.push({ path, sha256: "", bytes: 0 })
  }
  return found
})

const read: ModelFiles["Service"]["read"] = ({ path: folder }, path) =>
  Durable.attempt("read", join(folder, path), () => Fs.readFile(join(folder, path), "utf8"))

const textOf = (folder: VersionFolder, found: ReadonlyArray<Checksums.FoundFile>, name: string) =>
  found.some(({ path, sha256 }) => path === name && sha256 !== "")
    ? Effect.asSome(read(folder, name))
    : Effect.succeedNone

const invalid = (reason: string): Checksums.Difference => ({ kind: "invalid", reason })

/** Says of a file that has no text whether something else is there: a link, say. */
const absent = (found: ReadonlyArray<Checksums.FoundFile>, name: string): Checksums.Difference => ({
  kind: found.some(({ path }) => path === name) ? "altered" : "missing",
  path: name,
})

/** What the list says of the files that were found. */
const checkList = Effect.fnUntraced(function* (folder: VersionFolder, found: ReadonlyArray<Checksums.FoundFile>) {
  const text = yield* textOf(folder, found, Checksums.fileName)
  if (Option.isNone(text)) return { list: undefined, differences: [absent(found, Checksums.fileName)] }
  const list = Option.getOrUndefined(decodeList(text.value))
  if (list === undefined) {
    return { list, differences: [invalid(`${Checksums.fileName} is not readable as a list of checksums`)] }
  }
  const named = list.model_version === folder.version
  const other = named ? [] : [invalid(`${Checksums.fileName} is of version ${list.model_version}`)]
  return { list, differences: [...other, ...Checksums.verify(list, found)] }
})

/** What the signature says of the files that were found. One that does not hold says nothing of them. */
const checkSignature = Effect.fnUntraced(function* (
  home: string,
  folder: VersionFolder,
  found: ReadonlyArray<Checksums.FoundFile>,
) {
  const name = Checksums.signatureName
  const text = yield* textOf(folder, found, name)
  if (Option.isNone(text)) return { signer: undefined, differences: [absent(found, name)] }
  const opened = Signature.open(text.value)
  if (Option.isNone(opened)) return { signer: undefined, differences: [invalid(`${name} is no signature of a model`)] }
  const problem = yield* ModelSigning.problem(home, opened.value)
  const differences =
    problem === undefined
      ? Signature.verify(opened.value, folder.version, found)
      : [invalid(`${name} does not hold: ${problem}`)]
  return { signer: opened.value.hint, differences }
})

const check = (home: string): ModelFiles["Service"]["check"] =>
  Effect.fn("ModelFiles.check")(function* (folder) {
    const found = yield* inspect(folder)
    const { list, differences } = yield* checkList(folder, found)
    const signature = yield* checkSignature(home, folder, found)
    const known = new Set(differences.map(Checksums.describe))
    const more = signature.differences.filter((difference) => !known.has(Checksums.describe(difference)))
    return { ...folder, list, signer: signature.signer, differences: [...differences, ...more] }
  })

const make = Effect.gen(function* () {
  const workspace = yield* Workspace
  const { sections } = yield* Settings
  const artifacts = yield* Artifacts
  const root = workspace.resolve(sections.storage.models_root)

  const folder: ModelFiles["Service"]["folder"] = (version) =>
    isVersion(version)
      ? Effect.map(root, (path) => ({ version, path: join(path, version) }))
      : Effect.fail(new VersionRefused({ version }))

  const aside = (version: string) =>
    Effect.map(folder(version), ({ path }) => join(dirname(path), `${asidePrefix}${version}`))

  const removeAside: ModelFiles["Service"]["removeAside"] = Effect.fn("ModelFiles.removeAside")(function* (version) {
    const path = yield* aside(version)
    if (!(yield* exists(path))) return
    yield* Durable.attempt("remove", path, () => Fs.rm(path, { recursive: true }))
    yield* Durable.syncFolder(dirname(path))
  })

  const locked = (version: string, kind: "exclusive" | "shared") =>
    Effect.gen(function* () {
      const { path } = yield* folder(version)
      const lock = FileLock.acquireFolder(path, kind)
      yield* (kind === "shared" ? FileLock.patiently(lock, readPatience) : lock).pipe(
        Effect.catchIf(
          (error) => error._tag === "LockFailed" && error.code === "ENOENT",
          () => Effect.void,
        ),
      )
    })

  const names = Effect.flatMap(root, (path) =>
    Durable.attempt("read the folder", path, () => Fs.readdir(path, { withFileTypes: true })).pipe(
      Effect.map((entries) => entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)),
      Effect.catchIf(
        (error) => error.code === "ENOENT",
        () => Effect.succeed([]),
      ),
    ),
  )

  return ModelFiles.of({
    claim: Effect.gen(function* () {
      const path = yield* root
      yield* Durable.makeFolderDurably(path)
      yield* FileLock.acquireWithin(join(path, ".publish.lock"), claimPatience)
    }),
    folder,
    reading: (version) => locked(version, "shared"),
    alone: (version) => locked(version, "exclusive"),
    putAside: Effect.fn("ModelFiles.putAside")(function* (version) {
      const { path } = yield* folder(version)
      if (!(yield* exists(path))) return
      yield* removeAside(version)
      yield* Durable.renameDurably(path, yield* aside(version))
    }),
    removeAside,
    exists: ({ path }) => exists(path),
    list: Effect.map(names, (all) => all.filter((name) => isVersion(name)).toSorted()),
    sweep: Effect.gen(function* () {
      const path = yield* root
      const left = (yield* names).filter((name) => name.startsWith(stagingPrefix))
      for (const name of left) {
        yield* Durable.attempt("remove", join(path, name), () => Fs.rm(join(path, name), { recursive: true }))
      }
      return left
    }),
    stage: Effect.fn("ModelFiles.stage")(function* (version) {
      yield* folder(version)
      const path = join(yield* root, `${stagingPrefix}${version}-${crypto.randomUUID()}`)
      yield* Durable.makeFolderDurably(join(path, Checksums.receiptsFolder))
      return { version, path }
    }),
    add: Effect.fn("ModelFiles.add")(function* (to, path, file) {
      const target = join(to.path, path)
      yield* artifacts.copyTo(file.sha256, target)
      yield* Durable.attempt("change the mode of", target, () => Fs.chmod(target, 0o444))
      yield* Durable.fsyncFile(target)
    }),
    seal: Effect.fn("ModelFiles.seal")(function* (to, list) {
      const text = `${JSON.stringify(list, null, 2)}\n`
      yield* Durable.writeNewFileDurably(join(to.path, Checksums.fileName), text, { mode: 0o444 })
      const payload = Signature.payloadOf(to.version, [
        ...Object.entries(list.checksums).map(([path, sha256]) => ({ path, sha256, bytes: list.sizes[path] })),
        { path: Checksums.fileName, sha256: Sha256.of(text), bytes: Buffer.byteLength(text) },
      ])
      const { hint, signature } = yield* ModelSigning.sign(workspace.home, payload)
      const bundle = Signature.encode(payload, hint, signature)
      yield* Durable.writeNewFileDurably(join(to.path, Checksums.signatureName), bundle, { mode: 0o444 })
      yield* Durable.syncFolder(join(to.path, Checksums.receiptsFolder))
      yield* Durable.syncFolder(to.path)
    }),
    inspect,
    read,
    check: check(workspace.home),
    place: Effect.fn("ModelFiles.place")(function* (staged) {
      const target = yield* folder(staged.version)
      yield* Durable.renameDurably(staged.path, target.path)
      return target
    }),
    verify: (version) => Effect.flatMap(folder(version), check(workspace.home)),
  })
})

/** The folders under `storage.models_root`. */
export const layer: Layer.Layer<ModelFiles, never, Workspace | Settings | Artifacts> = Layer.effect(ModelFiles, make)
