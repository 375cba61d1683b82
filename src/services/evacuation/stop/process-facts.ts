/** What /proc tells of one process besides its row; where there is no /proc (macOS), ps and lsof are asked. */
import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs"
import { basename } from "node:path"
import { commandLine, lookUp, type Row } from "../../process-table.ts"

const linux = process.platform === "linux"

const attempt = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

const asked = (...argv: ReadonlyArray<string>): string =>
  attempt(() =>
    Bun.spawnSync([...argv], {
      stdin: "ignore",
      stderr: "ignore",
      env: { PATH: "/usr/sbin:/usr/bin:/bin", LC_ALL: "C" },
    }).stdout.toString(),
  ) ?? ""

/** Its arguments; none for a kernel thread and for a process that has ended. ps does not tell where one of them ends. */
export const argvOf = (pid: number): ReadonlyArray<string> => {
  const text = commandLine(pid)
  if (!linux) return text.trim() === "" ? [] : text.trim().split(/\s+/)
  return text === "" ? [] : text.replace(/\0$/, "").split("\0")
}

/** The short name of its program; "?" where it cannot be told. */
export const programOf = (pid: number): string =>
  (linux
    ? attempt(() => readFileSync(`/proc/${pid}/comm`, "utf8").trim())
    : basename(asked("ps", "-p", String(pid), "-o", "comm=").trim())) || "?"

/** The letter of its state (proc_pid_stat(5)): `D` cannot be interrupted, `Z` has ended; "?" where it cannot be told. */
export const stateOf = (pid: number): string =>
  linux
    ? (attempt(() => /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\)/s, ")"))?.[1]) ?? "?")
    : asked("ps", "-p", String(pid), "-o", "stat=").trim().slice(0, 1) || "?"

/**
 * True when it has ended: it is a zombie, and no thread of it lives on. A program whose first thread has ended shows up as
 * a zombie while the others still work.
 */
export const hasEnded = (row: Row): boolean =>
  row.zombie && (attempt(() => readdirSync(`/proc/${row.pid}/task`).length) ?? 0) <= 1

/** The row of the process of this number and start time; undefined where it has ended. */
export const living = ({ pid, started }: Pick<Row, "pid" | "started">): Row | undefined => {
  const row = lookUp(pid)
  return row === undefined || row.started !== started || hasEnded(row) ? undefined : row
}

/** True while the process of this number and start time has not ended. */
export const lives = (process: Pick<Row, "pid" | "started">): boolean => living(process) !== undefined

/** The working folder as it reads; undefined where it may not be read. */
export const cwdOf = (pid: number): string | undefined =>
  linux
    ? attempt(() => readlinkSync(`/proc/${pid}/cwd`))
    : /^n(.*)$/m.exec(asked("lsof", "-a", "-p", String(pid), "-d", "cwd", "-Fn"))?.[1]

const identity = (path: string): string | undefined =>
  attempt(() => {
    const { dev, ino } = statSync(path, { bigint: true })
    return `${dev}:${ino}`
  })

/** A folder's path with its links followed; as it was given where there is none. */
export const realFolder = (path: string): string => attempt(() => realpathSync(path)) ?? path

/**
 * True when its working folder is this one, links followed. The path decides first, so that no file system is asked that
 * may not answer any more; then the folder itself, since a container may have another one under the same path.
 */
export const worksIn = (pid: number, folder: string): boolean =>
  cwdOf(pid) === folder && (!linux || identity(`/proc/${pid}/cwd`) === identity(folder))

/** The number of its effective user; undefined where it cannot be told. */
export const userOf = (pid: number): number | undefined => {
  const text = linux
    ? /^Uid:\s+\d+\s+(\d+)/m.exec(attempt(() => readFileSync(`/proc/${pid}/status`, "utf8")) ?? "")?.[1]
    : asked("ps", "-p", String(pid), "-o", "uid=").trim()
  return text === undefined || text === "" ? undefined : Number(text)
}

/** The number of a user that is given by name (/etc/passwd) or number; undefined where there is none of that name. */
export const userNumber = (user: string): number | undefined => {
  if (/^\d+$/.test(user)) return Number(user)
  const lines = (attempt(() => readFileSync("/etc/passwd", "utf8")) ?? "").split("\n").map((line) => line.split(":"))
  const found = lines.find(([name]) => name === user)?.[2] ?? asked("id", "-u", "--", user).trim()
  return found === "" ? undefined : Number(found)
}

/** Inodes of the sockets that listen on a port, in the text of /proc/<pid>/net/tcp or tcp6 (proc_pid_net(5)). */
export const listenersIn = (text: string, port: number): ReadonlyArray<string> =>
  text.split("\n").flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    const isIt = fields[3] === "0A" && Number.parseInt(fields[1]?.split(":").at(-1) ?? "", 16) === port
    return isIt && fields[9] !== undefined ? [fields[9]] : []
  })

/** Who of these processes listens on a TCP port, v4 or v6; `unreadable` when none does and one's sockets may not be seen. */
export const listening = (pids: ReadonlyArray<number>, port: number): number | "nobody" | "unreadable" => {
  if (!linux) {
    const found = asked("lsof", "-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fp")
      .split("\n")
      .map((line) => Number(line.slice(1)))
    return pids.find((pid) => found.includes(pid)) ?? "nobody"
  }
  let unreadable = false
  for (const pid of pids) {
    const inodes = new Set(
      ["tcp", "tcp6"].flatMap((name) =>
        listenersIn(attempt(() => readFileSync(`/proc/${pid}/net/${name}`, "utf8")) ?? "", port),
      ),
    )
    if (inodes.size === 0) continue
    const open = attempt(() => readdirSync(`/proc/${pid}/fd`))
    unreadable ||= open === undefined
    const holds = open?.some((fd) => {
      const link = attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`))
      return link !== undefined && inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? "")
    })
    if (holds === true) return pid
  }
  return unreadable ? "unreadable" : "nobody"
}
