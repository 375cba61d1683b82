import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Semaphore from "effect/Semaphore"
import { Collected } from "../../../domain/collected.ts"
import type { CommandCollector, EndpointCollector, MachineCollector } from "../../../domain/config/evacuation.ts"
import { formatDuration, parseDuration, parseSize } from "../../../domain/quantity.ts"
import * as Sha256 from "../../../domain/sha256.ts"
import * as Durable from "../../durable-files.ts"
import { Settings } from "../../settings.ts"
import * as Command from "./command.ts"
import * as Endpoint from "./endpoint.ts"
import { facts } from "./facts.ts"
import * as Captures from "./capture.ts"
import * as Incidents from "../incident/incidents.ts"
import * as KnownSecrets from "../redaction/known-secrets.ts"
import * as Redaction from "../redaction/redaction.ts"

/** A collector whose evidence is a capture. */
type Collector = MachineCollector | CommandCollector | EndpointCollector

const usualMillis = 10_000
const usualBytes = 64 * 1024 * 1024
/** Captures that are taken at the same time. */
const together = 4
const longestReason = 500
const listName = "collected.ndjson"

/** What became of the captures, newest outcome of each, in order of value; and what could not be recorded. */
export interface Taken {
  readonly outcomes: ReadonlyArray<Collected>
  readonly problems: ReadonlyArray<string>
}

const sourceOf = (collector: Collector): Captures.Capture =>
  collector.kind === "machine"
    ? facts[collector.what]
    : collector.kind === "command"
      ? Command.of(collector)
      : Endpoint.of(collector)

/** How a capture ended that did not end well. */
const endOf = (cause: Cause.Cause<Captures.NothingToTake | Captures.CaptureFailed>) => {
  const error = Cause.squash(cause)
  if (error instanceof Captures.NothingToTake) return { outcome: "skipped", reason: error.reason } as const
  if (error instanceof Captures.CaptureFailed) return { outcome: "failed", reason: error.reason } as const
  const message = error instanceof Error ? error.message : String(error)
  return { outcome: "failed", reason: `taking it went wrong: ${message}` } as const
}

/** Writes a capture beside those that are there: what was captured before is never replaced. */
const write = Effect.fnUntraced(function* (folder: string, name: string, text: string) {
  yield* Durable.makeFolderDurably(join(folder, "captures"), { mode: 0o700 })
  for (let number = 1; ; number++) {
    const path = `captures/${name}${number === 1 ? "" : `-${number}`}.txt`
    const written = yield* Effect.result(Durable.writeNewFileDurably(join(folder, path), text, { mode: 0o600 }))
    if (written._tag === "Success") return path
    if (written.failure.code !== "EEXIST") return yield* written.failure
  }
})

/** Whether an earlier call has taken it, and it is still what was taken. */
const isThere = (folder: string, { outcome, path, sha256 }: Collected): Effect.Effect<boolean> => {
  if (outcome === "skipped") return Effect.succeed(true)
  if (outcome === "failed" || path === undefined) return Effect.succeed(false)
  return Durable.digestFile(join(folder, path)).pipe(
    Effect.map((found) => found.sha256 === sha256),
    Effect.orElseSucceed(() => false),
  )
}

const takeOne = Effect.fnUntraced(function* (
  collector: Collector,
  scene: Omit<Captures.Scene, "limitMillis" | "maxBytes">,
  known: ReadonlyArray<string>,
) {
  const { path: folder, call } = scene.folder
  const { sections } = yield* Settings
  const redactor = Redaction.make(sections.evacuation.redact, known)
  const began = yield* Clock.currentTimeMillis
  const left = call.deadline === undefined ? Infinity : call.deadline - began
  const own = (collector.time === undefined ? undefined : parseDuration(collector.time)) ?? usualMillis
  const maxBytes = (collector.max_bytes === undefined ? undefined : parseSize(collector.max_bytes)) ?? usualBytes
  const limitMillis = Math.min(own, left)
  const lines = Captures.collect(redactor, maxBytes)
  const late = new Captures.CaptureFailed({
    reason: left <= own ? "deadline" : `it took more than ${formatDuration(own)}; give it more time`,
  })
  const exit =
    left <= 0
      ? Exit.fail(late)
      : yield* Effect.suspend(() => sourceOf(collector)(lines, { ...scene, limitMillis, maxBytes })).pipe(
          Effect.timeoutOrElse({ duration: limitMillis, orElse: () => Effect.fail(late) }),
          Effect.exit,
        )
  if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
  const text = lines.text()
  const end = Exit.isSuccess(exit) ? ({ outcome: "ok" } as const) : endOf(exit.cause)
  const isKept = end.outcome === "ok" || (end.outcome === "failed" && text !== "")
  const written = isKept ? yield* Effect.result(write(folder, collector.name, text)) : undefined
  const { outcome, reason } =
    written?._tag === "Failure"
      ? {
          outcome: "failed" as const,
          reason: [...("reason" in end ? [end.reason] : []), written.failure.message].join("; "),
        }
      : { reason: undefined, ...end }
  const counts = redactor.counts()
  const bytes = written?._tag === "Success" ? Buffer.byteLength(text) : 0
  return Collected.make({
    collector: collector.name,
    to: "evidence",
    outcome,
    began,
    ended: yield* Clock.currentTimeMillis,
    files: written?._tag === "Success" ? 1 : 0,
    bytes,
    ...(reason === undefined ? {} : { reason: Redaction.make([], known).text(reason).slice(0, longestReason) }),
    ...(written?._tag === "Success" ? { path: written.success, sha256: Sha256.of(text) } : {}),
    ...(lines.isTruncated() ? { truncated: true } : {}),
    ...(counts.length === 0 ? {} : { redactions: counts }),
  })
})

/**
 * Takes the captures of a time, the most valuable first, each into a file of its own under `captures/`, and says in
 * `collected.ndjson` how each ended. One that was taken by an earlier call is not taken again. What a capture had when it
 * failed is kept. `version` is this program's.
 */
export const take = Effect.fn("Capture.take")(function* (
  folder: Incidents.IncidentFolder,
  when: "volatile" | "durable",
  version: string,
) {
  const { sections } = yield* Settings
  const known = yield* KnownSecrets.read
  const earlier = yield* Incidents.readLines(folder.path, listName, Collected).pipe(Effect.orElseSucceed(() => []))
  const newest = new Map(earlier.map((outcome) => [outcome.collector, outcome]))
  const turn = Semaphore.makeUnsafe(1)
  const say = (...lines: ReadonlyArray<Collected>) => turn.withPermit(Incidents.addLines(folder.path, listName, lines))
  // Where a large capture fills the disk for a moment, the others' outcomes are told after it is gone again.
  const unsaid: Array<Collected> = []
  const collectors = sections.evacuation.collectors
    .flatMap((collector) => (collector.kind !== "files" && collector.when === when ? [collector] : []))
    .toSorted((a, b) => a.value - b.value)
  const outcomes = yield* Effect.forEach(
    collectors,
    Effect.fnUntraced(function* (collector) {
      const before = newest.get(collector.name)
      if (before !== undefined && (yield* isThere(folder.path, before))) return before
      const outcome = yield* takeOne(collector, { folder, version }, known)
      yield* say(outcome).pipe(Effect.catch(() => Effect.sync(() => unsaid.push(outcome))))
      return outcome
    }),
    { concurrency: together },
  )
  const problems = yield* say(...unsaid).pipe(
    Effect.match({
      onSuccess: () => [],
      onFailure: ({ message }) => unsaid.map(({ collector }) => `${collector}: ${message}`),
    }),
  )
  return { outcomes, problems } satisfies Taken
})
