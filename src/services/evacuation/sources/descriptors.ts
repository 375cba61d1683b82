import * as Fs from "node:fs"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { FileFailed } from "../../durable-files.ts"
import { namesOf, shown } from "./plain-path.ts"

/**
 * Open files and folders. All are closed with the scope at the latest; one that is being read is closed after that, so
 * that nobody who gives up waiting reads from what is opened next.
 */
export interface Descriptors {
  readonly open: (path: string | Uint8Array, flags: number) => Effect.Effect<number, FileFailed>
  /** How many bytes were read. */
  readonly read: (fd: number, buffer: Uint8Array, position: number) => Effect.Effect<number, FileFailed>
  readonly close: (fd: number) => void
}

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = Fs.constants
/** Of Linux: the place, and nothing of what lies there; nothing happens to a device or a pipe. */
const O_PATH = 0o10000000

/** For what lies at a place that was opened; with `notLink` for a name. */
export const folderFlags = O_RDONLY | O_DIRECTORY | O_NONBLOCK
export const fileFlags = O_RDONLY | O_NONBLOCK
export const notLink = O_NOFOLLOW

const failed = (operation: string, path: string, cause: NodeJS.ErrnoException) =>
  new FileFailed({ path, operation, code: cause.code ?? "UNKNOWN", reason: cause.message })

/** Why something cannot be taken, by the code of the operating system. */
export const whyNot = ({ code, reason }: FileFailed): string =>
  ({
    EACCES: "permission denied",
    EPERM: "permission denied",
    ENOENT: "it is gone",
    ENOTDIR: "a folder on its way is no folder any more, or a link",
    ELOOP: "it is a link",
    EIO: "the disk reports an error",
    EMFILE: "too many files are open",
    ENFILE: "too many files are open on this machine",
  })[code] ?? reason

/** The path of what lies in an open folder, whatever became of the folder's own path; and of a descriptor itself. */
export const inFolder = (fd: number, name: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name])
export const itself = (fd: number): string => `/proc/self/fd/${fd}`

/** Descriptors that are closed with the scope. */
export const make: Effect.Effect<Descriptors, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const open = new Map<number, { reads: number }>()
      let isOver = false
      return { open, isOver: () => isOver, end: () => void (isOver = true) }
    }),
    ({ end, open }) =>
      Effect.sync(() => {
        end()
        for (const [fd, { reads }] of open) if (reads === 0) Fs.closeSync(fd)
      }),
  ),
  ({ isOver, open }) => ({
    open: (path, flags) =>
      Effect.callback((resume) => {
        Fs.open(path as string, flags, (cause, fd) => {
          if (cause) return resume(Effect.fail(failed("open", typeof path === "string" ? path : shown(path), cause)))
          if (isOver()) return Fs.closeSync(fd)
          open.set(fd, { reads: 0 })
          resume(Effect.succeed(fd))
        })
      }),
    read: (fd, buffer, position) =>
      Effect.callback((resume) => {
        const held = open.get(fd)
        if (held === undefined)
          return resume(
            Effect.fail(new FileFailed({ path: itself(fd), operation: "read", code: "EBADF", reason: "closed" })),
          )
        held.reads++
        Fs.read(fd, buffer, 0, buffer.length, position, (cause, count) => {
          held.reads--
          if (held.reads === 0 && (isOver() || !open.has(fd))) Fs.closeSync(fd)
          resume(cause ? Effect.fail(failed("read", itself(fd), cause)) : Effect.succeed(count))
        })
      }),
    close: (fd) => {
      const held = open.get(fd)
      open.delete(fd)
      if (held?.reads === 0) Fs.closeSync(fd)
    },
  }),
)

/** Opens the place of the last of these names below an open folder; none on the way may be a link. */
export const placeBelow = Effect.fnUntraced(function* (
  files: Descriptors,
  folder: number,
  names: ReadonlyArray<Uint8Array>,
) {
  let at = folder
  for (const [index, name] of names.entries()) {
    const isLast = index === names.length - 1
    const next = yield* files.open(inFolder(at, name), O_PATH | O_NOFOLLOW | (isLast ? 0 : O_DIRECTORY))
    if (at !== folder) files.close(at)
    at = next
  }
  return at
})

/**
 * Opens the place of an absolute path, however long; no name in it may be a link, save the last: whose place it is then.
 * What lies there is not touched.
 */
export const placeOf = Effect.fnUntraced(function* (files: Descriptors, path: Uint8Array) {
  // Most paths are short enough to be opened at once, and then it shows whether a link was followed.
  if (path.length < 4096) {
    const place = yield* files.open(path, O_PATH | O_NOFOLLOW)
    if (Fs.readlinkSync(itself(place), { encoding: "buffer" }).equals(path)) return place
    files.close(place)
  }
  const top = yield* files.open("/", O_PATH | O_DIRECTORY)
  const place = yield* placeBelow(files, top, namesOf(path))
  if (place !== top) files.close(top)
  return place
})
