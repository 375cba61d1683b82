import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type ConfiguredSchedule, ConfiguredSchedules } from "../domain/configured-schedules.ts"
import { didYouMean } from "../domain/suggest.ts"
import type { FieldReader } from "./field-reader.ts"
import * as Located from "./located.ts"
import type { LocatedEntry } from "./located.ts"

/** What the configuration says of a schedule, and the pipeline that names it does not. */
const given = ["cron", "timezone", "pauseAfter"]

/** An entry that stands where the name of its schedule stands. */
const put = (key: string, value: unknown, { keyAt, value: { at } }: LocatedEntry): LocatedEntry => ({
  key,
  keyAt,
  value: Located.fromJson(value, () => at),
})

/** The entries of a map that have none of these keys. */
const othersOf = (node: Located.Located, keys: ReadonlyArray<string>): ReadonlyArray<LocatedEntry> =>
  node.kind === "map" ? node.entries.filter(({ key }) => !keys.includes(key)) : []

/** What the configuration says under the name; undefined where it says nothing, which the reader is told. */
const find = Effect.fnUntraced(function* (reader: FieldReader, schedule: Located.Located, { value }: LocatedEntry) {
  const name = reader.text(schedule, "configured", "schedule")
  if (name === undefined) return undefined
  const known = yield* Effect.result(yield* ConfiguredSchedules)
  if (Result.isFailure(known)) return reader.report(value.at, "schedule.configured", known.failure.message)
  const names = [...known.success.keys()]
  const hint = `${didYouMean(name, names)} Known: ${names.join(", ")}.`
  return (
    known.success.get(name) ??
    reader.report(value.at, "schedule.configured", `The configuration has no schedule "${name}".${hint}`)
  )
})

const timesOf = (schedule: Located.Located, named: LocatedEntry, found: ConfiguredSchedule): Located.Located => {
  const { cron, pauseAfter, timezone, window } = found
  const isLate = window !== undefined && Located.get(schedule, "catchup") === undefined
  return {
    kind: "map",
    at: schedule.at,
    entries: [
      put("cron", cron, named),
      put("timezone", timezone, named),
      ...(pauseAfter === undefined ? [] : [put("pauseAfter", pauseAfter, named)]),
      ...(isLate ? [put("catchup", { policy: "last", window }, named)] : []),
      ...othersOf(schedule, ["configured", ...given]),
    ],
  }
}

/** The `defaults` of the document with the retries of the schedule; as they are where they have their own. */
const defaultsOf = (document: Located.Located, named: LocatedEntry, { retry }: ConfiguredSchedule) => {
  const own = Located.entryOf(document, "defaults")
  const isOwn = own !== undefined && (own.value.kind !== "map" || Located.get(own.value, "retry") !== undefined)
  if (retry === undefined || isOwn) return own
  const backoff = { initial: retry.delay, factor: 1, max: retry.delay, jitter: "none" }
  const retries = put("retry", { attempts: retry.attempts, backoff }, named)
  const entries = own === undefined ? [retries] : [...othersOf(own.value, []), retries]
  return { key: "defaults", keyAt: named.keyAt, ...own, value: { kind: "map", at: named.value.at, entries } as const }
}

/**
 * The document with what the configuration says of the schedule that it names by `configured`: its times, after how many
 * failures it pauses, and, where the pipeline does not say them itself, how old a tick may be to be caught up and what its
 * tasks do after a failure. As it is where it names none; without the schedule where that makes no sense, which the reader
 * is told.
 */
export const expand = Effect.fnUntraced(function* (
  reader: FieldReader,
  document: Located.Located,
): Effect.fn.Return<Located.Located> {
  const schedule = Located.entryOf(document, "schedule")
  const named = schedule && Located.entryOf(schedule.value, "configured")
  if (schedule === undefined || named === undefined) return document
  for (const key of given) {
    const entry = Located.entryOf(schedule.value, key)
    if (entry === undefined) continue
    reader.report(entry.keyAt, `schedule.${key}`, `The configured schedule says ${key}. Leave it out here.`)
  }
  const found = yield* find(reader, schedule.value, named)
  if (found === undefined) return { kind: "map", at: document.at, entries: othersOf(document, ["schedule"]) }
  const defaults = defaultsOf(document, named, found)
  return {
    kind: "map",
    at: document.at,
    entries: [
      ...othersOf(document, ["schedule", "defaults"]),
      { ...schedule, value: timesOf(schedule.value, named, found) },
      ...(defaults === undefined ? [] : [defaults]),
    ],
  }
})
