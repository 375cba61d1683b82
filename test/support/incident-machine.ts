import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parse, stringify } from "yaml"

const repository = resolve(import.meta.dirname, "../..")
const bun = join(repository, "node_modules/.bin/bun")

/** A service that answers on a port, and says so. */
const apiScript = `const port = Number(process.argv[process.argv.indexOf("--port") + 1])
Bun.serve({ hostname: "127.0.0.1", port, fetch: () => Response.json({ status: "ok", note: "Bearer ${"x".repeat(4)}" }) })
console.log("ready")
`

/** A training that ignores SIGINT and SIGTERM, with a child in its group and one in a session of its own. */
const trainScript = `process.on("SIGINT", () => {})
process.on("SIGTERM", () => {})
const children = [["sleep", "600"], ["setsid", "sleep", "600"]].map((argv) => Bun.spawn(argv, { stdio: ["ignore", "ignore", "ignore"] }))
console.log("ready " + children.map(({ pid }) => pid).join(" "))
setInterval(() => {}, 1000)
`

/** Processes that a test started, and ends. */
export interface Started {
  readonly pid: number
  /** The words of its first line of output. */
  readonly said: ReadonlyArray<string>
  readonly alive: () => boolean
}

/** A machine in an incident: a folder with what people work on, and processes that run in it. */
export interface IncidentMachine {
  readonly root: string
  readonly project: string
  readonly temporary: string
  readonly api: Started
  readonly training: Started
  /** The same words as the training, in another folder: nobody may touch it. */
  readonly lookAlike: Started
  readonly port: number
  readonly close: () => Promise<void>
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Starts a process in a group of its own, as a shell or a supervisor does, and waits for its first line. */
const start = async (
  argv: ReadonlyArray<string>,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Started> => {
  const child = Bun.spawn(["setsid", ...argv], {
    cwd,
    env: { PATH: process.env.PATH ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  })
  const reader = child.stdout.getReader()
  const { value } = await reader.read()
  const said = new TextDecoder().decode(value).trim().split(" ")
  return { pid: child.pid, said, alive: () => child.exitCode === null && child.signalCode === null }
}

const freePort = (): number => {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() })
  const { port } = server
  void server.stop(true)
  return port ?? 0
}

/** The evacuation that ships, but for what is stopped, which is what runs on this machine, and how long it is waited for. */
export const evacuationOf = async (port: number, repository: string): Promise<string> => {
  const shipped = await Fs.readFile(join(repository, "configs/base/evacuation.yaml"), "utf8")
  const section = parse(shipped) as Record<string, unknown>
  const stop = [
    { name: "api", match: { argv: ["*bun", "*/service/api.ts", "--port", String(port)], port } },
    { name: "training", match: { argv: ["*bun", "train.ts", "--mode", "full"], cwd: "." } },
  ]
  return stringify({ ...section, grace: "500ms", stop })
}

/** Makes the machine. `planted` are secrets that stand in its environment, command lines and logs. */
export const open = async (planted: Readonly<Record<string, string>>): Promise<IncidentMachine> => {
  const root = await Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "incident ")))
  const [project, elsewhere, temporary] = ["a machine", "another folder", "temporary"].map((name) => join(root, name))
  for (const folder of [project, elsewhere, temporary, join(project, "service"), join(project, "logs")]) {
    await Fs.mkdir(folder, { recursive: true })
  }
  await Fs.writeFile(join(project, "service/api.ts"), apiScript)
  for (const folder of [project, elsewhere]) await Fs.writeFile(join(folder, "train.ts"), trainScript)
  const port = freePort()
  const api = await start([bun, join(project, "service/api.ts"), "--port", String(port)], project, planted)
  const training = await start([bun, "train.ts", "--mode", "full"], project, planted)
  const lookAlike = await start([bun, "train.ts", "--mode", "full"], elsewhere, {})
  const close = async () => {
    const all = [api, training, lookAlike].flatMap(({ pid, said }) => [pid, ...said.slice(1).map(Number)])
    for (const pid of all) {
      if (isAlive(pid)) process.kill(pid, "SIGKILL")
    }
    await Fs.rm(root, { recursive: true, force: true })
  }
  return { root, project, temporary, api, training, lookAlike, port, close }
}
