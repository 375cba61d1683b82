import { readFileSync, readdirSync } from "node:fs"

/** What this process has of the machine. */
export interface ProcessUsage {
  readonly residentBytes: number
  /** Time on processors since the start, of the program and of the system for it. */
  readonly cpuSeconds: number
  /** Seconds since the epoch. */
  readonly startSeconds: number
  /** Undefined where the machine does not tell. */
  readonly openFiles: number | undefined
  readonly mostFiles: number | undefined
}

const ifTold = <A>(look: () => A): A | undefined => {
  try {
    return look()
  } catch {
    return undefined
  }
}

const descriptors = process.platform === "linux" ? "/proc/self/fd" : "/dev/fd"

const startSeconds = Date.now() / 1_000 - process.uptime()

/** Looks at this process. */
export const read = (): ProcessUsage => {
  const { system, user } = process.cpuUsage()
  // The look itself has the folder open.
  const openFiles = ifTold(() => readdirSync(descriptors).length - 1)
  const limit = ifTold(() => /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1])
  return {
    residentBytes: process.memoryUsage.rss(),
    cpuSeconds: (system + user) / 1_000_000,
    startSeconds,
    openFiles,
    mostFiles: limit === undefined ? undefined : Number(limit),
  }
}
