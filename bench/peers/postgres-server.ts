import { chownSync, existsSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { LeftOut } from "./engine.ts"
import * as Server from "./server.ts"

/** A PostgreSQL of this bench's own. */
export interface Postgres {
  readonly url: string
  readonly version: string
  readonly stop: () => Promise<unknown>
}

const debian = "/usr/lib/postgresql"

/** The folder of `initdb` and `postgres`: of the newest version that Debian's packages put there, else of the PATH. */
const programs = (): string | undefined => {
  const versions = existsSync(debian) ? readdirSync(debian).toSorted((a, b) => Number(b) - Number(a)) : []
  const folders = versions.map((version) => join(debian, version, "bin"))
  const onPath = Bun.which("initdb")
  return [...folders, ...(onPath === null ? [] : [join(onPath, "..")])].find((folder) =>
    existsSync(join(folder, "initdb")),
  )
}

/** PostgreSQL refuses root: then it runs as the user that its package made. */
const servant = (): number | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const { exitCode, stdout } = Bun.spawnSync(["id", "-u", "postgres"], { stderr: "ignore" })
  if (exitCode !== 0) throw new LeftOut("PostgreSQL refuses root, and there is no user postgres here")
  return Number(stdout.toString())
}

/** Starts one with PostgreSQL's own defaults: each commit is flushed. */
export const start = async (folder: string): Promise<Postgres> => {
  const bin = programs()
  if (bin === undefined) throw new LeftOut("there is no PostgreSQL here (apt-get install postgresql)")
  const user = servant()
  const data = join(folder, "postgres")
  mkdirSync(data, { mode: 0o700 })
  if (user !== undefined) {
    chownSync(folder, user, -1)
    chownSync(data, user, -1)
  }
  const before = Server.words(user)
  const initdb = [
    ...before,
    join(bin, "initdb"),
    "-D",
    data,
    "-U",
    "bench",
    "-A",
    "trust",
    "-E",
    "UTF8",
    "--no-locale",
    "--no-sync",
  ]
  const made = Bun.spawnSync(initdb, { cwd: "/", stdout: "ignore", stderr: "pipe" })
  if (made.exitCode !== 0) throw new LeftOut(`initdb failed: ${made.stderr.toString().trim().split("\n").at(-1)}`)
  const settings = (port: number) =>
    [`port=${port}`, "listen_addresses=127.0.0.1", "unix_socket_directories="].flatMap((each) => ["-c", each])
  const argv = (port: number) => [...before, join(bin, "postgres"), "-D", data, ...settings(port)]
  // It listens before it takes connections.
  const isReady = (port: number) =>
    Bun.spawnSync([join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", String(port)]).exitCode === 0
  // It is stopped by SIGTERM, and so waits for clients that are about to leave.
  const { port, stop } = await Server.start(folder, argv, isReady)
  const version = Bun.spawnSync([join(bin, "postgres"), "--version"]).stdout.toString()
  return {
    url: `postgres://bench@127.0.0.1:${port}/postgres`,
    version: /[\d.]+/.exec(version)?.[0] ?? "?",
    stop,
  }
}
