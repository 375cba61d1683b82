import { Cron, CronPattern } from "croner"
import * as CronSyntax from "./cron-syntax.ts"

/** True where the pattern leaves out some hour of the day, so that it matters what becomes of an hour that is not there. */
export const fixesHour = (pattern: string): boolean =>
  new CronPattern(CronSyntax.plain(pattern)).hour.some((on) => on === 0)

/** A pattern, parsed: its days are croner's; a day that it matches has all its times, in milliseconds. */
interface Parsed {
  readonly cron: Cron
  readonly hours: ReadonlyArray<number>
  readonly minutes: ReadonlyArray<number>
  readonly seconds: ReadonlyArray<number>
}

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

const mostPatterns = 5_000
const known = new Map<string, Parsed>()

/** The times that a field of a pattern names. */
const named = (field: ReadonlyArray<number>, unit: number): ReadonlyArray<number> =>
  field.flatMap((on, value) => (on === 0 ? [] : [value * unit]))

const parsed = (pattern: string): Parsed => {
  const before = known.get(pattern)
  if (before !== undefined) return before
  if (known.size >= mostPatterns) known.clear()
  const plain = CronSyntax.plain(pattern)
  const fields = new CronPattern(plain)
  const one = {
    cron: new Cron(plain, { paused: true, utcOffset: 0 }),
    hours: named(fields.hour, hour),
    minutes: named(fields.minute, minute),
    seconds: named(fields.second, second),
  }
  known.set(pattern, one)
  return one
}

/** The times of one day from `from` on, in order. */
function* timesOf({ hours, minutes, seconds }: Parsed, date: number, from: number): Generator<number> {
  for (const h of hours) {
    if (date + h + hour <= from) continue
    for (const m of minutes) {
      if (date + h + m + minute <= from) continue
      for (const s of seconds) if (date + h + m + s >= from) yield date + h + m + s
    }
  }
}

/**
 * The local times that a pattern matches, from `from` on and before `to`, in order. Local times are milliseconds as if
 * they were UTC's: no zone has a say here.
 */
export function* matches(pattern: string, from: number, to: number): Generator<number> {
  const one = parsed(pattern)
  let at = one.cron.nextRun(new Date(Math.ceil(from / second) * second - second))
  while (at !== null) {
    const date = Math.floor(at.getTime() / day) * day
    for (const time of timesOf(one, date, at.getTime())) {
      if (time >= to) return
      yield time
    }
    at = one.cron.nextRun(new Date(date + day - second))
  }
}

/** The first local time that a pattern matches from `from` on; undefined where there is none. */
export const first = (pattern: string, from: number): number | undefined => {
  for (const local of matches(pattern, from, Infinity)) return local
  return undefined
}
