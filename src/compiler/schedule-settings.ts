import * as CronPattern from "../domain/cron-pattern.ts"
import { Catchup, DstPolicy, Overlap, type Schedule } from "../domain/schedule.ts"
import { didYouMean } from "../domain/suggest.ts"
import * as TimeZone from "../domain/time-zone.ts"
import type { Definition } from "./definition.ts"
import type { FieldReader } from "./field-reader.ts"
import { type Located, get, kindOf } from "./located.ts"
import * as ScheduleParams from "./schedule-params.ts"

const keys = ["cron", "timezone", "params", "jitter", "overlap", "catchup", "dst"]

/** The years that a pattern and a zone are judged by: fixed, so that a file that compiles today compiles tomorrow. */
const judgedFrom = Date.UTC(2026, 0, 1)
const judgedTo = Date.UTC(2046, 0, 1)

const defaultDst: DstPolicy = { gap: "shift", overlap: "first" }

/** A required text of the schedule. */
const required = (reader: FieldReader, node: Located, key: string, what: string): string | undefined => {
  if (get(node, key) === undefined) return reader.report(node.at, "schedule", `The schedule has no ${key}: ${what}.`)
  return reader.text(node, key, "schedule")
}

const readCron = (reader: FieldReader, node: Located): string | undefined => {
  const text = required(reader, node, "cron", "when does it tick? Like cron: '0 3 * * *'")
  if (text === undefined) return undefined
  const at = get(node, "cron")?.at ?? node.at
  const problem = CronPattern.problem(text)
  if (problem !== undefined) return reader.report(at, "schedule.cron", `"${text}" is no cron pattern: ${problem}`)
  const pattern = CronPattern.normalise(text)
  if (CronPattern.first(pattern, judgedFrom) !== undefined) return pattern
  return reader.report(at, "schedule.cron", `"${text}" matches no time from 2026 on.`)
}

const readTimezone = (reader: FieldReader, node: Located): string | undefined => {
  const zone = required(reader, node, "timezone", "whose clocks does it go by? Like timezone: Asia/Tokyo, or UTC")
  if (zone === undefined) return undefined
  const names = TimeZone.names()
  const cased = names.find((name) => name !== zone && name.toLowerCase() === zone.toLowerCase())
  if (TimeZone.isTimeZone(zone) && cased === undefined) return zone
  const hint = cased === undefined ? didYouMean(zone, names) : ` Did you mean "${cased}"?`
  const at = get(node, "timezone")?.at ?? node.at
  return reader.report(at, "schedule.timezone", `"${zone}" is no IANA time zone, like Asia/Tokyo or UTC.${hint}`)
}

const readCatchup = (reader: FieldReader, parent: Located): Schedule["catchup"] => {
  const node = get(parent, "catchup")
  const path = "schedule.catchup"
  if (node === undefined || reader.map(node, path, "catchup", ["policy", "window"]) === undefined) {
    return { policy: "none" }
  }
  if (get(node, "policy") === undefined) {
    reader.report(node.at, path, `catchup has no policy: ${Catchup.fields.policy.literals.join(", ")}.`)
  }
  const policy = reader.choice(node, "policy", path, Catchup.fields.policy.literals) ?? "none"
  const window = reader.duration(node, "window", path)
  const given = get(node, "window")
  if (policy === "none") {
    if (given !== undefined && get(node, "policy") !== undefined) {
      reader.report(given.at, `${path}.window`, "The policy none catches nothing up. Leave the window out.")
    }
    return { policy }
  }
  if (given === undefined) {
    reader.report(node.at, path, `The policy ${policy} needs a window: how old a tick may be, like window: 2d.`)
  }
  return { policy, ...(window === undefined ? {} : { window }) }
}

/** The policy for jumps of the clocks; undefined for a pattern that matches every hour, which needs none. */
const readDst = (
  reader: FieldReader,
  parent: Located,
  cron: string | undefined,
  zone: string | undefined,
): DstPolicy | undefined => {
  const node = get(parent, "dst")
  const path = "schedule.dst"
  const known = node !== undefined && reader.map(node, path, "dst", ["gap", "overlap"]) !== undefined
  const gap = known ? reader.choice(node, "gap", path, DstPolicy.fields.gap.literals) : undefined
  const overlap = known ? reader.choice(node, "overlap", path, DstPolicy.fields.overlap.literals) : undefined
  if (cron === undefined || !CronPattern.fixesHour(cron)) return undefined
  const jumps = zone !== undefined && TimeZone.transitions(zone, judgedFrom, judgedTo).length > 0
  if (jumps && node === undefined) {
    reader.report(
      parent.at,
      "schedule",
      `The clocks of ${zone} jump, and the pattern names hours. Say what becomes of a time that does not exist (skip, shift) and of one that comes twice (first, second, both): dst: { gap: shift, overlap: first }.`,
    )
  }
  if (jumps && known) {
    const missing = (["gap", "overlap"] as const).filter((key) => get(node, key) === undefined)
    for (const key of missing) {
      reader.report(node.at, path, `dst has no ${key}: ${DstPolicy.fields[key].literals.join(", ")}.`)
    }
  }
  return { gap: gap ?? defaultDst.gap, overlap: overlap ?? defaultDst.overlap }
}

/**
 * Reads `schedule`, in the one form that plans hold; undefined without one, or where it makes no sense. Every mistake
 * goes to the reader. Comes after the check of the params' own schemas.
 */
export const read = (reader: FieldReader, definition: Definition): Schedule | undefined => {
  const node = definition.schedule
  if (node === undefined) return undefined
  if (node.kind !== "map") {
    return reader.report(node.at, "schedule", `schedule must be a map with cron and timezone, not ${kindOf(node)}.`)
  }
  reader.map(node, "schedule", "schedule", keys)
  const cron = readCron(reader, node)
  const timezone = readTimezone(reader, node)
  const first =
    cron === undefined || timezone === undefined
      ? undefined
      : TimeZone.instantOf(timezone, CronPattern.first(cron, judgedFrom) ?? judgedFrom)
  const sample = first === undefined || timezone === undefined ? undefined : { timezone, at: first }
  const params = ScheduleParams.read(reader, definition, node, sample)
  const jitter = reader.duration(node, "jitter", "schedule")
  const overlap = reader.choice(node, "overlap", "schedule", Overlap.literals) ?? "skip"
  const catchup = readCatchup(reader, node)
  const dst = readDst(reader, node, cron, timezone)
  if (cron === undefined || timezone === undefined) return undefined
  return {
    cron,
    timezone,
    params,
    ...(jitter === undefined || jitter === 0 ? {} : { jitter }),
    overlap,
    catchup,
    ...(dst === undefined ? {} : { dst }),
  }
}
