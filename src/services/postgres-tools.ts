import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Address from "./postgres-address.ts"
import { Processes } from "./processes.ts"

/** A program of PostgreSQL's is not here, or did not do what it was asked to. */
export class PostgresToolFailed extends Schema.TaggedError<PostgresToolFailed>()("PostgresToolFailed", {
  program: Schema.String,
  place: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `${this.program} of ${this.place} failed: ${this.reason}`
  }
}

type Program = "pg_dump" | "pg_restore"

const packaged = "/usr/lib/postgresql"

/** The newest that Debian's packages put there, which dumps older servers too; else that of the PATH. */
const find = (program: Program): string | undefined => {
  const versions = existsSync(packaged) ? readdirSync(packaged).toSorted((a, b) => Number(b) - Number(a)) : []
  const paths = versions.map((version) => join(packaged, version, "bin", program))
  return paths.find((path) => existsSync(path)) ?? Bun.which(program) ?? undefined
}

/** What a program says of its failure, without the lines that only say what it did. */
const reasonOf = (stderr: string, exitCode: number): string => {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "" && !/: (detail|hint|warning):/.test(line))
  return lines.slice(-3).join("; ").trim() || `it ended with ${exitCode}`
}

/**
 * Runs one with a database, whose password is handed over in the environment and stands in no argument. Gives what it
 * printed.
 */
export const run = Effect.fn("PostgresTools.run")(function* (
  program: Program,
  url: Redacted.Redacted<string>,
  words: ReadonlyArray<string>,
) {
  const address = yield* Address.parse(url)
  const { database, host, place, port } = address
  const failed = (reason: string) => new PostgresToolFailed({ program, place, reason })
  const path = find(program)
  if (path === undefined) {
    return yield* failed("it is not installed here; install PostgreSQL's client programs (Debian: postgresql-client)")
  }
  const given = {
    PGHOST: host,
    PGPORT: String(port),
    PGDATABASE: database,
    PGUSER: address.user,
    PGPASSWORD: address.password,
    PGSSLMODE: address.sslmode,
    PGSSLROOTCERT: address.sslrootcert,
    PGCONNECT_TIMEOUT: "10",
    PGAPPNAME: "dandori",
  }
  const env = Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
  const processes = yield* Processes
  const ended = yield* processes
    .run({ argv: [path, "--no-password", ...words], env })
    .pipe(Effect.catchTags({ ProcessNotStarted: ({ message }) => failed(message) }))
  if (ended.exitCode !== 0) return yield* failed(reasonOf(ended.stderr, ended.exitCode))
  return ended.stdout
})
