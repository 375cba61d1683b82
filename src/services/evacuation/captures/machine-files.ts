import { readFileSync, readdirSync, readlinkSync } from "node:fs"
import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import { attempt } from "../../durable-files.ts"
import * as Capture from "./capture.ts"

/** A file of the kernel answers at once, or hangs with the process that it is about: then it is left out. */
const patience = "1 second"

/** The text of a file; undefined where it cannot be read now. */
export const read = (path: string): Effect.Effect<string | undefined> =>
  attempt("read", path, () => Fs.readFile(path, "utf8")).pipe(
    Effect.timeout(patience),
    Effect.orElseSucceed(() => undefined),
  )

/** As `read`, for what the kernel always answers at once. */
export const readNow = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

/** What a link says, without following it; undefined where it may not be seen. */
export const linkOf = (path: string): string | undefined => {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

/** The names in a folder; undefined where it may not be seen. */
export const namesIn = (path: string): ReadonlyArray<string> | undefined => {
  try {
    return readdirSync(path)
  } catch {
    return undefined
  }
}

/** The numbers of the processes that there are, in order. */
export const pids = (): ReadonlyArray<number> =>
  (namesIn("/proc") ?? [])
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .toSorted((a, b) => a - b)

/** Only Linux has /proc. */
export const needsProc: Effect.Effect<void, Capture.NothingToTake> = Effect.suspend(() =>
  namesIn("/proc/self") === undefined
    ? Effect.fail(new Capture.NothingToTake({ reason: "there is no /proc on this machine" }))
    : Effect.void,
)

/** Adds files one after the other, each under its path; those that are not there are left out. */
export const addAll = Effect.fnUntraced(function* (lines: Capture.Lines, paths: ReadonlyArray<string>) {
  let count = 0
  for (const path of paths) {
    const text = yield* read(path)
    if (text === undefined) continue
    count++
    lines.add(`# ${path}`)
    lines.add(text)
  }
  return count
})

/** Names of users by their number, as far as this machine's file of users has them. */
export const users = (): ReadonlyMap<number, string> =>
  new Map(
    (readNow("/etc/passwd") ?? "").split("\n").flatMap((line) => {
      const [name, , uid] = line.split(":")
      return uid === undefined ? [] : [[Number(uid), name] as const]
    }),
  )
