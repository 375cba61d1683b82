import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { Entry } from "../../../domain/event.ts"
import * as Durable from "../../durable-files.ts"

/** Something that happened. `at` is milliseconds since the epoch; `of` says who or what says so. */
export interface Moment {
  readonly at: number
  readonly of: string
  readonly text: string
  readonly bad: boolean
}

/** What was read of a ledger, and what could not be. */
export interface Told {
  readonly moments: ReadonlyArray<Moment>
  readonly problems: ReadonlyArray<string>
}

/** So many of the newest runs are looked at; of the end of each, and of all of them, so many bytes are read. */
const mostRuns = 2_000
const mostBytes = 4 * 1024 * 1024
const mostBytesOfAll = 32 * 1024 * 1024

type Fields = Readonly<Record<string, unknown>>
const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {}

/** What is read of an entry. */
type Read = Pick<Entry, "data" | "time" | "type">

/** The entry of a line, by hand: there may be very many; undefined for a line that is none. */
const entryOf = (line: string): Read | undefined => {
  try {
    const { data, time, type } = fieldsOf(JSON.parse(line))
    return typeof time === "string" && typeof type === "string" ? { data, time, type } : undefined
  } catch {
    return undefined
  }
}

/** A line of a capture; nothing where it is none. */
const capturedOf = (text: string): Fields => {
  try {
    return fieldsOf(JSON.parse(text))
  } catch {
    return {}
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "?")

/** The model that an output says has become champion of a slot. */
const moveOf = (data: Fields): string | undefined => {
  const { deployed, moved, previous, slot, version } = fieldsOf(data.output)
  if (typeof version !== "string" || typeof slot !== "string") return undefined
  if (deployed !== true && moved !== true) return undefined
  const instead = typeof previous === "string" ? ` in place of ${previous}` : ""
  return `model ${version} became champion of ${slot}${instead}`
}

const short = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text)

/** What an entry says, where it belongs into a post-mortem record. `isOwn`: it is of the evacuation's own run. */
const say = (
  { data: given, type }: Read,
  isOwn: boolean,
): { readonly text: string; readonly bad?: true } | undefined => {
  const data = fieldsOf(given)
  const task = textOf(data.task)
  switch (type.replace(/^dev\.dandori\./, "")) {
    case "run.created.v1":
      return { text: "run started" }
    case "run.resumed.v1":
      return { text: "run goes on after an interruption" }
    case "run.suspended.v1":
      return { text: "its process let go of the run" }
    case "run.finished.v1":
      return { text: `run ${textOf(data.status)}`, ...(data.status === "succeeded" ? {} : { bad: true }) }
    case "run.held.v1":
      return { text: `held by cordon ${textOf(data.cordon)}: ${short(textOf(data.reason))}` }
    case "attempt.started.v1":
      return isOwn ? { text: `${task} started` } : undefined
    case "attempt.succeeded.v1": {
      const move = moveOf(data)
      if (move !== undefined) return { text: `${task}: ${move}` }
      return isOwn ? { text: `${task} finished` } : undefined
    }
    case "attempt.failed.v1":
      return { text: `${task} failed: ${short(textOf(fieldsOf(data.error).message))}`, bad: true }
    case "attempt.timed_out.v1":
      return { text: `${task} timed out`, bad: true }
    case "attempt.lost.v1":
    case "attempt.unknown.v1":
      return { text: `${task} ${type.includes("lost") ? "lost" : "unknown"}: ${short(textOf(data.reason))}`, bad: true }
    case "gate.failed.v1":
      return { text: `${task}: its gate failed`, bad: true }
    case "cancel.requested.v1":
      return { text: `cancel: ${short(textOf(data.reason))}` }
    case "ledger.stalled.v1":
      return { text: `the ledger could not be written: ${short(textOf(data.reason))}`, bad: true }
    case "cordon.raised.v1":
      return { text: `cordon ${textOf(data.cordon)} raised: ${short(textOf(data.reason))}` }
    case "cordon.lifted.v1":
      return { text: `cordon ${textOf(data.cordon)} lifted: ${short(textOf(data.reason))}` }
    case "pipeline.deployed.v1":
      return { text: `pipeline ${textOf(data.pipeline)} deployed to ${textOf(data.env)}` }
    case "ops.applied.v1":
      return { text: `operations flags: ${textOf(fieldsOf(data.change).operation)}: ${short(textOf(data.reason))}` }
    default:
      return undefined
  }
}

/** The entries in the last bytes of a stream's file, and how many bytes these are; lines that are none are left out. */
const entriesOf = Effect.fnUntraced(function* (path: string, most: number) {
  const text = yield* Effect.acquireUseRelease(
    Durable.attempt("open", path, () => Fs.open(path, "r")),
    (handle) =>
      Durable.attempt("read", path, async () => {
        const { size } = await handle.stat()
        const from = Math.max(0, size - most)
        const buffer = new Uint8Array(size - from)
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, from)
        return new TextDecoder().decode(buffer.subarray(0, bytesRead))
      }),
    (handle) => Effect.ignore(Durable.attempt("close", path, () => handle.close())),
  )
  return { bytes: text.length, entries: text.split("\n").flatMap((line) => entryOf(line) ?? []) }
})

const momentsOf = (
  stream: string,
  entries: ReadonlyArray<Read>,
  window: { readonly from: number; readonly to: number },
  own: string,
): ReadonlyArray<Moment> => {
  const pipeline = entries.map(({ data }) => fieldsOf(data).pipeline).find((name) => typeof name === "string")
  const of = stream === "system" ? "system" : `${textOf(pipeline ?? "run")} ${stream.slice(0, 8)}`
  return entries.flatMap((entry) => {
    const at = Date.parse(entry.time)
    if (!(at >= window.from && at <= window.to)) return []
    const said = say(entry, stream === own)
    return said === undefined ? [] : [{ at, of, text: said.text, bad: said.bad === true }]
  })
}

/** Files of runs that were written since a time, newest first: of the newest runs, whose names begin with their time. */
const recent = Effect.fnUntraced(function* (folder: string, since: number) {
  const names = yield* Durable.attempt("list", folder, () => Fs.readdir(folder, { recursive: true }))
  const all = names.filter((name) => name.endsWith(".ndjson")).toSorted()
  const looked = yield* Effect.forEach(
    all.slice(-mostRuns),
    (name) =>
      Durable.attempt("look at", name, () => Fs.stat(join(folder, name))).pipe(
        Effect.map(({ mtimeMs }) => ({ path: join(folder, name), mtimeMs })),
        Effect.orElseSucceed(() => ({ path: join(folder, name), mtimeMs: 0 })),
      ),
    { concurrency: 16 },
  )
  const files = looked.filter(({ mtimeMs }) => mtimeMs >= since).toSorted((a, b) => b.mtimeMs - a.mtimeMs)
  return { files: files.map(({ path }) => path), left: Math.max(0, all.length - mostRuns) }
})

/**
 * What a capture of a ledger in PostgreSQL says of a time (`captures/ledger-database.ts`), best effort: of its first bytes,
 * in which the system's stream and the newest runs are.
 */
export const readCapture = Effect.fn("LedgerTimeline.readCapture")(function* (
  path: string,
  window: { readonly from: number; readonly to: number },
  own: string,
) {
  const streams = new Map<string, Array<Read>>()
  const problems: Array<string> = []
  const text = yield* Durable.attempt("read", path, () => Bun.file(path).slice(0, mostBytesOfAll).text()).pipe(
    Effect.catch(({ code }) => {
      problems.push(`${path} cannot be read (${code})`)
      return Effect.succeed("")
    }),
  )
  for (const each of text.split("\n")) {
    const { line, stream } = capturedOf(each)
    if (typeof line !== "string" || typeof stream !== "string" || stream === "root") continue
    const entry = entryOf(line)
    if (entry === undefined) continue
    const name = stream.replace(/^runs\//, "")
    const entries = streams.get(name) ?? []
    entries.push(entry)
    streams.set(name, entries)
  }
  const moments = [...streams].flatMap(([stream, entries]) => momentsOf(stream, entries, window, own))
  return { moments, problems } satisfies Told
})

/**
 * What the files of a ledger say of a time, best effort: nothing of them is verified here. `own` is the evacuation's run, of
 * which every step is told.
 */
export const read = Effect.fn("LedgerTimeline.read")(function* (
  ledger: string,
  window: { readonly from: number; readonly to: number },
  own: string,
) {
  const problems: Array<string> = []
  const orNothing = <A>(reading: Effect.Effect<A, Durable.FileFailed>, nothing: A) =>
    Effect.catch(reading, ({ code, path }) => {
      if (code !== "ENOENT") problems.push(`${path} cannot be read (${code})`)
      return Effect.succeed(nothing)
    })
  const { files, left } = yield* orNothing(recent(join(ledger, "runs"), window.from), { files: [], left: 0 })
  if (left > 0) problems.push(`the newest ${mostRuns} runs were looked at; ${left} older ones were not`)
  const streams = [
    { stream: "system", path: join(ledger, "system.ndjson") },
    ...files.map((path) => ({ stream: path.slice(path.lastIndexOf("/") + 1, -".ndjson".length), path })),
  ].toSorted((a, b) => Number(b.stream === own) - Number(a.stream === own))
  const moments: Array<ReadonlyArray<Moment>> = []
  let room = mostBytesOfAll
  for (const [index, { path, stream }] of streams.entries()) {
    if (room <= 0) {
      problems.push(`of ${streams.length} streams of that time, ${index} were read`)
      break
    }
    const { bytes, entries } = yield* orNothing(entriesOf(path, Math.min(mostBytes, room)), { bytes: 0, entries: [] })
    room -= bytes
    moments.push(momentsOf(stream, entries, window, own))
  }
  return { moments: moments.flat(), problems } satisfies Told
})
