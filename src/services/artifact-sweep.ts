import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Durable from "./durable-files.ts"
import * as FileLock from "./file-lock.ts"

/** An artifact as it lies in its folder. `time` is when it was put last, milliseconds since the epoch. */
export interface Stored {
  readonly sha256: string
  readonly bytes: number
  readonly time: number
}

/** What a sweep came to: what it removed, and what is marked, to go once it was unnamed long enough. */
export interface Swept {
  readonly removed: number
  readonly bytes: number
  readonly marked: number
}

const prefix = /^[0-9a-f]{2}$/
const rest = /^[0-9a-f]{62}$/
const digest = /^[0-9a-f]{64}$/

const namesIn = (folder: string) =>
  Durable.attempt("list", folder, () => Fs.readdir(folder)).pipe(
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeed<ReadonlyArray<string>>([]),
    ),
  )

/** What a path holds; undefined where there is nothing. */
const look = (path: string) =>
  Durable.attempt("look at", path, () => Fs.lstat(path)).pipe(
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.undefined,
    ),
  )

const removeFile = (path: string) => Durable.attempt("remove", path, () => Fs.rm(path, { force: true }))

/** The artifacts below `root`. */
export const list = Effect.fn("ArtifactSweep.list")(function* (root: string) {
  const found: Array<Stored> = []
  for (const folder of (yield* namesIn(join(root, "sha256"))).filter((name) => prefix.test(name))) {
    for (const name of (yield* namesIn(join(root, "sha256", folder))).filter((name) => rest.test(name))) {
      const stat = yield* look(join(root, "sha256", folder, name))
      if (stat?.isFile()) found.push({ sha256: `${folder}${name}`, bytes: stat.size, time: stat.mtimeMs })
    }
  }
  return found
})

/** Removes an artifact that nobody has put since `before`; false where somebody has, or puts something beside it now. */
const removeOne = (root: string, sha256: string, before: number) =>
  Effect.gen(function* () {
    const folder = join(root, "sha256", sha256.slice(0, 2))
    const path = join(folder, sha256.slice(2))
    yield* FileLock.acquireFolder(folder, "exclusive")
    const stat = yield* look(path)
    if (stat === undefined || stat.mtimeMs >= before) return false
    yield* Durable.removeFileDurably(path)
    return true
  }).pipe(
    Effect.scoped,
    Effect.catchTags({ LockBusy: () => Effect.succeed(false), LockFailed: () => Effect.succeed(false) }),
  )

/**
 * Removes artifacts below `root` that nothing names, and only what was unnamed for long: when a sweep first finds it
 * unnamed it is marked, and it goes with a later one if it is still unnamed, and was marked and put last before `before`
 * (milliseconds since the epoch). So who has read its name a moment ago, from a run that was purged since, or puts it and
 * names it later, finds it there: a put renews its time, and no put and no removal in one folder are at the same time. What
 * a dead process left half-copied goes too.
 */
export const sweep = Effect.fn("ArtifactSweep.sweep")(function* (
  root: string,
  stored: ReadonlyArray<Stored>,
  named: ReadonlySet<string>,
  { before, now }: { readonly before: number; readonly now: number },
) {
  const marks = join(root, "unnamed")
  yield* Durable.makeFolderDurably(marks)
  const marked = new Map<string, number>()
  for (const name of (yield* namesIn(marks)).filter((name) => digest.test(name))) {
    const text = yield* Durable.attempt("read", join(marks, name), () => Fs.readFile(join(marks, name), "utf8"))
    marked.set(name, Number(text) || now)
  }
  const swept = { removed: 0, bytes: 0, marked: 0 }
  const unnamed = new Set<string>()
  for (const { bytes, sha256, time } of stored) {
    if (named.has(sha256) || time >= before) continue
    const since = marked.get(sha256)
    if (since !== undefined && since < before && (yield* removeOne(root, sha256, before))) {
      swept.removed++
      swept.bytes += bytes
      continue
    }
    unnamed.add(sha256)
    swept.marked++
    if (since === undefined) yield* Durable.writeFileDurably(join(marks, sha256), String(now))
  }
  for (const sha256 of marked.keys()) if (!unnamed.has(sha256)) yield* removeFile(join(marks, sha256))
  const incoming = join(root, "incoming")
  for (const name of yield* namesIn(incoming)) {
    const stat = yield* look(join(incoming, name))
    if (stat !== undefined && stat.mtimeMs < before) yield* removeFile(join(incoming, name))
  }
  return swept satisfies Swept
})

/** When the artifacts below `root` were swept last, milliseconds since the epoch; 0 where they never were, or nobody can tell. */
export const lastSwept = (root: string) =>
  Durable.attempt("read", join(root, "swept"), () => Fs.readFile(join(root, "swept"), "utf8")).pipe(
    Effect.map((text) => Number(text) || 0),
    Effect.orElseSucceed(() => 0),
  )

/** Notes when the artifacts below `root` were swept. */
export const noteSwept = (root: string, now: number) => Durable.writeFileDurably(join(root, "swept"), String(now))
