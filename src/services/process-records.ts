import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { stop, type Stopped } from "./process-groups.ts"
import { isAlive } from "./process-table.ts"

/**
 * A child's group, written to `<folder>/<pid>.json` before its program gets to work and removed when the group is
 * gone. Not flushed to the disk: it needs to outlive its owner, and no process outlives the machine.
 */
export const ProcessRecord = Schema.Struct({
  pid: Schema.Int,
  /** Clock ticks since boot (Linux) or the start's date (macOS): with `pid` it names the process for good. */
  started: Schema.String,
  /** The boot that `started` belongs to; empty where the machine does not tell. */
  boot: Schema.String,
  /** Id that the group's processes carry in their environment. */
  child: Schema.String,
  program: Schema.String,
  graceMillis: Schema.Int,
  owner: Schema.Struct({ pid: Schema.Int, started: Schema.String }),
  mark: Schema.optionalKey(Schema.Struct({ run: Schema.String, task: Schema.String, attempt: Schema.Int })),
})
export type ProcessRecord = typeof ProcessRecord.Type

const Text = Schema.fromJsonString(ProcessRecord)
const encode = Schema.encodeSync(Text)
const decode = Schema.decodeOption(Text)

/** Identifies this boot of the machine; empty where it does not tell. */
export const bootId = (): string => {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
  } catch {
    return ""
  }
}

const fileOf = (folder: string, pid: number): string => path.join(folder, `${pid}.json`)

/** Writes a record, whole or not at all. Throws what the file system says. */
export const write = (folder: string, record: ProcessRecord): void => {
  mkdirSync(folder, { recursive: true })
  const file = fileOf(folder, record.pid)
  writeFileSync(`${file}.tmp`, encode(record), { mode: 0o600 })
  renameSync(`${file}.tmp`, file)
}

/** Removes a record, if it is there. */
export const remove = (folder: string, pid: number): void => rmSync(fileOf(folder, pid), { force: true })

const read = (file: string): Option.Option<ProcessRecord> => {
  try {
    return decode(readFileSync(file, "utf8"))
  } catch {
    return Option.none()
  }
}

const names = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder).filter((name) => /^\d+\.json$/.test(name))
  } catch {
    return []
  }
}

/** The records that lie in a folder, of this boot; one that cannot be read is left out. */
export const list = (folder: string): ReadonlyArray<ProcessRecord> => {
  const boot = bootId()
  return names(folder)
    .flatMap((name) => Option.toArray(read(path.join(folder, name))))
    .filter((record) => record.boot === boot)
}

/** What a dead owner left, and what became of it. */
export interface Leftover extends Stopped {
  readonly record: ProcessRecord
}

/** Whether the process that started a child is gone. */
export const isOrphaned = ({ owner }: ProcessRecord): boolean => !isAlive(owner.pid, owner.started)

/**
 * Stops the groups that dead owners left in `folder`, confirms them gone and removes their records. Groups whose
 * owner lives are not touched, and no process that only got the same pid later. A record whose processes could not be
 * ended stays, and is named with `remaining`. SIGINT, the grace that the child was started with, SIGTERM, SIGKILL.
 * `isLeft` says which records are meant, for a caller that knows by other means that their owner is dead: a process
 * that is being killed is still in the process table when its locks are already free.
 */
export const stopLeftovers = Effect.fn("Processes.stopLeftovers")(function* (
  folder: string,
  isLeft: (record: ProcessRecord) => boolean = isOrphaned,
) {
  const boot = bootId()
  const stopOne = Effect.fnUntraced(function* (name: string) {
    const record = Option.getOrUndefined(read(path.join(folder, name)))
    if (record === undefined || record.boot !== boot) {
      rmSync(path.join(folder, name), { force: true })
      return []
    }
    if (!isLeft(record)) return []
    const { graceMillis } = record
    const outcome = yield* stop(record, { signals: ["SIGINT", "SIGTERM"], graceMillis })
    if (outcome.remaining.length === 0) remove(folder, record.pid)
    const leftover: Leftover = { record, ...outcome }
    return [leftover]
  })
  const all = yield* Effect.forEach(names(folder), stopOne, { concurrency: 16 })
  return all.flat()
})
