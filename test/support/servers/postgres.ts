import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Install from "./install.ts"
import { ServerMissing } from "./missing.ts"
import * as Server from "./server.ts"

/** A PostgreSQL of a test's or a bench's own. */
export interface Postgres extends Server.Server {
  readonly url: string
  readonly version: string
  /** Starts it again on the same port with the same data, after it was stopped or killed. */
  readonly again: () => Promise<Postgres>
}

const packaged = "/usr/lib/postgresql"

/** The folder of `initdb` and `postgres`: of the newest version that Debian's packages put there, else of the PATH. */
const programs = (): string | undefined => {
  const versions = existsSync(packaged) ? readdirSync(packaged).toSorted((a, b) => Number(b) - Number(a)) : []
  const folders = versions.map((version) => join(packaged, version, "bin"))
  const onPath = Bun.which("initdb")
  return [...folders, ...(onPath === null ? [] : [join(onPath, "..")])].find((folder) =>
    existsSync(join(folder, "initdb")),
  )
}

/** PostgreSQL refuses root: then it runs as the user that its package made. */
export const servant = (): number | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const { exitCode, stdout } = Bun.spawnSync(["id", "-u", "postgres"], { stderr: "ignore" })
  if (exitCode !== 0) throw new ServerMissing("PostgreSQL refuses root, and there is no user postgres here")
  return Number(stdout.toString())
}

/** How it is set up. Otherwise PostgreSQL's own defaults hold: each commit is flushed. */
export interface Options {
  /** `name=value` of its configuration. */
  readonly settings?: ReadonlyArray<string>
  /** Takes TLS too, with the certificate `<folder>/server.crt` of localhost, which it signed itself. */
  readonly tls?: boolean
}

const signItself = (data: string, before: ReadonlyArray<string>) => {
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
  const files = ["-keyout", join(data, "server.key"), "-out", join(data, "server.crt")]
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
  const made = Bun.spawnSync([...before, "openssl", "req", "-x509", "-days", "2", ...key, ...subject, ...files], {
    cwd: "/",
    stdout: "ignore",
    stderr: "pipe",
  })
  if (made.exitCode !== 0) throw new ServerMissing(`openssl made no certificate: ${made.stderr.toString()}`)
  copyFileSync(join(data, "server.crt"), join(data, "../server.crt"))
}

/** Copies a folder with the owners of its files into one that may be there already. */
const copy = (from: string, to: string) => {
  mkdirSync(to, { recursive: true })
  const copied = Bun.spawnSync(["cp", "-a", `${from}/.`, to], { stdout: "ignore", stderr: "pipe" })
  if (copied.exitCode !== 0) throw new Error(copied.stderr.toString())
}

/**
 * Makes the data of a new server. Of the servers of one suite the first makes them, and the others have a copy: that takes
 * a sixth of the time. So they have one system identifier.
 */
const initialise = (bin: string, data: string, before: ReadonlyArray<string>) => {
  const shared = process.env.DANDORI_TEST_SHARED
  const template = shared === undefined ? undefined : join(shared, "new postgres")
  if (template !== undefined && existsSync(template)) return copy(template, data)
  const options = ["-U", "dandori", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
  const initdb = Bun.spawnSync([...before, join(bin, "initdb"), "-D", data, ...options], {
    cwd: "/",
    stdout: "ignore",
    stderr: "pipe",
  })
  if (initdb.exitCode !== 0) {
    throw new ServerMissing(`initdb failed: ${initdb.stderr.toString().trim().split("\n").at(-1)}`)
  }
  if (template === undefined) return
  const own = `${template} ${crypto.randomUUID()}`
  copy(data, own)
  try {
    renameSync(own, template)
  } catch {
    // Another one was faster.
    rmSync(own, { recursive: true })
  }
}

/** Starts one with its data in `<folder>/postgres`; the superuser `dandori` needs no password from this machine. */
export const start = async (folder: string, { settings = [], tls = false }: Options = {}): Promise<Postgres> => {
  const bin = await Install.debian("postgresql", programs)
  const user = servant()
  const data = join(folder, "postgres")
  mkdirSync(data, { recursive: true, mode: 0o700 })
  if (user !== undefined) {
    chmodSync(folder, 0o711)
    chownSync(data, user, -1)
  }
  const before = Server.words(user)
  initialise(bin, data, before)
  if (tls) signItself(data, before)
  const all = ["listen_addresses=127.0.0.1", "unix_socket_directories=", `ssl=${tls}`, ...settings].flatMap((each) => [
    "-c",
    each,
  ])
  const argv = (port: number) => [...before, join(bin, "postgres"), "-D", data, "-p", String(port), ...all]
  // It listens before it takes connections.
  const isReady = (port: number) =>
    Bun.spawnSync([join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", String(port)]).exitCode === 0
  const version = Bun.spawnSync([join(bin, "postgres"), "--version"]).stdout.toString()
  const run = async (port?: number): Promise<Postgres> => {
    const server = await Server.start(folder, { argv, isReady, ...(port === undefined ? {} : { port }) })
    return {
      ...server,
      url: `postgres://dandori@127.0.0.1:${server.port}/postgres`,
      version: /[\d.]+/.exec(version)?.[0] ?? "?",
      again: () => again(server.port),
    }
  }
  /** Of a server that was killed, children may still be there for a moment, and hold its memory. */
  const again = async (port: number): Promise<Postgres> => {
    for (const begun = performance.now(); ;) {
      try {
        return await run(port)
      } catch (cause) {
        if (performance.now() - begun > 20_000) throw cause
        await Bun.sleep(50)
      }
    }
  }
  return run()
}
