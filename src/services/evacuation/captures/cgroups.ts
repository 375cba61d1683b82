import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { type Capture, type Lines, NothingToTake, visible } from "./capture.ts"
import * as Machine from "./machine-files.ts"

/** What is told of each group, of both versions (cgroups(7)). */
const files = [
  "cgroup.procs",
  "cgroup.events",
  "memory.current",
  "memory.max",
  "memory.high",
  "memory.events",
  "memory.swap.current",
  "cpu.max",
  "cpu.stat",
  "io.stat",
  "pids.current",
  "pids.max",
  "memory.usage_in_bytes",
  "memory.limit_in_bytes",
  "memory.max_usage_in_bytes",
  "memory.failcnt",
  "memory.oom_control",
  "cpu.cfs_quota_us",
  "cpu.cfs_period_us",
  "cpuacct.usage",
]
const mostGroups = 5_000

const root = "/sys/fs/cgroup"

const foldersIn = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name))
      .toSorted()
  } catch {
    return []
  }
}

const addGroup = (lines: Lines, folder: string) => {
  lines.add(`# ${visible(folder)}`)
  for (const name of files) {
    const path = join(folder, name)
    if (!existsSync(path)) continue
    const text = (Machine.readNow(path) ?? "").trim().split("\n").join(" ")
    if (text !== "") lines.add(`${name} ${text}`)
  }
}

/** The group of this process, and the limits and use of every group, the upper ones first. */
export const capture: Capture = (lines) =>
  Effect.gen(function* () {
    if (!statSync(root, { throwIfNoEntry: false })?.isDirectory())
      return yield* new NothingToTake({ reason: `there is no ${root} on this machine` })
    yield* Machine.addAll(lines, ["/proc/self/cgroup", "/proc/cgroups"])
    const waiting: Array<string> = [root]
    for (let count = 0; count < mostGroups && !lines.isFull(); count++) {
      const folder = waiting.shift()
      if (folder === undefined) return
      yield* Effect.yieldNow
      addGroup(lines, folder)
      waiting.push(...foldersIn(folder))
    }
    if (waiting.length > 0) lines.cut()
  })
