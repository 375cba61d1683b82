import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as FileLock from "./file-lock.ts"
import { bootId } from "./process-records.ts"
import { isAlive, lookUp } from "./process-table.ts"

/** A process that takes leases: it holds the lock of `owners/<id>.lock` as long as they count. */
export interface Owner {
  readonly id: string
  readonly pid: number
  /** When the process started, as the process table says, and the boot that this belongs to. */
  readonly started: string
  readonly boot: string
}

const suffix = ".lock"
const fileOf = (folder: string, id: string): string => join(folder, `${id}${suffix}`)

/** Where the locks of a home's owners are that take leases in a database. */
export const sharedFolder = (home: string): string => join(home, "term-owners")

/** Takes the lock of a new owner: this process. The file goes with the scope, unless the process is killed. */
export const take = (
  folder: string,
  id: string,
): Effect.Effect<Owner, FileLock.LockBusy | FileLock.LockFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const path = fileOf(folder, id)
    yield* Effect.try({
      try: () => mkdirSync(folder, { recursive: true }),
      catch: (cause) => new FileLock.LockFailed({ path, code: "MKDIR", reason: String(cause) }),
    })
    // Somebody who tidies up may hold a lock that he finds free for a moment.
    yield* FileLock.acquireWithin(path, 5_000)
    return { id, pid: process.pid, started: lookUp(process.pid)?.started ?? "", boot: bootId() }
  })

/**
 * Whether an owner is dead: its lock is free. The kernel frees it when the last thread of the process has ended, and
 * keeps it while the process is stopped. Where somebody has removed the file, the process table decides.
 */
export const isDead = (folder: string, { boot, id, pid, started }: Owner): boolean => {
  const seen = FileLock.look(fileOf(folder, id))
  if (seen !== "missing") return seen === "free"
  return boot !== bootId() || !isAlive(pid, started)
}

/** Which file an owner's lock is: device and inode; empty where there is none. A copy of a home has others. */
export const fileId = (folder: string, id: string): string => {
  const found = statSync(fileOf(folder, id), { throwIfNoEntry: false })
  return found === undefined ? "" : `${found.dev}:${found.ino}`
}

/** What an owner's lock tells in this home: `elsewhere` where it is the lock of another home, or of another machine. */
export const sightOf = (
  folder: string,
  { boot, file, id }: Owner & { readonly file: string },
): "dead" | "living" | "elsewhere" => {
  if (boot !== bootId() || file === "" || fileId(folder, id) !== file) return "elsewhere"
  return FileLock.look(fileOf(folder, id)) === "free" ? "dead" : "living"
}

/** Removes an owner's file. */
export const forget = (folder: string, id: string): void => rmSync(fileOf(folder, id), { force: true })

/**
 * Processes that hold an owner's lock and of whom the store knows nothing: their leases are in a store that was
 * removed. Files that nobody holds are removed.
 */
export const strangers = (folder: string, known: ReadonlySet<string>): ReadonlyArray<{ readonly pid: number }> =>
  readdirSync(folder)
    .filter((name) => name.endsWith(suffix) && !known.has(name.slice(0, -suffix.length)))
    .flatMap((name) => {
      const path = join(folder, name)
      if (FileLock.look(path) === "held") return [{ pid: FileLock.ownerOf(path) ?? 0 }]
      FileLock.removeFree(path)
      return []
    })
