import { closeSync, constants, openSync, readSync } from "node:fs"
import { homeFolder } from "../../home-folder.ts"
import * as Effect from "effect/Effect"
import { type Capture, NothingToTake, visible } from "./capture.ts"
import * as Program from "./program.ts"

const lastLines = 200
/** The log of the kernel never has more records than this. */
const mostRecords = 1_000_000

const codeOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : String(cause)

/** `6,123,4567890,-;text` (Documentation/ABI/testing/dev-kmsg) as dmesg has it; the lines of a record's dictionary are left out. */
export const recordLine = (record: string): string | undefined => {
  const found = /^(\d+),\d+,(\d+),[^;]*;([^\n]*)/.exec(record)
  if (found === null) return undefined
  const [, priority, micros, text] = found
  const seconds = (Number(micros) / 1e6).toFixed(6).padStart(12)
  return `<${Number(priority) & 7}>[${seconds}] ${visible(text)}`
}

/** The last records of /dev/kmsg, or the code of the error that keeps them from us. */
const records = (): ReadonlyArray<string> | string => {
  let fd: number
  try {
    fd = openSync("/dev/kmsg", constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    return codeOf(cause)
  }
  const found: Array<string> = []
  const buffer = Buffer.alloc(16_384)
  try {
    for (let count = 0; count < mostRecords; count++) {
      try {
        const bytes = readSync(fd, buffer, 0, buffer.length, null)
        if (bytes === 0) break
        const line = recordLine(buffer.toString("utf8", 0, bytes))
        if (line !== undefined) found.push(line)
        if (found.length > 2 * lastLines) found.splice(0, found.length - lastLines)
      } catch (cause) {
        const code = codeOf(cause)
        if (code === "EAGAIN") break
        // The record was overwritten before it was read: the next one is there.
        if (code !== "EPIPE") return code
      }
    }
  } finally {
    closeSync(fd)
  }
  return found.slice(-lastLines)
}

/** The last 200 lines of the kernel's log. */
export const capture: Capture = (lines, { maxBytes }) =>
  Effect.gen(function* () {
    const own = yield* Effect.sync(records)
    if (typeof own !== "string" && own.length > 0) {
      for (const line of own) lines.add(line)
      return
    }
    const said = yield* Program.runIfThere({ argv: ["dmesg"], cwd: homeFolder(), maxBytes })
    if (said !== undefined && said.exitCode === 0 && said.stdout.trim() !== "") {
      lines.add(said.stdout.trimEnd().split("\n").slice(-lastLines).join("\n"))
      return
    }
    const why = typeof own === "string" ? `/dev/kmsg cannot be read (${own})` : "/dev/kmsg is empty"
    const dmesg =
      said === undefined ? "there is no dmesg" : `dmesg says: ${said.stderr.trim().split("\n")[0] || "nothing"}`
    return yield* new NothingToTake({ reason: `${why}, and ${dmesg}` })
  })
