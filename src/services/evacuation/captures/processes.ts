import { totalmem } from "node:os"
import * as Effect from "effect/Effect"
import { type Capture, type Lines, visible, word } from "./capture.ts"
import * as Machine from "./machine-files.ts"

/** Clock ticks a second in what /proc says to user space: 100 on all that Dandori runs on. */
const ticks = 100
const topCount = 40

interface Process {
  readonly pid: number
  readonly name: string
  readonly state: string
  readonly parent: number
  readonly group: number
  readonly session: number
  readonly terminal: number
  readonly cpuSeconds: number
  /** Seconds since boot. */
  readonly started: number
  readonly virtualBytes: number
  readonly residentBytes: number
  readonly threads: number
  readonly nice: number
  readonly leads: boolean
  readonly foreground: boolean
  readonly uid: number
  readonly cwd: string
  readonly exe: string
  readonly command: string
}

/** Fields as in proc_pid_stat(5), counted from the state, which is the third. */
const parse = (pid: number, stat: string, status: string, args: string): Process | undefined => {
  const close = stat.lastIndexOf(")")
  const fields = stat.slice(close + 2).split(" ")
  if (close < 0 || fields.length < 22) return undefined
  const field = (number: number) => Number(fields[number - 3])
  const name = stat.slice(stat.indexOf("(") + 1, close)
  const words = args.replace(/\0+$/, "").split("\0")
  return {
    pid,
    name,
    state: fields[0],
    parent: field(4),
    group: field(5),
    session: field(6),
    terminal: field(7),
    cpuSeconds: (field(14) + field(15)) / ticks,
    nice: field(19),
    threads: field(20),
    started: field(22) / ticks,
    virtualBytes: field(23),
    residentBytes: 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0),
    leads: field(6) === pid,
    foreground: field(8) === field(5),
    uid: Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? -1),
    cwd: Machine.linkOf(`/proc/${pid}/cwd`) ?? "",
    exe: Machine.linkOf(`/proc/${pid}/exe`) ?? "",
    command: args === "" ? `[${visible(name)}]` : words.map(word).join(" "),
  }
}

const readProcess = Effect.fnUntraced(function* (pid: number) {
  const stat = Machine.readNow(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  // A process that hangs in the kernel with its memory locked does not give its command line.
  const args = (yield* Machine.read(`/proc/${pid}/cmdline`)) ?? ""
  return parse(pid, stat, Machine.readNow(`/proc/${pid}/status`) ?? "", args)
})

const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`

/** Numbers of devices as in tty(4) and pts(4). */
const terminalOf = (device: number): string => {
  const [major, minor] = [(device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00)]
  if (device === 0) return "?"
  return major >= 136 && major <= 143
    ? `pts/${(major - 136) * 256 + minor}`
    : major === 4
      ? `tty${minor}`
      : `${major}:${minor}`
}

const addTop = (
  lines: Lines,
  all: ReadonlyArray<Process>,
  uptime: number,
  named: (uid: number) => string,
  day: (at: number) => string,
) => {
  const cpu = ({ cpuSeconds, started }: Process) => (100 * cpuSeconds) / Math.max(1, uptime - started)
  lines.add(`# the ${topCount} with the most CPU, as ps aux has them`)
  lines.add("USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND")
  for (const each of all.toSorted((a, b) => cpu(b) - cpu(a)).slice(0, topCount)) {
    const flags = `${each.state}${each.nice < 0 ? "<" : each.nice > 0 ? "N" : ""}${each.leads ? "s" : ""}${each.threads > 1 ? "l" : ""}${each.foreground ? "+" : ""}`
    lines.add(
      [
        named(each.uid).padEnd(8),
        String(each.pid).padStart(7),
        cpu(each).toFixed(1).padStart(4),
        ((100 * each.residentBytes) / totalmem()).toFixed(1).padStart(4),
        String(Math.round(each.virtualBytes / 1024)).padStart(6),
        String(Math.round(each.residentBytes / 1024)).padStart(5),
        terminalOf(each.terminal).padEnd(8),
        flags.padEnd(4),
        day(each.started).slice(11, 16).padEnd(5),
        clock(each.cpuSeconds).padStart(6),
        each.command,
      ].join(" "),
    )
  }
}

/** Every process that can be seen, a line each with tabs between, in order of number; then those with the most CPU. */
export const capture: Capture = (lines) =>
  Effect.gen(function* () {
    yield* Machine.needsProc
    const boot = Number(/^btime (\d+)/m.exec(Machine.readNow("/proc/stat") ?? "")?.[1] ?? 0)
    const uptime = Number((Machine.readNow("/proc/uptime") ?? "0").split(" ")[0])
    const users = Machine.users()
    const named = (uid: number) => users.get(uid) ?? String(uid)
    const day = (started: number) => new Date(1000 * (boot + started)).toISOString()
    const seen = yield* Effect.forEach(Machine.pids(), readProcess, { concurrency: 16 })
    const all = seen.filter((each) => each !== undefined)
    lines.add(
      [
        "pid",
        "ppid",
        "pgid",
        "session",
        "user",
        "state",
        "started",
        "cpu_seconds",
        "rss_kib",
        "cwd",
        "exe",
        "command",
      ].join("\t"),
    )
    for (const each of all) {
      lines.add(
        [
          each.pid,
          each.parent,
          each.group,
          each.session,
          named(each.uid),
          each.state,
          day(each.started),
          each.cpuSeconds.toFixed(2),
          Math.round(each.residentBytes / 1024),
          visible(each.cwd) || "-",
          visible(each.exe) || "-",
          each.command,
        ].join("\t"),
      )
    }
    lines.add("")
    addTop(lines, all, uptime, named, day)
  })
