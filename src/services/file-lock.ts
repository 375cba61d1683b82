import {
  constants,
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs"
import { constants as os } from "node:os"
import { dlopen, FFIType, read } from "bun:ffi"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { advice } from "./durable-files.ts"

/** Another process (or another part of this one) holds the lock. `pid` is the owner's, as far as it is known. */
export class LockBusy extends Schema.TaggedError<LockBusy>()("LockBusy", {
  path: Schema.String,
  pid: Schema.optionalKey(Schema.Int),
}) {
  readonly transient = true
  readonly notApplied = true
  override get message() {
    const owner = this.pid === undefined ? "another process" : `process ${this.pid}`
    return `The lock ${this.path} is held by ${owner}; wait for it to end, or end it: its lock is freed with it`
  }
}

/** The lock file could not be opened or locked. */
export class LockFailed extends Schema.TaggedError<LockFailed>()("LockFailed", {
  path: Schema.String,
  code: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    const known = this.code === "ENOENT" ? undefined : advice[this.code]
    const what = known ?? `${this.reason}; check that its folder exists, is writable and lies on a local disk`
    return `The lock ${this.path} cannot be taken: ${what} (${this.code})`
  }
}

/** A lock that is held: until its scope closes or the process ends, however it ends. */
export interface HeldLock {
  readonly path: string
}

const LOCK_SH = 1
const LOCK_EX = 2
const LOCK_NB = 4
const LOCK_UN = 8
const darwin = process.platform === "darwin"
const closeOnExec = darwin ? 0x1000000 : 0o2000000
/** The names of errors by their numbers; of two names for one the first. */
const errorNames = new Map(
  Object.entries(os.errno)
    .toReversed()
    .map(([name, errno]) => [errno, name] as const),
)

/** What a refusal of `flock(2)` means: "busy" when another open file has the lock, else the error's name. */
export const refusal = (errno: number): string =>
  errno === os.errno.EWOULDBLOCK || errno === os.errno.EAGAIN ? "busy" : (errorNames.get(errno) ?? `errno ${errno}`)

const openLibrary = () =>
  darwin
    ? dlopen("libSystem.B.dylib", {
        flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
        __error: { args: [], returns: FFIType.ptr },
      })
    : dlopen("libc.so.6", {
        flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
        __errno_location: { args: [], returns: FFIType.ptr },
      })
let library: ReturnType<typeof openLibrary> | undefined

/** Tries `flock(2)` on an open file: 0 when locked, "busy" when another open file has it, else the refusal's name. */
export const flock = (fd: number, kind: "exclusive" | "shared" = "exclusive"): 0 | string => {
  const { symbols } = (library ??= openLibrary())
  if (symbols.flock(fd, (kind === "shared" ? LOCK_SH : LOCK_EX) | LOCK_NB) === 0) return 0
  const location = "__error" in symbols ? symbols.__error() : symbols.__errno_location()
  return location === null ? "UNKNOWN" : refusal(read.i32(location))
}

/**
 * Gives a lock back, if it is held, and closes its file. Closing alone would leave it to a child that was being started
 * just then: until its exec, it has the open file too.
 */
const giveBack = (fd: number): void => {
  library?.symbols.flock(fd, LOCK_UN)
  closeSync(fd)
}

const alive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** The pid that stands in a lock file, where that process lives. */
export const ownerOf = (path: string): number | undefined => {
  try {
    const pid = Number(readFileSync(path, "utf8").trim())
    return Number.isInteger(pid) && pid > 0 && alive(pid) ? pid : undefined
  } catch {
    return undefined
  }
}

/**
 * Writes the owner's pid into its lock, for those who find it held, unless it stands there from the last time. The lock
 * is as good without: a disk may be full.
 */
const writeOwner = (fd: number, size: number): void => {
  const own = Buffer.from(`${process.pid}\n`)
  const there = Buffer.alloc(own.length)
  try {
    if (size === own.length && readSync(fd, there, 0, size, 0) === size && there.equals(own)) return
    if (size > 0) ftruncateSync(fd, 0)
    writeSync(fd, own, 0, own.length, 0)
  } catch {}
}

/** One try, synchronous, so that no interruption can come between the lock and its record. */
const tryLock = (path: string): number | LockBusy | LockFailed | "replaced" => {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | closeOnExec, 0o644)
  let kept = false
  try {
    const answer = flock(fd)
    if (answer === "EINTR") return "replaced"
    if (answer === "busy") {
      const pid = ownerOf(path)
      return new LockBusy({ path, ...(pid === undefined ? {} : { pid }) })
    }
    if (answer !== 0) return new LockFailed({ path, code: answer, reason: "the file system refuses flock" })
    const { ino, size } = fstatSync(fd)
    if (statSync(path, { throwIfNoEntry: false })?.ino !== ino) return "replaced"
    writeOwner(fd, size)
    kept = true
    return fd
  } finally {
    if (!kept) giveBack(fd)
  }
}

/**
 * Whether a lock file is held now, without keeping it. What cannot be looked at counts as held. A look holds a free
 * lock for a moment, so another look at the same time may find it held.
 */
export const look = (path: string): "held" | "free" | "missing" => {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | closeOnExec)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" ? "missing" : "held"
  }
  try {
    return flock(fd) === 0 ? "free" : "held"
  } finally {
    giveBack(fd)
  }
}

/** Removes a lock file that nobody holds; one that is taken meanwhile stays. */
export const removeFree = (path: string): void => {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | closeOnExec)
  } catch {
    return
  }
  try {
    if (flock(fd) === 0) rmSync(path, { force: true })
  } finally {
    giveBack(fd)
  }
}

/** Removes a lock file that has no more use. */
export const forget = (path: string): void => rmSync(path, { force: true })

/** As `tryLock`, of a folder that is there: it is the folder that is locked, under whatever name. */
const tryFolderLock = (path: string, kind: "exclusive" | "shared"): number | LockBusy | LockFailed | "replaced" => {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | closeOnExec)
  let kept = false
  try {
    const answer = flock(fd, kind)
    if (answer === "EINTR") return "replaced"
    if (answer === "busy") return new LockBusy({ path })
    if (answer !== 0) return new LockFailed({ path, code: answer, reason: "the file system refuses flock" })
    if (statSync(path, { throwIfNoEntry: false })?.ino !== fstatSync(fd).ino) return "replaced"
    kept = true
    return fd
  } finally {
    if (!kept) giveBack(fd)
  }
}

type Try = (path: string) => number | LockBusy | LockFailed | "replaced"

const take = (path: string, attempt: Try = tryLock): Effect.Effect<number, LockBusy | LockFailed> =>
  Effect.suspend(() => {
    try {
      const answer = attempt(path)
      if (answer === "replaced") return take(path, attempt)
      return typeof answer === "number" ? Effect.succeed(answer) : Effect.fail(answer)
    } catch (error) {
      const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "UNKNOWN"
      return Effect.fail(new LockFailed({ path, code, reason: error instanceof Error ? error.message : String(error) }))
    }
  })

/**
 * Takes the exclusive lock of a file, or fails at once when it is held. It is `flock(2)`: bound to the open file, so
 * the kernel frees it when the process ends, kill -9 included; children do not inherit it. The file stays for ever; it
 * names the pid of who holds it, or of who held it last.
 */
export const acquire = (path: string): Effect.Effect<HeldLock, LockBusy | LockFailed, Scope.Scope> =>
  Effect.acquireRelease(take(path), (fd) => Effect.sync(() => giveBack(fd))).pipe(Effect.as({ path }))

/**
 * Takes the lock of a folder that is there, or fails at once: `shared` beside others that share it, `exclusive` alone. The
 * lock goes with the folder when it is renamed. Fails with the code ENOENT where there is no folder.
 */
export const acquireFolder = (
  path: string,
  kind: "exclusive" | "shared",
): Effect.Effect<HeldLock, LockBusy | LockFailed, Scope.Scope> =>
  Effect.acquireRelease(
    take(path, (at) => tryFolderLock(at, kind)),
    (fd) => Effect.sync(() => giveBack(fd)),
  ).pipe(Effect.as({ path }))

/** As `acquire`, but waits for the holder, asking again at jittered intervals, for at most `patience` milliseconds. */
export const acquireWithin = (
  path: string,
  patience: number,
): Effect.Effect<HeldLock, LockBusy | LockFailed, Scope.Scope> => patiently(acquire(path), patience)

/** Asks again for a lock that is held, at jittered intervals, for at most `patience` milliseconds. */
export const patiently = (
  lock: Effect.Effect<HeldLock, LockBusy | LockFailed, Scope.Scope>,
  patience: number,
): Effect.Effect<HeldLock, LockBusy | LockFailed, Scope.Scope> =>
  lock.pipe(
    Effect.catchTag("LockBusy", () =>
      lock.pipe(
        Effect.retry({
          while: (error) => error._tag === "LockBusy",
          schedule: Schedule.min([Schedule.exponential(1), Schedule.spaced(50)]).pipe(
            Schedule.jittered,
            Schedule.upTo({ duration: patience }),
          ),
        }),
      ),
    ),
  )
