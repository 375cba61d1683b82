import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Entry } from "../../domain/event.ts"
import * as Durable from "../durable-files.ts"

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

/** Most runs that are looked at, and most bytes of the end of each. */
const mostRuns = 200
const mostBytes = 4 * 1024 * 1024

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Entry))

type Fields = Readonly<Record<string, unknown>>
const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {}
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
  { data: given, type }: Entry,
  isOwn: boolean,
): { readonly text: string; readonly bad?: true } | undefined => {
  const data = fieldsOf(given)
  const task = textOf(data.task)
  switch (type.replace(/^dev\.dandori\./, "")) {
    case "run.created.v1":
      return { text: "run started" }
    case "run.resumed.v1":
      return { text: "run goes on after an interruption" }
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

/** The entries at the end of a stream's file; lines that are none are left out. */
const entriesOf = Effect.fnUntraced(function* (path: string) {
  const text = yield* Effect.acquireUseRelease(
    Durable.attempt("open", path, () => Fs.open(path, "r")),
    (handle) =>
      Durable.attempt("read", path, async () => {
        const { size } = await handle.stat()
        const from = Math.max(0, size - mostBytes)
        const buffer = new Uint8Array(size - from)
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, from)
        return new TextDecoder().decode(buffer.subarray(0, bytesRead))
      }),
    (handle) => Effect.ignore(Durable.attempt("close", path, () => handle.close())),
  )
  return text.split("\n").flatMap((line) => Option.toArray(decode(line)))
})

const momentsOf = (
  stream: string,
  entries: ReadonlyArray<Entry>,
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

/** Files of runs that were written since a time, the newest at most. */
const recent = Effect.fnUntraced(function* (folder: string, since: number) {
  const names = yield* Durable.attempt("list", folder, () => Fs.readdir(folder, { recursive: true }))
  const files = names.filter((name) => name.endsWith(".ndjson")).map((name) => join(folder, name))
  const looked = yield* Effect.forEach(
    files,
    (path) =>
      Durable.attempt("look at", path, () => Fs.stat(path)).pipe(
        Effect.map(({ mtimeMs }) => ({ path, mtimeMs })),
        Effect.orElseSucceed(() => ({ path, mtimeMs: 0 })),
      ),
    { concurrency: 16 },
  )
  return looked.filter(({ mtimeMs }) => mtimeMs >= since).toSorted((a, b) => b.mtimeMs - a.mtimeMs)
})

/**
 * What the files of a ledger say of a time, best effort: nothing of them is verified here, and a ledger that lies in
 * PostgreSQL has no files. `own` is the evacuation's run, of which every step is told.
 */
export const read = Effect.fn("LedgerTimeline.read")(function* (
  ledger: string,
  window: { readonly from: number; readonly to: number },
  own: string,
) {
  const problems: Array<string> = []
  const note = <A>(fallback: A) =>
    Effect.catch((error: Durable.FileFailed) => {
      if (error.code !== "ENOENT") problems.push(`${error.path} cannot be read (${error.code})`)
      return Effect.succeed(fallback)
    })
  const runs = yield* recent(join(ledger, "runs"), window.from).pipe(note([]))
  if (runs.length > mostRuns) problems.push(`of ${runs.length} runs of that time, the newest ${mostRuns} were read`)
  const streams = [
    { stream: "system", path: join(ledger, "system.ndjson") },
    ...runs
      .slice(0, mostRuns)
      .map(({ path }) => ({ stream: path.slice(path.lastIndexOf("/") + 1, -".ndjson".length), path })),
  ]
  const moments = yield* Effect.forEach(streams, ({ path, stream }) =>
    entriesOf(path).pipe(
      Effect.map((entries) => momentsOf(stream, entries, window, own)),
      note<ReadonlyArray<Moment>>([]),
    ),
  )
  return { moments: moments.flat(), problems } satisfies Told
})
