import * as Fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { FileFailed, attempt } from "../../durable-files.ts"
import * as Descriptors from "./descriptors.ts"
import { namesOf, shown } from "./plain-path.ts"

/** Something in a folder that is no folder itself. `path` is relative to the root. */
export interface Found {
  readonly path: Buffer
  readonly stats: Fs.BigIntStats
  readonly readable: boolean
  /** Where a link leads, as it says, and whether a folder is there. */
  readonly link?: { readonly target: Buffer; readonly toFolder: boolean }
}

/** What is told of a walk. Folders come after what else lies beside them; names in the order of their bytes. */
export interface Visitor<E> {
  readonly enters: (path: Buffer, stats: Fs.BigIntStats) => boolean
  readonly found: (batch: ReadonlyArray<Found>) => Effect.Effect<void, E>
  /** What could not be looked at; the root's path is empty. */
  readonly missed: (path: Buffer, reason: string) => Effect.Effect<void, E>
}

/** A walk, which may be interrupted, and the folders that it has not looked at, or not at all of, until now. */
export interface FolderWalk<E> {
  readonly run: Effect.Effect<void, E>
  readonly left: () => Generator<Buffer>
}

interface Opened {
  readonly fd: number
  readonly dev: bigint
  readonly ino: bigint
}

/** A folder on the way down. `length` is that of its path. */
interface Level {
  fd: number | undefined
  readonly dev: bigint
  readonly ino: bigint
  readonly length: number
  /** Folders in it that are still to be entered, the next one last. */
  folders: Array<Buffer>
  /** Not all that lies in it was looked at. */
  partly: boolean
}

const batchNames = 256
/** So many of the folders on the way down are kept open; the others are found again on the way up. */
const openLevels = 32
const parent = Buffer.from("..")

type Asked<A> = A | NodeJS.ErrnoException
const asked = <A>(ask: (answer: (cause: NodeJS.ErrnoException | null, value?: A) => void) => void): Promise<Asked<A>> =>
  new Promise((resolve) => ask((cause, value) => resolve(cause ?? (value as A))))

const look = async (path: Buffer): Promise<Asked<Omit<Found, "path">>> => {
  const stats = await asked<Fs.BigIntStats>((answer) => Fs.lstat(path, { bigint: true }, answer))
  if (stats instanceof Error) return stats
  if (stats.isSymbolicLink()) {
    const target = await asked<Buffer>((answer) => Fs.readlink(path, { encoding: "buffer" }, answer))
    if (target instanceof Error) return target
    const there = await asked<Fs.Stats>((answer) => Fs.stat(path, answer))
    return { stats, readable: true, link: { target, toFolder: !(there instanceof Error) && there.isDirectory() } }
  }
  // A mode that lets nobody out needs no question.
  if (!stats.isFile() || (stats.mode & 0o444n) === 0o444n) return { stats, readable: true }
  const refused = await asked<void>((answer) => Fs.access(path, Fs.constants.R_OK, answer))
  return { stats, readable: !(refused instanceof Error) }
}

const reasonOf = (cause: NodeJS.ErrnoException) =>
  Descriptors.whyNot(new FileFailed({ path: "", operation: "", code: cause.code ?? "", reason: cause.message }))

const joined = (folder: Buffer, name: Uint8Array): Buffer =>
  folder.length === 0 ? Buffer.from(name) : Buffer.concat([folder, Buffer.from("/"), name])

/**
 * A walk of the folder at an absolute path without links. Links in it are not followed, also not where a folder becomes
 * one meanwhile: each is opened from the descriptor of the one above, however long the path.
 */
export const make = Effect.fnUntraced(function* <E>(
  root: Uint8Array,
  visitor: Visitor<E>,
): Effect.fn.Return<FolderWalk<E>, never, Scope.Scope> {
  const files = yield* Descriptors.make
  const levels: Array<Level> = []
  let hasBegun = false
  let path: Buffer = Buffer.alloc(0)

  const opened = Effect.fnUntraced(function* (at: string | Uint8Array, flags: number) {
    const fd = yield* files.open(at, flags)
    const { dev, ino } = Fs.fstatSync(fd, { bigint: true })
    return { fd, dev, ino }
  })
  const listed = (fd: number) =>
    attempt("list", shown(path), () => Fs.promises.readdir(Descriptors.itself(fd), { encoding: "buffer" }))

  const push = ({ dev, fd, ino }: Opened, to: Buffer) => {
    path = to
    hasBegun = true
    levels.push({ fd, dev, ino, length: to.length, folders: [], partly: true })
    const far = levels.length - 1 - openLevels
    if (far <= 0 || levels[far].fd === undefined) return
    files.close(levels[far].fd)
    levels[far].fd = undefined
  }

  /** Looks at what lies in the folder that was entered last. */
  const lookAt = Effect.fnUntraced(function* (fd: number, names: ReadonlyArray<Buffer>) {
    const level = levels[levels.length - 1]
    const sorted = names.toSorted(Buffer.compare)
    for (let begin = 0; begin < sorted.length; begin += batchNames) {
      const batch = sorted.slice(begin, begin + batchNames)
      const answers = yield* Effect.promise(() =>
        Promise.all(batch.map((name) => look(Descriptors.inFolder(fd, name)))),
      )
      const found: Array<Found> = []
      for (const [index, answer] of answers.entries()) {
        const at = joined(path, batch[index])
        if (answer instanceof Error) yield* visitor.missed(at, reasonOf(answer))
        else if (!answer.stats.isDirectory()) found.push({ path: at, ...answer })
        else if (visitor.enters(at, answer.stats)) level.folders.push(batch[index])
      }
      yield* visitor.found(found)
    }
    level.folders.reverse()
    level.partly = false
  })

  const enter = Effect.fnUntraced(function* (folder: Result.Result<Opened, string>, at: Buffer) {
    levels.at(-1)?.folders.pop()
    if (Result.isFailure(folder)) return yield* visitor.missed(at, folder.failure)
    push(folder.success, at)
    const names = yield* Effect.result(listed(folder.success.fd))
    if (Result.isSuccess(names)) return yield* lookAt(folder.success.fd, names.success)
    levels[levels.length - 1].partly = false
    return yield* visitor.missed(at, Descriptors.whyNot(names.failure))
  })

  const openedIn = (above: Level, name: Buffer) =>
    above.fd === undefined
      ? Effect.succeed(Result.fail("the folder that it lies in was moved"))
      : opened(Descriptors.inFolder(above.fd, name), Descriptors.folderFlags | Descriptors.notLink).pipe(
          Effect.mapError(Descriptors.whyNot),
          Effect.result,
        )

  /** The folder above, where it was closed: as `..`, or by its path; None where that is another folder now. */
  const foundAgain = Effect.fnUntraced(function* (level: Level, below: number | undefined) {
    const isIt = ({ dev, fd, ino }: Opened) => {
      if (dev === level.dev && ino === level.ino) return true
      files.close(fd)
      return false
    }
    const byPath = Effect.gen(function* () {
      const names = namesOf(path.subarray(0, level.length))
      const place = yield* Descriptors.placeBelow(files, levels[0].fd as number, names)
      return yield* opened(Descriptors.itself(place), Descriptors.folderFlags)
    })
    const above =
      below === undefined
        ? byPath
        : Effect.catchIf(
            Effect.filterOrFail(opened(Descriptors.inFolder(below, parent), Descriptors.folderFlags), isIt),
            () => true,
            () => byPath,
          )
    return yield* Effect.option(Effect.filterOrFail(above, isIt))
  })

  const leave = Effect.fnUntraced(function* () {
    const left = levels.pop()
    const level = levels.at(-1)
    if (level !== undefined) {
      if (level.fd === undefined) level.fd = Option.getOrUndefined(yield* foundAgain(level, left?.fd))?.fd
      path = path.subarray(0, level.length)
    }
    if (left?.fd !== undefined) files.close(left.fd)
  })

  const run = Effect.gen(function* () {
    const top = yield* Descriptors.placeOf(files, root).pipe(
      Effect.flatMap((place) => opened(Descriptors.itself(place), Descriptors.folderFlags)),
      Effect.mapError((error) => (error.code === "ENOTDIR" ? "it is no folder" : Descriptors.whyNot(error))),
      Effect.result,
    )
    yield* enter(top, path)
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const name = level.folders.at(-1)
      if (name === undefined) yield* leave()
      else yield* enter(yield* openedIn(level, name), joined(path, name))
    }
  })
  return {
    run,
    left: function* () {
      if (!hasBegun) yield path
      for (const { folders, length, partly } of levels) {
        const at = path.subarray(0, length)
        if (partly) yield at
        for (const name of folders) yield joined(at, name)
      }
    },
  }
})
