import * as Fs from "node:fs"
import { dirname, join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type LimitsSection, bytesOf, usual } from "../domain/config/limits.ts"
import { formatSize } from "../domain/quantity.ts"
import { FileFailed } from "./durable-files.ts"
import * as LogTail from "./log-tail.ts"

/** Most that is kept of the end of a log that is over its limit, bytes. */
const largestTail = 4 * 1024 * 1024

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
  /** Files below `<home>/logs` and `<home>/scratch`; `limits.log` is what is kept of one log. */
  static readonly layer = (home: string, limits: Pick<LimitsSection, "log"> = usual) =>
    Layer.succeed(AttemptFiles, {
      logPath: (run, task, attempt) => join(home, "logs", run, `${fileName(task)}.${attempt}.log`),
      openLog: (run, task, attempt, onFault) =>
        openLog(join(home, "logs", run, `${fileName(task)}.${attempt}.log`), bytesOf(limits.log), onFault),
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
 * A log file that is made with its first line. At the limit it says so and goes on in memory, which keeps the last lines
 * until the log is closed. What cannot be written is lost from there on: `onFault` is told.
 */
export const openLog = (path: string, limit: number, onFault: (error: FileFailed) => void): AttemptLog => {
  const tailBytes = Math.min(Math.floor(limit / 2), largestTail)
  let fd: number | undefined
  let head = 0
  let tail: LogTail.LogTail | undefined
  let broken = false
  const append = (text: string | Uint8Array) => {
    if (broken) return
    try {
      if (fd === undefined) {
        Fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
        fd = Fs.openSync(path, "a", 0o600)
      }
      if (typeof text === "string") Fs.writeSync(fd, text)
      else Fs.writeSync(fd, text)
    } catch (error) {
      broken = true
      const { code = "UNKNOWN", message } = error as NodeJS.ErrnoException
      onFault(new FileFailed({ path, operation: "write", code, reason: message }))
    }
  }
  return {
    write: (line) => {
      const text = `${line}\n`
      const bytes = Buffer.byteLength(text)
      if (tail === undefined && head + bytes <= limit - tailBytes) {
        head += bytes
        return append(text)
      }
      if (tail === undefined) {
        head = limit
        const kept = `of what follows the end is kept, up to ${formatSize(tailBytes)}`
        append(`… the log has reached its limit of ${formatSize(limit)}; ${kept}, and comes when the attempt ends …\n`)
        tail = LogTail.make(tailBytes)
      }
      tail.write(text, bytes)
    },
    close: () => {
      if (tail !== undefined) {
        const { dropped, kept } = tail.end()
        if (dropped > 0) append(`… ${dropped} bytes left out …\n`)
        append(kept)
      }
      tail = undefined
      if (fd !== undefined) Fs.closeSync(fd)
      fd = undefined
    },
  }
}
