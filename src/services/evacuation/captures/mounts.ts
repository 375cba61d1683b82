import * as Effect from "effect/Effect"
import { type Capture, NothingToTake } from "./capture.ts"
import * as Machine from "./machine-files.ts"

/** A mount of this process's namespace. */
export interface Mount {
  readonly point: string
  readonly kind: string
  readonly source: string
}

/** In /proc a blank, a tab, a line's end and a backslash are octal (proc_pid_mountinfo(5)). */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

/** The mounts in the text of /proc/self/mountinfo. */
export const parse = (text: string): ReadonlyArray<Mount> =>
  text.split("\n").flatMap((line) => {
    const [before, after] = line.split(" - ")
    const point = before.split(" ")[4]
    const [kind, source] = (after ?? "").split(" ")
    return point === undefined || source === undefined
      ? []
      : [{ point: unescaped(point), kind, source: unescaped(source) }]
  })

/** What is mounted where, as the kernel has it. */
export const capture: Capture = (lines) =>
  Effect.gen(function* () {
    if ((yield* Machine.addAll(lines, ["/proc/self/mountinfo"])) === 0)
      return yield* new NothingToTake({ reason: "there is no /proc/self/mountinfo on this machine" })
  })
