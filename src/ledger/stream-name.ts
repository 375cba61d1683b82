import * as Schema from "effect/Schema"
import { EnvironmentName, RunId } from "../domain/names.ts"

/** The stream of everything that opened and closed. */
export const root = "root"
/** The stream of what is not a run: keys, cordons, deliveries. */
export const system = "system"

/** True for the two streams to which all that happens adds, and which are read again and again. */
export const isGathering = (stream: string): boolean => stream === root || stream === system

/** Stream of a run. */
export const ofRun = (run: string): string => `runs/${run}`

/** Run id of a run's stream. */
export const runOf = (stream: string): string | undefined =>
  stream.startsWith("runs/") ? stream.slice("runs/".length) : undefined

/** Stream of all schedules of an environment: however many tick at once, they are flushed together. */
export const ofSchedules = (env: string): string => `schedules/${env}`

const isEnv = Schema.is(EnvironmentName)

/** The environment whose schedules a stream is of. */
export const schedulesOf = (stream: string): EnvironmentName | undefined => {
  const [folder, env, ...rest] = stream.split("/")
  return folder === "schedules" && rest.length === 0 && isEnv(env) ? env : undefined
}

/** When a run's id (UUIDv7) was made, milliseconds since the epoch (RFC 9562, section 5.7). */
export const createdAt = (run: string): number => Number.parseInt(run.slice(0, 8) + run.slice(9, 13), 16)

/** Milliseconds within which a run's stream is made after its id, unless the id is that of an earlier tick. */
const soon = 60_000

/** Whether a stream is that of a run whose id was made a while before `now`: it may have been there, and purged. */
export const mayBePurged = (stream: string, now: number): boolean => {
  const run = runOf(stream)
  return run !== undefined && createdAt(run) + soon < now
}

const isRunId = Schema.is(RunId)

/** True for the name of a stream that there can be. */
export const isOne = (stream: string): boolean => {
  const run = runOf(stream)
  if (run !== undefined) return isRunId(run)
  return stream === root || stream === system || schedulesOf(stream) !== undefined
}

/** Path of a stream's segment file below `ledger/`: runs lie by the month in their UUIDv7. */
export const segmentPath = (stream: string): string => {
  const run = runOf(stream)
  if (run === undefined) return `${stream}.ndjson`
  const created = new Date(createdAt(run))
  const month = String(created.getUTCMonth() + 1).padStart(2, "0")
  return `runs/${created.getUTCFullYear()}/${month}/${run}.ndjson`
}

/** Run id that a file name below `ledger/` stands for, wherever the file lies; undefined when it is no run's. */
export const runOfFile = (name: string): string | undefined => {
  const id = name.slice(name.lastIndexOf("/") + 1, -".ndjson".length)
  return name.endsWith(".ndjson") && isRunId(id) ? id : undefined
}

/** Run id of a file at its place; `path` is from `ledger/` on. A file anywhere else is not part of the ledger. */
export const runAt = (path: string): string | undefined => {
  const id = runOfFile(path)
  return id !== undefined && segmentPath(ofRun(id)) === path ? id : undefined
}

/** Stream of the schedules' file at its place; `path` is from `ledger/` on. */
export const schedulesAt = (path: string): string | undefined => {
  const stream = path.endsWith(".ndjson") ? path.slice(0, -".ndjson".length) : ""
  return schedulesOf(stream) === undefined ? undefined : stream
}
