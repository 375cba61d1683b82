import * as Fs from "node:fs"
import { dirname, join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { FileFailed } from "./durable-files.ts"

/** Most that is kept of an attempt's log, in characters: the first half and the last half. */
export const logLimit = 64 * 1024 * 1024

/** The log of one attempt. */
export interface AttemptLog {
  /** Adds a line. */
  readonly write: (line: string) => void
  /** Flushes what is buffered and closes the file, if there is one. */
  readonly close: () => void
}

/** Files that attempts make on the way: logs that are kept, scratch folders that are not. */
export class AttemptFiles extends Context.Service<
  AttemptFiles,
  {
    readonly logPath: (run: string, task: string, attempt: number) => string
    /** `onFault` is told once when the log can take no more; its attempt goes on. */
    readonly openLog: (run: string, task: string, attempt: number, onFault: (error: FileFailed) => void) => AttemptLog
    /** Makes the attempt's scratch folder and gives its path. */
    readonly scratch: (run: string, task: string, attempt: number) => string
    /** Removes the scratch folders of a run. */
    readonly clean: (run: string) => Effect.Effect<void>
  }
>()("dandori/services/AttemptFiles") {
  /** Files below `<home>/logs` and `<home>/scratch`. */
  static readonly layer = (home: string) =>
    Layer.succeed(AttemptFiles, {
      logPath: (run, task, attempt) => join(home, "logs", run, `${fileName(task)}.${attempt}.log`),
      openLog: (run, task, attempt, onFault) =>
        openLog(join(home, "logs", run, `${fileName(task)}.${attempt}.log`), logLimit, onFault),
      scratch: (run, task, attempt) => {
        const folder = join(home, "scratch", run, `${fileName(task)}.${attempt}`)
        Fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
        return folder
      },
      clean: (run) => Effect.sync(() => Fs.rmSync(join(home, "scratch", run), { recursive: true, force: true })),
    })
}

const fileName = (task: string): string => task.replaceAll("/", ".")

/**
 * A log file that is made with its first line; past the limit the middle is left out, and the file says so. What cannot
 * be written is lost from there on: `onFault` is told.
 */
export const openLog = (path: string, limit: number, onFault: (error: FileFailed) => void): AttemptLog => {
  const half = Math.floor(limit / 2)
  let fd: number | undefined
  let head = 0
  let tail: Array<string> = []
  let tailLength = 0
  let dropped = 0
  let broken = false
  const append = (text: string) => {
    if (broken) return
    try {
      if (fd === undefined) {
        Fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
        fd = Fs.openSync(path, "a", 0o600)
      }
      Fs.writeSync(fd, text)
    } catch (error) {
      broken = true
      const { code = "UNKNOWN", message } = error as NodeJS.ErrnoException
      onFault(new FileFailed({ path, operation: "write", code, reason: message }))
    }
  }
  return {
    write: (line) => {
      const text = `${line}\n`
      if (head + text.length <= half) {
        head += text.length
        return append(text)
      }
      head = half
      tail.push(text)
      tailLength += text.length
      while (tailLength > half && tail.length > 1) {
        const first = tail.shift() ?? ""
        tailLength -= first.length
        dropped += first.length
      }
    },
    close: () => {
      if (dropped > 0) append(`… ${dropped} characters left out …\n`)
      if (tail.length > 0) append(tail.join(""))
      tail = []
      if (fd !== undefined) Fs.closeSync(fd)
      fd = undefined
    },
  }
}
