import * as Fs from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { FileFailed, attemptNow, makeFolderDurably } from "./durable-files.ts"

/**
 * A file that only grows, with group commit: lines are buffered, written in order, and all that stand before a
 * flush share it.
 *
 *   append ──buffer──> write ──(someone waits, or the interval is over)──> fdatasync ──> waiters resume
 */
export interface AppendFile {
  /** Buffers text and starts to write it soon; returns the end of the file after it. Never blocks. */
  readonly append: (text: string) => number
  /** Succeeds once the file is durable up to `end`. */
  readonly flushed: (end: number) => Effect.Effect<void, FileFailed>
  /** End of the file with all that was appended. */
  readonly end: () => number
  /** The end of what is known to be durable. */
  readonly synced: () => number
  /** Flushes done so far. */
  readonly flushes: () => number
  /** Waits until the file can take no more, for ever where that never comes. */
  readonly broken: Effect.Effect<FileFailed>
}

interface Waiter {
  readonly end: number
  readonly resume: (exit: Effect.Effect<void, FileFailed>) => void
}

const failed = (operation: string, path: string, cause: NodeJS.ErrnoException): FileFailed =>
  new FileFailed({ path, operation, code: cause.code ?? "UNKNOWN", reason: cause.message })

/** F_FULLFSYNC where the platform has it (Bun's fsync on macOS), fdatasync elsewhere. */
const flush = process.platform === "darwin" ? Fs.fsync : Fs.fdatasync

/** An open file. `folder` is its folder, open, where the file is new. */
interface Opened {
  readonly fd: number
  readonly size: number
  readonly folder: number | undefined
}

const make = (
  path: string,
  { fd, folder, size }: Opened,
  intervalMillis: number,
): AppendFile & { close: () => Effect.Effect<void, FileFailed> } => {
  let unflushedFolder = folder
  let buffer: Array<string> = []
  let end = size
  let written = size
  let synced = size
  let flushes = 0
  let busy = false
  let timer: ReturnType<typeof setTimeout> | undefined
  /** What was there when the interval was over: durable next, waited for or not. */
  let owed = 0
  let queued = false
  let broken: FileFailed | undefined
  let waiters: Array<Waiter> = []
  const watchers = new Set<(error: FileFailed) => void>()

  const settle = () => {
    const ready = waiters.filter((waiter) => broken !== undefined || waiter.end <= synced)
    if (ready.length === 0) return
    waiters = waiters.filter((waiter) => broken === undefined && waiter.end > synced)
    for (const waiter of ready) waiter.resume(broken && waiter.end > synced ? Effect.fail(broken) : Effect.void)
  }
  const breakWith = (error: FileFailed) => {
    broken = error
    busy = false
    settle()
    for (const watcher of watchers) watcher(error)
    watchers.clear()
  }
  const isWanted = () => waiters.length > 0 || synced < owed
  /** Flushes the file, and at the same time the folder of a new one. */
  const flushAll = (done: (cause: NodeJS.ErrnoException | null) => void) => {
    if (unflushedFolder === undefined) return flush(fd, done)
    let missing = 2
    let failure: NodeJS.ErrnoException | null = null
    const one = (cause: NodeJS.ErrnoException | null) => {
      failure ??= cause
      if (--missing === 0) done(failure)
    }
    flush(fd, one)
    Fs.fsync(unflushedFolder, one)
    unflushedFolder = undefined
  }
  const sync = () => {
    const covered = written
    flushAll((cause) => {
      if (cause) return breakWith(failed("flush", path, cause))
      flushes++
      synced = covered
      busy = false
      settle()
      pump()
    })
  }
  const cutBack = (bytes: number) => {
    try {
      Fs.ftruncateSync(fd, bytes)
    } catch {
      // The write's own error is told; whoever reads cuts a torn end back.
    }
  }
  /** Into the cache of the operating system: another thread would take longer to take it up. */
  const write = (bytes: Buffer) => {
    let offset = 0
    try {
      while (offset < bytes.length) offset += Fs.writeSync(fd, bytes, offset)
      written += bytes.length
    } catch (cause) {
      // A full disk gives a short write first: nothing after the last whole line may stay.
      cutBack(written + bytes.subarray(0, offset).lastIndexOf(10) + 1)
      breakWith(failed("write", path, cause as NodeJS.ErrnoException))
    }
  }
  const pump = () => {
    if (busy || broken) return
    if (buffer.length > 0) {
      const bytes = Buffer.from(buffer.join(""))
      buffer = []
      write(bytes)
    }
    if (!broken && synced < written && isWanted()) {
      busy = true
      sync()
    }
  }
  const isOver = () => {
    timer = undefined
    owed = end
    pump()
  }
  const soon = () => {
    if (queued || busy) return
    queued = true
    setImmediate(() => {
      queued = false
      pump()
    })
  }
  const flushed = (upTo: number) =>
    Effect.callback<void, FileFailed>((resume) => {
      if (upTo <= synced) return resume(Effect.void)
      if (broken) return resume(Effect.fail(broken))
      waiters.push({ end: upTo, resume })
      // Those that are woken together append together: they share the flush.
      soon()
    })
  return {
    append: (text) => {
      buffer.push(text)
      end += Buffer.byteLength(text)
      timer ??= setTimeout(isOver, intervalMillis)
      soon()
      return end
    },
    flushed,
    end: () => end,
    synced: () => synced,
    flushes: () => flushes,
    broken: Effect.callback((resume) => {
      const watcher = (error: FileFailed) => resume(Effect.succeed(error))
      if (broken !== undefined) return watcher(broken)
      watchers.add(watcher)
      return Effect.sync(() => void watchers.delete(watcher))
    }),
    close: () =>
      flushed(end).pipe(
        Effect.ensuring(
          // What is flushed is safe whatever the operating system says of its descriptor.
          Effect.ignore(
            attemptNow("close", path, () => {
              clearTimeout(timer)
              if (folder !== undefined) Fs.closeSync(folder)
              Fs.closeSync(fd)
            }),
          ),
        ),
      ),
  }
}

/**
 * Opens a file for appending, cut back to `keepBytes` where given; when new, it is made with mode 0600, and its folder
 * is flushed with its first lines. What is buffered is flushed when the scope closes. `intervalMillis` bounds the time to
 * a flush nobody waits for.
 */
export const open = (options: {
  readonly path: string
  readonly keepBytes?: number
  readonly intervalMillis: number
}): Effect.Effect<AppendFile, FileFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const { path } = options
      const size = Fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0
      if (size === 0) yield* makeFolderDurably(dirname(path), { mode: 0o700 })
      const opened = yield* attemptNow("open", path, (): Opened => {
        const fd = Fs.openSync(path, Fs.constants.O_RDWR | Fs.constants.O_APPEND | Fs.constants.O_CREAT, 0o600)
        const { size } = Fs.fstatSync(fd)
        if (size === 0) return { fd, size, folder: Fs.openSync(dirname(path), Fs.constants.O_RDONLY) }
        if (options.keepBytes === undefined || options.keepBytes >= size) return { fd, size, folder: undefined }
        Fs.ftruncateSync(fd, options.keepBytes)
        Fs.fsyncSync(fd)
        return { fd, size: options.keepBytes, folder: undefined }
      })
      return make(path, opened, options.intervalMillis)
    }),
    (file) => Effect.ignore(file.close()),
  )

/** Which file lies at a path: its inode, its size, and when it was last changed (milliseconds since the epoch). */
export interface Shape {
  readonly inode: number
  readonly bytes: number
  readonly time: number
}

/** The shape of the file at a path. */
export const shapeOf = (path: string) =>
  attemptNow("look at", path, (): Shape => {
    const { ino, mtimeMs, size } = Fs.statSync(path)
    return { inode: ino, bytes: size, time: mtimeMs }
  })

/** Whether nothing has happened to a file. */
export const isSame = (a: Shape, b: Shape): boolean => a.inode === b.inode && a.bytes === b.bytes && a.time === b.time

/** Makes a file read-only that grows no more. */
export const seal = (path: string) => attemptNow("change the mode of", path, () => Fs.chmodSync(path, 0o444))
