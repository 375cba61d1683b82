import { closeSync, existsSync, openSync, readFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { ServerMissing } from "./missing.ts"

/** A server of this machine that runs until it is stopped, at most as long as this process. */
export interface Server {
  readonly port: number
  /**
   * Ends it by a signal (by default SIGTERM), and waits for its exit. PostgreSQL waits for its clients, unless it is SIGINT.
   * SIGKILL ends its children too: they would go on with what they were asked for.
   */
  readonly stop: (signal?: NodeJS.Signals) => Promise<unknown>
}

/** A port of the loopback address that nothing listens on. */
export const freePort = (): number => {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } })
  const { port } = listener
  listener.stop(true)
  return port
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port })
    const say = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.on("connect", say(true)).on("error", say(false))
  })

/** Words before a command that end it with what started it, where the machine has them; as another user if one is named. */
export const words = (user?: number): ReadonlyArray<string> => {
  const setpriv = Bun.which("setpriv")
  if (setpriv === null) return []
  const other = user === undefined ? [] : [`--reuid=${user}`, "--clear-groups"]
  return [setpriv, "--pdeathsig=KILL", ...other, "--"]
}

const childrenOf = (pid: number): ReadonlyArray<number> => {
  const list = `/proc/${pid}/task/${pid}/children`
  return existsSync(list) ? (readFileSync(list, "utf8").match(/\d+/g) ?? []).map(Number) : []
}

/** Whether a process is there, one that has ended and that nobody has asked about apart. */
const isThere = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

/** How a server is started. */
export interface Start {
  /** Its words, for a port. */
  readonly argv: (port: number) => ReadonlyArray<string>
  /** True when it takes requests; otherwise it counts as ready when it listens. */
  readonly isReady?: (port: number) => boolean | Promise<boolean>
  /** The port of a server that is started again; otherwise a free one. */
  readonly port?: number
  readonly env?: Readonly<Record<string, string>>
}

/** Starts a server and waits until it is ready. What it says is in `<folder>/server.log`. */
export const start = async (
  folder: string,
  { argv, env = {}, isReady = answers, port = freePort() }: Start,
): Promise<Server> => {
  const log = Bun.file(join(folder, "server.log"))
  const out = openSync(join(folder, "server.log"), "a")
  const child = Bun.spawn([...argv(port)], { cwd: "/", stdout: out, stderr: out, env: { ...process.env, ...env } })
  closeSync(out)
  const begun = performance.now()
  while (!(await isReady(port))) {
    if (performance.now() - begun > 60_000) throw new Error(`${argv(port).join(" ")} is not ready for a minute`)
    if (child.exitCode !== null) {
      throw new ServerMissing(`a server did not start: ${(await log.text()).trim().slice(-300)}`)
    }
    await Bun.sleep(20)
  }
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    const children = signal === "SIGKILL" ? childrenOf(child.pid) : []
    child.kill(signal)
    for (const pid of children) if (isThere(pid)) process.kill(pid, signal)
    const code = await child.exited
    while (children.some(isThere)) await Bun.sleep(1)
    return code
  }
  return { port, stop }
}
