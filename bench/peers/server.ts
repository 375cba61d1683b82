import { connect } from "node:net"
import { join } from "node:path"
import { LeftOut } from "./engine.ts"

/** A server that runs until it is stopped, at most as long as this process. */
export interface Server {
  readonly port: number
  readonly stop: () => Promise<unknown>
}

const freePort = (): number => {
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

/** Words before a command that end it with this process, where the machine has them; as another user if one is named. */
export const words = (user?: number): ReadonlyArray<string> => {
  const setpriv = Bun.which("setpriv")
  if (setpriv === null) return []
  const other = user === undefined ? [] : [`--reuid=${user}`, "--clear-groups"]
  return [setpriv, "--pdeathsig=KILL", ...other, "--"]
}

/** Starts a server on a free port, and waits until it is ready there. What it says is in `<folder>/server.log`. */
export const start = async (
  folder: string,
  argv: (port: number) => ReadonlyArray<string>,
  isReady: (port: number) => boolean | Promise<boolean> = answers,
): Promise<Server> => {
  const port = freePort()
  const log = Bun.file(join(folder, "server.log"))
  const child = Bun.spawn([...argv(port)], { cwd: "/", stdout: log, stderr: log })
  const begun = performance.now()
  while (!(await isReady(port))) {
    if (performance.now() - begun > 60_000) throw new Error(`${argv(port).join(" ")} is not ready for a minute`)
    if (child.exitCode !== null) throw new LeftOut(`a server did not start: ${(await log.text()).trim().slice(-300)}`)
    await Bun.sleep(20)
  }
  const stop = () => {
    child.kill("SIGTERM")
    return child.exited
  }
  return { port, stop }
}
