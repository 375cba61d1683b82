import * as CronPattern from "../domain/cron-pattern.ts"
import * as CronSyntax from "../domain/cron-syntax.ts"
import { Catchup, DstPolicy, Overlap, type Schedule } from "../domain/schedule.ts"
import { didYouMean } from "../domain/suggest.ts"
import * as Tick from "../domain/tick.ts"
import * as TimeZone from "../domain/time-zone.ts"
import type { Definition } from "./definition.ts"
import type { FieldReader } from "./field-reader.ts"
import { type Located, type LocatedEntry, entryOf, get, kindOf } from "./located.ts"
import * as TriggerParams from "./trigger-params.ts"

const keys = ["configured", "cron", "timezone", "params", "jitter", "overlap", "catchup", "dst", "pauseAfter"]

/** The years that a pattern and a zone are judged by: fixed, so that a file that compiles today compiles tomorrow. */
const judgedFrom = Date.UTC(2026, 0, 1)
const judgedTo = Date.UTC(2046, 0, 1)

const defaultDst: DstPolicy = { gap: "shift", overlap: "first" }

/** A required text of the schedule. */
const required = (reader: FieldReader, entry: LocatedEntry, key: string, what: string): string | undefined => {
  if (get(entry.value, key) !== undefined) return reader.text(entry.value, key, "schedule")
  return reader.report(entry.keyAt, "schedule", `The schedule has no ${key}: ${what}.`)
}

const readCron = (reader: FieldReader, entry: LocatedEntry): string | undefined => {
  const text = required(reader, entry, "cron", "when does it tick? Like cron: '0 3 * * *'")
  if (text === undefined) return undefined
  const at = get(entry.value, "cron")?.at ?? entry.keyAt
  const problem = CronSyntax.problem(text)
  if (problem !== undefined)
    return reader.report(at, "schedule.cron", `${JSON.stringify(text)} is no cron pattern: ${problem}`)
  if (CronSyntax.isEvent(text)) {
    const hint = "is an event, and a schedule has times. Name them, like cron: '@daily'."
    return reader.report(at, "schedule.cron", `"${text.trim()}" ${hint}`)
  }
  const pattern = CronSyntax.normalise(text)
  if (CronPattern.first(pattern, judgedFrom) !== undefined) return pattern
  return reader.report(at, "schedule.cron", `"${text}" matches no time from 2026 on.`)
}

const readTimezone = (reader: FieldReader, entry: LocatedEntry): string | undefined => {
  const zone = required(reader, entry, "timezone", "whose clocks does it go by? Like timezone: Asia/Tokyo, or UTC")
  if (zone === undefined) return undefined
  const names = TimeZone.names()
  const cased = names.find((name) => name !== zone && name.toLowerCase() === zone.toLowerCase())
  if (TimeZone.isTimeZone(zone) && cased === undefined) return zone
  const hint = cased === undefined ? didYouMean(zone, names) : ` Did you mean "${cased}"?`
  const at = get(entry.value, "timezone")?.at ?? entry.keyAt
  return reader.report(at, "schedule.timezone", `"${zone}" is no IANA time zone, like Asia/Tokyo or UTC.${hint}`)
}

const readCatchup = (reader: FieldReader, parent: Located): Schedule["catchup"] => {
  const entry = entryOf(parent, "catchup")
  const path = "schedule.catchup"
  const policies = Catchup.fields.policy.literals
  if (entry === undefined || reader.map(entry.value, path, "catchup", ["policy", "window"]) === undefined) {
    return { policy: "none" }
  }
  const node = entry.value
  if (get(node, "policy") === undefined) {
    reader.report(entry.keyAt, path, `catchup has no policy: ${policies.join(", ")}.`)
  }
  const policy = reader.choice(node, "policy", path, policies)
  const window = reader.duration(node, "window", path)
  const given = get(node, "window")
  if (policy === "none" && given !== undefined) {
    reader.report(given.at, `${path}.window`, "The policy none catches nothing up. Leave the window out.")
  }
  if (policy === undefined || policy === "none") return { policy: "none" }
  if (given === undefined) {
    reader.report(entry.keyAt, path, `The policy ${policy} needs a window: how old a tick may be, like window: 2d.`)
  }
  return { policy, ...(window === undefined ? {} : { window }) }
}

/** The policy for jumps of the clocks; undefined for a pattern that matches every hour, which needs none. */
const readDst = (
  reader: FieldReader,
  schedule: LocatedEntry,
  cron: string | undefined,
  zone: string | undefined,
): DstPolicy | undefined => {
  const entry = entryOf(schedule.value, "dst")
  const path = "schedule.dst"
  const node = entry && reader.map(entry.value, path, "dst", ["gap", "overlap"])
  const gap = node && reader.choice(node, "gap", path, DstPolicy.fields.gap.literals)
  const overlap = node && reader.choice(node, "overlap", path, DstPolicy.fields.overlap.literals)
  if (cron === undefined || !CronPattern.fixesHour(cron)) return undefined
  const jumps = zone !== undefined && TimeZone.transitions(zone, judgedFrom, judgedTo).length > 0
  if (jumps && entry === undefined) {
    reader.report(
      schedule.keyAt,
      "schedule",
      `The clocks of ${zone} jump, and the pattern names hours. Say what becomes of a time that does not exist (skip, shift) and of one that comes twice (first, second, both): dst: { gap: shift, overlap: first }.`,
    )
  }
  if (jumps && entry !== undefined && node !== undefined) {
    for (const key of ["gap", "overlap"] as const) {
      if (get(node, key) !== undefined) continue
      reader.report(entry.keyAt, path, `dst has no ${key}: ${DstPolicy.fields[key].literals.join(", ")}.`)
    }
  }
  return { gap: gap ?? defaultDst.gap, overlap: overlap ?? defaultDst.overlap }
}

/** A tick that the schedule has. */
const sampleTick = (cron: string | undefined, timezone: string | undefined): TriggerParams.Trigger["sample"] => {
  const local = cron === undefined ? undefined : CronPattern.first(cron, judgedFrom)
  if (timezone === undefined || local === undefined) return undefined
  const tick = Tick.factsOf(timezone, TimeZone.instantOf(timezone, local))
  return { at: `at the tick ${tick.time}`, facts: Tick.factsFor(tick) }
}

/**
 * Reads `schedule`, in the one form that plans hold; undefined without one, or where it makes no sense. Every mistake
 * goes to the reader. Comes after the check of the params' own schemas.
 */
export const read = (reader: FieldReader, definition: Definition): Schedule | undefined => {
  const entry = definition.schedule
  if (entry === undefined) return undefined
  const node = entry.value
  if (node.kind !== "map") {
    return reader.report(node.at, "schedule", `schedule must be a map with cron and timezone, not ${kindOf(node)}.`)
  }
  reader.map(node, "schedule", "schedule", keys)
  const cron = readCron(reader, entry)
  const timezone = readTimezone(reader, entry)
  const params = TriggerParams.read(reader, definition, {
    path: "schedule",
    section: entry,
    scope: Tick.scope,
    only: "A schedule's params may name run.tick only.",
    giver: "a tick",
    sample: sampleTick(cron, timezone),
  })
  const jitter = reader.duration(node, "jitter", "schedule")
  const overlap = reader.choice(node, "overlap", "schedule", Overlap.literals) ?? "skip"
  const catchup = readCatchup(reader, node)
  const dst = readDst(reader, entry, cron, timezone)
  const pauseAfter = reader.number(node, "pauseAfter", "schedule", { min: 1, max: 1_000, whole: true })
  if (cron === undefined || timezone === undefined) return undefined
  return {
    cron,
    timezone,
    params,
    ...(jitter === undefined || jitter === 0 ? {} : { jitter }),
    overlap,
    catchup,
    ...(dst === undefined ? {} : { dst }),
    ...(pauseAfter === undefined ? {} : { pauseAfter }),
  }
}
