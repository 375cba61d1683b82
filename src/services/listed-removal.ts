import * as Fs from "node:fs/promises"
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Sha256 } from "../domain/sha256.ts"
import * as Durable from "./durable-files.ts"

/** A file by its path (relative to the project, or absolute) and the digest that it must have to be removed. */
export const ListedFile = Schema.Struct({ path: Schema.String, sha256: Sha256 }).annotate({ identifier: "ListedFile" })
export type ListedFile = typeof ListedFile.Type

/** What is to be removed and what is left alone, and why. Paths are absolute. Written down before the first removal. */
export const Removal = Schema.Struct({
  remove: Schema.Array(Schema.Struct({ path: Schema.String, sha256: Sha256, bytes: Schema.Int })),
  leave: Schema.Array(Schema.Struct({ path: Schema.String, reason: Schema.String })),
})
export type Removal = typeof Removal.Type

/** A listed path may not be removed at all. Nothing was removed. */
export class RemovalRefused extends Schema.TaggedError<RemovalRefused>()("RemovalRefused", {
  path: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `${this.path} is refused, nothing was removed: ${this.reason}`
  }
}

/** A folder that files may be removed from: as configured, and with links followed. Both absolute. */
export interface Root {
  readonly given: string
  readonly real: string
}

const below = (path: string, folder: string): string | undefined => {
  const rest = relative(folder, path)
  return rest === "" || rest === ".." || rest.startsWith(`..${sep}`) || isAbsolute(rest) ? undefined : rest
}

/** Where a listed path lies below one of the roots. Purely lexical. */
const placeOf = (path: string, project: string, roots: ReadonlyArray<Root>) => {
  if (path.split(/[/\\]/).includes("..")) return new RemovalRefused({ path, reason: "the path holds '..'" })
  if (path.includes("\0")) return new RemovalRefused({ path, reason: "the path holds a NUL" })
  const full = resolve(project, path)
  for (const root of roots) {
    const rest = below(full, root.given) ?? below(full, root.real)
    if (rest !== undefined) return { root, rest }
  }
  return new RemovalRefused({ path, reason: "it does not lie below a root of the storage section that may be cleaned" })
}

const optional = <A>(effect: Effect.Effect<A, Durable.FileFailed>) =>
  effect.pipe(
    Effect.asSome,
    Effect.catchIf(
      (error) => error.code === "ENOENT" || error.code === "ENOTDIR",
      () => Effect.succeedNone,
    ),
  )

/** Why a file is left, or its size. No link between the root and the file is followed. */
const judge = (root: Root, rest: string, sha256: string): Effect.Effect<string | number, Durable.FileFailed> =>
  Effect.gen(function* () {
    let at = root.real
    for (const part of rest.split(sep)) {
      at = join(at, part)
      const stat = yield* optional(Durable.attempt("look at", at, () => Fs.lstat(at)))
      if (Option.isNone(stat)) return "it is not there"
      if (stat.value.isSymbolicLink()) return `${at === join(root.real, rest) ? "it" : at} is a symbolic link`
      if (at === join(root.real, rest) && !stat.value.isFile()) return "it is not a file"
    }
    const digest = yield* Durable.digestFile(at)
    return digest.sha256 === sha256 ? digest.bytes : `its digest is ${digest.sha256}, ${sha256} is listed`
  })

const byPath = (x: { readonly path: string }, y: { readonly path: string }) => (x.path < y.path ? -1 : 1)

/**
 * Decides about each listed file, changing nothing. Fails when a path leaves the roots. Files beside the listed ones
 * are named among those that are left.
 */
export const plan = (
  files: ReadonlyArray<ListedFile>,
  project: string,
  roots: ReadonlyArray<Root>,
): Effect.Effect<Removal, RemovalRefused | Durable.FileFailed> =>
  Effect.gen(function* () {
    const wanted = new Map<string, { readonly root: Root; readonly rest: string; readonly digests: Set<Sha256> }>()
    for (const file of files) {
      const place = placeOf(file.path, project, roots)
      if (place instanceof RemovalRefused) return yield* place
      const full = join(place.root.real, place.rest)
      const before = wanted.get(full)
      if (before) before.digests.add(file.sha256)
      else wanted.set(full, { ...place, digests: new Set([file.sha256]) })
    }
    const remove: Array<Removal["remove"][number]> = []
    const leave: Array<Removal["leave"][number]> = []
    for (const [path, { root, rest, digests }] of wanted) {
      const [sha256, second] = digests
      const answer = second === undefined ? yield* judge(root, rest, sha256) : "it is listed with two digests"
      if (typeof answer === "number") remove.push({ path, sha256, bytes: answer })
      else leave.push({ path, reason: answer })
    }
    for (const folder of new Set(remove.map((file) => dirname(file.path)))) {
      const names = yield* Durable.attempt("list", folder, () => Fs.readdir(folder))
      for (const name of names) {
        const path = join(folder, name)
        if (!wanted.has(path)) leave.push({ path, reason: "it is not listed" })
      }
    }
    return { remove: remove.toSorted(byPath), leave: leave.toSorted(byPath) }
  })

/** True when every file of a plan is gone. */
export const isDone = (removal: Removal): Effect.Effect<boolean, Durable.FileFailed> =>
  Effect.map(
    Effect.forEach(removal.remove, ({ path }) => optional(Durable.attempt("look at", path, () => Fs.lstat(path)))),
    (stats) => stats.every(Option.isNone),
  )

/**
 * Removes what a plan names. A file that is gone already was removed by an earlier attempt; one whose bytes have
 * changed since the plan is left, and named in the answer.
 */
export const carryOut = (removal: Removal): Effect.Effect<Removal, Durable.FileFailed> =>
  Effect.gen(function* () {
    const changed: Array<Removal["leave"][number]> = []
    for (const { path, sha256 } of removal.remove) {
      const digest = yield* optional(Durable.digestFile(path)).pipe(
        Effect.catchIf(
          (error) => error.code === "ELOOP" || error.code === "EISDIR",
          () => Effect.succeedSome({ sha256: "", bytes: 0 }),
        ),
      )
      if (Option.isNone(digest)) continue
      if (digest.value.sha256 === sha256) yield* Durable.removeFileDurably(path)
      else changed.push({ path, reason: "it was replaced by something else before it was removed" })
    }
    if (changed.length === 0) return removal
    const left = new Set(changed.map((file) => file.path))
    return {
      remove: removal.remove.filter((file) => !left.has(file.path)),
      leave: [...removal.leave, ...changed].toSorted(byPath),
    }
  })

const text = Schema.fromJsonString(Removal)
const decode = Schema.decodeUnknownOption(text)
const encode = Schema.encodeSync(text)

/** Writes a plan down, over an earlier one; durable on return. */
export const writePlan = (path: string, removal: Removal): Effect.Effect<void, Durable.FileFailed> =>
  Durable.makeFolderDurably(dirname(path)).pipe(Effect.andThen(Durable.writeFileDurably(path, encode(removal))))

/** The plan that was written down; None when there is none. */
export const readPlan = (path: string): Effect.Effect<Option.Option<Removal>, Durable.FileFailed> =>
  Effect.map(optional(Durable.attempt("read", path, () => Fs.readFile(path, "utf8"))), Option.flatMap(decode))

const manifestText = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ files: Schema.Array(ListedFile) })),
)

/** The files that a manifest lists: JSON with `files: [{ path, sha256 }]`; other keys are ignored. */
export const readManifest = (
  path: string,
): Effect.Effect<ReadonlyArray<ListedFile>, RemovalRefused | Durable.FileFailed> =>
  Effect.gen(function* () {
    const manifest = manifestText(yield* Durable.attempt("read", path, () => Fs.readFile(path, "utf8")))
    if (Option.isSome(manifest)) return manifest.value.files
    return yield* new RemovalRefused({
      path,
      reason: "it is no manifest; it must be JSON with files: [{ path, sha256 }]",
    })
  })
