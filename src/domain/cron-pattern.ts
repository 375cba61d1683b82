import { Cron, CronPattern } from "croner"
import * as CronSyntax from "./cron-syntax.ts"

/** True where the pattern leaves out some hour of the day, so that it matters what becomes of an hour that is not there. */
export const fixesHour = (pattern: string): boolean =>
  new CronPattern(CronSyntax.plain(pattern)).hour.some((on) => on === 0)

/** A pattern, parsed: its days are croner's; a day that it matches has all its times, in milliseconds. */
interface Parsed {
  readonly cron: Cron
  /** The first day that it matches from a day on, of those that were looked up last: who asks for a tick asks for it again. */
  readonly days: Map<number, number | undefined>
  readonly hours: ReadonlyArray<number>
  readonly minutes: ReadonlyArray<number>
  readonly seconds: ReadonlyArray<number>
}

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

const mostPatterns = 5_000
const mostDays = 8
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
    days: new Map<number, number | undefined>(),
    hours: named(fields.hour, hour),
    minutes: named(fields.minute, minute),
    seconds: named(fields.second, second),
  }
  known.set(pattern, one)
  return one
}

/** The first day that it matches from the day `date` on. */
const nextDay = ({ cron, days }: Parsed, date: number): number | undefined => {
  if (days.has(date)) return days.get(date)
  const at = cron.nextRun(new Date(date - second))
  const found = at === null ? undefined : Math.floor(at.getTime() / day) * day
  if (days.size >= mostDays) days.clear()
  days.set(date, found)
  return found
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
  let date = nextDay(one, Math.floor(from / day) * day)
  while (date !== undefined && date < to) {
    for (const time of timesOf(one, date, from)) {
      if (time >= to) return
      yield time
    }
    date = nextDay(one, date + day)
  }
}

/** The first local time that a pattern matches from `from` on; undefined where there is none. */
export const first = (pattern: string, from: number): number | undefined => {
  for (const local of matches(pattern, from, Infinity)) return local
  return undefined
}
