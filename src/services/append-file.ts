import * as Fs from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { FileFailed, makeFolderDurably, syncFolder } from "./durable-files.ts"

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

const make = (
  path: string,
  fd: number,
  size: number,
  intervalMillis: number,
): AppendFile & { close: () => Effect.Effect<void, FileFailed> } => {
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
  const sync = () => {
    const covered = written
    flush(fd, (cause) => {
      if (cause) return breakWith(failed("flush", path, cause))
      flushes++
      synced = covered
      busy = false
      settle()
      pump()
    })
  }
  const write = (bytes: Buffer, offset: number, start: number) => {
    Fs.write(fd, bytes, offset, bytes.length - offset, null, (cause, count) => {
      if (cause) {
        // A full disk gives a short write first: nothing after the last whole line may stay.
        const whole = bytes.subarray(0, offset).lastIndexOf(10) + 1
        return Fs.ftruncate(fd, start + whole, () => breakWith(failed("write", path, cause)))
      }
      if (offset + count < bytes.length) return write(bytes, offset + count, start)
      written = start + bytes.length
      if (isWanted()) return sync()
      busy = false
      pump()
    })
  }
  const pump = () => {
    if (busy || broken) return
    if (buffer.length > 0) {
      busy = true
      const bytes = Buffer.from(buffer.join(""))
      buffer = []
      write(bytes, 0, written)
    } else if (synced < written && isWanted()) {
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
          Effect.callback<void>((resume) => {
            clearTimeout(timer)
            Fs.close(fd, () => resume(Effect.void))
          }),
        ),
      ),
  }
}

/**
 * Opens a file for appending, cut back to `keepBytes` where given; made with mode 0600, its folder flushed, when
 * new. What is buffered is flushed when the scope closes. `intervalMillis` bounds the time to a flush nobody waits for.
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
      if (size === 0) yield* makeFolderDurably(dirname(path))
      const opened = yield* Effect.try({
        try: () => {
          const fd = Fs.openSync(path, Fs.constants.O_RDWR | Fs.constants.O_APPEND | Fs.constants.O_CREAT, 0o600)
          let size = Fs.fstatSync(fd).size
          const isNew = size === 0
          if (options.keepBytes !== undefined && options.keepBytes < size) {
            Fs.ftruncateSync(fd, options.keepBytes)
            Fs.fsyncSync(fd)
            size = options.keepBytes
          }
          return { fd, size, isNew }
        },
        catch: (cause) => failed("open", path, cause as NodeJS.ErrnoException),
      })
      if (opened.isNew) yield* syncFolder(dirname(path))
      return make(path, opened.fd, opened.size, options.intervalMillis)
    }),
    (file) => Effect.ignore(file.close()),
  )
