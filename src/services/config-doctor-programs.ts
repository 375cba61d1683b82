/** Programs that only a backup needs: what they are, and whether they fit the server. */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { bad, type Finding, ok } from "./config-finding.ts"

/** What programs are looked up in, by default that of this process. */
export interface Paths {
  readonly path: string | undefined
  /** Where Debian's packages of PostgreSQL are, each version in a folder. */
  readonly packaged: string
}

/** Of this machine. */
export const machine = (path: string | undefined): Paths => ({ path, packaged: "/usr/lib/postgresql" })

const onPath = (program: string, { path }: Paths) => Bun.which(program, { PATH: path ?? "" }) ?? undefined

/** The newest that Debian's packages put there; else that of the PATH. */
const postgresProgram = (program: string, paths: Paths): string | undefined => {
  const versions = existsSync(paths.packaged)
    ? readdirSync(paths.packaged).toSorted((a, b) => Number(b) - Number(a))
    : []
  const found = versions.map((version) => join(paths.packaged, version, "bin", program)).find((at) => existsSync(at))
  return found ?? onPath(program, paths)
}

const versionMillis = 5_000

/** What a program says of its version; empty where it cannot be started. */
const versionOf = (program: string): Effect.Effect<string> =>
  Effect.tryPromise(async () => {
    const child = Bun.spawn([program, "--version"], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
      timeout: versionMillis,
      killSignal: "SIGKILL",
    })
    const said = await new Response(child.stdout).text()
    return (await child.exited) === 0 ? (/\d+(\.\d+)*/.exec(said)?.[0] ?? "") : ""
  }).pipe(Effect.orElseSucceed(() => ""))

/** A backup of PostgreSQL takes programs that are not older than the server, where its version is known. */
export const postgres = (paths: Paths, server: number | undefined): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.forEach(["pg_dump", "pg_restore"], (program) =>
    Effect.gen(function* () {
      const use = program === "pg_dump" ? "no backup of the database can be taken" : "none can be restored"
      const install = `install PostgreSQL's client programs: apt-get install postgresql-client${server === undefined ? "" : `-${server}`}`
      const found = postgresProgram(program, paths)
      if (found === undefined) return bad("database", "warning", `${program} is not on this machine: ${use}`, install)
      const version = yield* versionOf(found)
      if (version === "") return bad("database", "warning", `${found} does not start: ${use}`, install)
      if (server !== undefined && Number.parseInt(version, 10) < server) {
        const old = `${program} ${version} is older than the server, which is ${server}: ${use}`
        return bad("database", "warning", old, install)
      }
      return ok("database", `${program} ${version} is here for backups`)
    }),
  )

/** A backup of Redis takes `redis-cli`, or Valkey's. */
export const redis = (paths: Paths): Finding => {
  const found = onPath("redis-cli", paths) ?? onPath("valkey-cli", paths)
  return found === undefined
    ? bad(
        "messaging",
        "warning",
        "redis-cli is not on this machine: no backup of Redis can be taken",
        "install Redis's client programs: apt-get install redis-tools",
      )
    : ok("messaging", `${found} is here for backups`)
}
