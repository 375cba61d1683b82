import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { EvacuationSection } from "../../../domain/config/evacuation.ts"
import { formatDuration, parseDuration } from "../../../domain/quantity.ts"
import type * as Durable from "../../durable-files.ts"
import { Notifier, type NotifyError } from "../../notifier.ts"
import { type IncidentFolder, readDocument, writeDocument } from "../incident/incidents.ts"

/**
 * One promise of a drill: `first_byte` and `complete` in milliseconds from its opening, at most; `coverage` as a share, at
 * least. `observed` is missing where it did not come to it, which breaks the promise.
 */
export const Promised = Schema.Struct({
  name: Schema.Literals(["first_byte", "complete", "coverage"]),
  promised: Schema.Finite,
  observed: Schema.optionalKey(Schema.Finite),
  kept: Schema.Boolean,
}).annotate({ identifier: "Promised" })
export type Promised = typeof Promised.Type

/** The file of a drill's promises in its incident's folder. */
export const file = "promises.json"
const Document = Schema.Array(Promised)

/** What was seen of a drill. Times are milliseconds since the epoch. */
export interface Observed {
  readonly opened: number
  /** When a destination confirmed the first object. */
  readonly first?: number | undefined
  /** When it was complete; undefined when it is not. */
  readonly completed?: number | undefined
  /** How much of what was seen is in the bundles. */
  readonly coverage?: { readonly seen: number; readonly taken: number } | undefined
}

const promise = (
  name: Promised["name"],
  promised: number,
  observed: number | undefined,
  isKept: (value: number) => boolean,
): Promised => ({
  name,
  promised,
  ...(observed === undefined ? {} : { observed }),
  kept: observed !== undefined && isKept(observed),
})

/** Holds what was seen of a drill against `evacuation.promises`. Of a drill that saw nothing no coverage is known. */
export const judge = (
  promises: EvacuationSection["promises"],
  { completed, coverage, first, opened }: Observed,
): ReadonlyArray<Promised> => {
  const time = (name: "first_byte" | "complete", at: number | undefined) => {
    const most = parseDuration(promises[name]) ?? 0
    return promise(name, most, at === undefined ? undefined : Math.max(0, at - opened), (took) => took <= most)
  }
  const share = coverage === undefined || coverage.seen <= 0 ? undefined : coverage.taken / coverage.seen
  return [
    time("first_byte", first),
    time("complete", completed),
    promise("coverage", promises.coverage, share, (observed) => observed >= promises.coverage),
  ]
}

const titles = { first_byte: "first byte confirmed", complete: "complete", coverage: "coverage" } as const

/** A promise's value for people. */
export const text = (name: Promised["name"], value: number | undefined): string => {
  if (value === undefined) return name === "coverage" ? "not known" : "never"
  if (name === "coverage") return `${Number((value * 100).toFixed(2))} %`
  return value < 60_000 ? `${Number((value / 1_000).toFixed(2))}s` : formatDuration(Math.round(value / 1_000) * 1_000)
}

/** A promise in words: `first byte confirmed: 41s, promised 30s`. */
export const sentence = ({ name, observed, promised }: Promised): string =>
  `${titles[name]}: ${text(name, observed)}, promised ${text(name, promised)}`

/** What the alarm of a drill's broken promises is known by. */
export const dedupKey = "evacuation-drill"

/** Keeps a drill's promises in its incident's folder. Durable on return. */
export const keep = (
  { path }: IncidentFolder,
  promises: ReadonlyArray<Promised>,
): Effect.Effect<void, Durable.FileFailed> =>
  writeDocument(
    path,
    file,
    promises.map((promised) => ({ ...promised })),
  )

/** The promises that were kept in an incident's folder; none where there are none. */
export const read = (folder: string): Effect.Effect<ReadonlyArray<Promised>> =>
  Effect.map(
    readDocument(folder, file, Document),
    Option.getOrElse((): ReadonlyArray<Promised> => []),
  )

/**
 * Tells `on-call` that a drill has broken promises, or that one has kept them all, which ends that alarm. The same drill
 * says the same thing once.
 */
export const notify = Effect.fn("Promises.notify")(function* (
  { incident, path }: IncidentFolder,
  promises: ReadonlyArray<Promised>,
): Effect.fn.Return<void, NotifyError, Notifier> {
  const missed = promises.filter(({ kept }) => !kept)
  const about = { channel: "on-call", dedupKey, key: `${dedupKey}/${incident.id}/${missed.length}` }
  yield* (yield* Notifier).send(
    missed.length > 0
      ? {
          ...about,
          severity: "critical",
          title: `The evacuation drill ${incident.id} missed ${missed.length} of ${promises.length} promises`,
          text: `${missed.map(sentence).join("; ")}. The record: ${path}/report.html on ${incident.host}`,
        }
      : {
          ...about,
          severity: "info",
          action: "resolve",
          title: `The evacuation drill ${incident.id} kept its promises`,
          text: promises.map(sentence).join("; "),
        },
  )
})
