import { readdirSync, readFileSync } from "node:fs"

/** A process of this machine. `started` with `pid` names it for good: a pid that is used again starts later. */
export interface Row {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
  /** Ended, but not yet waited for by its parent. */
  readonly zombie: boolean
  /** Clock ticks since boot (Linux) or the start's date (macOS). */
  readonly started: string
}

const linux = process.platform === "linux"

const readText = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

/** The row in the text of /proc/<pid>/stat (proc_pid_stat(5)); undefined when it is none. */
export const parseStat = (text: string): Row | undefined => {
  const close = text.lastIndexOf(")")
  const fields = text.slice(close + 2).split(" ")
  if (close < 0 || fields.length < 20) return undefined
  return {
    pid: Number.parseInt(text, 10),
    zombie: fields[0] === "Z" || fields[0] === "X",
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    started: fields[19],
  }
}

/** The row in a line of `ps -A -o pid=,ppid=,pgid=,stat=,lstart=`, the way to see processes where /proc is missing. */
export const parsePsLine = (line: string): Row | undefined => {
  const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S.*?)\s*$/.exec(line)
  if (!match) return undefined
  const [, pid, parent, group, state, started] = match
  return {
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    session: 0,
    zombie: state.startsWith("Z"),
    started,
  }
}

const ps = (...args: ReadonlyArray<string>): string =>
  Bun.spawnSync(["ps", ...args], {
    stdin: "ignore",
    stderr: "ignore",
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
  }).stdout.toString()

/** Every process of this machine that can be seen. */
export const table = (): ReadonlyArray<Row> =>
  (linux
    ? readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .map((name) => parseStat(readText(`/proc/${name}/stat`)))
    : ps("-A", "-o", "pid=,ppid=,pgid=,stat=,lstart=").split("\n").map(parsePsLine)
  ).filter((row) => row !== undefined)

/** One process, or undefined when there is none of that number. */
export const lookUp = (pid: number): Row | undefined =>
  linux
    ? parseStat(readText(`/proc/${pid}/stat`))
    : parsePsLine(ps("-p", String(pid), "-o", "pid=,ppid=,pgid=,stat=,lstart="))

/** True while the process of this number and start time has not ended. */
export const isAlive = (pid: number, started: string): boolean => {
  const row = lookUp(pid)
  return row !== undefined && !row.zombie && row.started === started
}

/** How to read the environment of each process, NUL-separated; empty where it may not be read. */
export const environments = (rows: ReadonlyArray<Row>): ((pid: number) => string) => {
  if (linux) return (pid) => readText(`/proc/${pid}/environ`)
  const lines = new Map<number, string>()
  if (rows.length > 0) {
    for (const line of ps("-A", "-E", "-ww", "-o", "pid=,command=").split("\n")) {
      lines.set(Number.parseInt(line, 10), line.split(" ").join("\0"))
    }
  }
  return (pid) => lines.get(pid) ?? ""
}

/** A process's command line, NUL-separated on Linux. */
export const commandLine = (pid: number): string =>
  linux ? readText(`/proc/${pid}/cmdline`) : ps("-p", String(pid), "-ww", "-o", "command=")

/** Resident memory of one process in bytes; 0 where it cannot be told. */
export const residentBytes = (pid: number): number =>
  1024 *
  (linux
    ? Number(/^VmRSS:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0)
    : Number(ps("-p", String(pid), "-o", "rss=")))
