// What tests of processes look at: the machine's real processes.
import { mkdtempSync, readdirSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { pause } from "../../src/services/process-groups.ts"
import { table } from "../../src/services/process-table.ts"

export const newFolder = (): string => mkdtempSync(path.join(tmpdir(), "dandori processes "))

export const newToken = (): string => `token-${Bun.randomUUIDv7()}`

const commandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8")
  } catch {
    return ""
  }
}

/** Pids of living processes whose command line carries the token, watchers included. */
export const carrying = (token: string): ReadonlyArray<number> =>
  table()
    .filter((row) => !row.zombie && commandLine(row.pid).includes(token))
    .map((row) => row.pid)

/** The programs among them: no shim, no watcher. */
export const programs = (token: string): ReadonlyArray<number> =>
  carrying(token).filter((pid) => !commandLine(pid).includes("dandori-launch"))

export const records = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder).filter((name) => name.endsWith(".json"))

/** Waits until a condition of the machine holds; dies with its name when it does not within 20 seconds. */
export const eventually = (what: string, condition: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    const until = performance.now() + 20_000
    while (!condition()) {
      if (performance.now() > until) return yield* Effect.die(new Error(`never happened: ${what}`))
      yield* pause(10)
    }
  })

/** Starts another process that owns these children. */
export const startOwner = (folder: string, graceMillis: number, argvs: ReadonlyArray<ReadonlyArray<string>>) =>
  Bun.spawn(
    [
      process.execPath,
      fileURLToPath(new URL("./processes-owner.fixture.ts", import.meta.url)),
      folder,
      String(graceMillis),
      JSON.stringify(argvs),
    ],
    { stdio: ["ignore", "inherit", "inherit"] },
  )
