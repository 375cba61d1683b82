import { Cron, CronPattern } from "croner"
import * as CronSyntax from "./cron-syntax.ts"

/** True where the pattern leaves out some hour of the day, so that it matters what becomes of an hour that is not there. */
export const fixesHour = (pattern: string): boolean =>
  new CronPattern(CronSyntax.plain(pattern)).hour.some((on) => on === 0)

const mostPatterns = 5_000
const parsed = new Map<string, Cron>()

const cronOf = (pattern: string): Cron => {
  const known = parsed.get(pattern)
  if (known !== undefined) return known
  if (parsed.size >= mostPatterns) parsed.clear()
  const cron = new Cron(CronSyntax.plain(pattern), { paused: true, utcOffset: 0 })
  parsed.set(pattern, cron)
  return cron
}

/**
 * The local times that a pattern matches, from `from` on and before `to`, in order. Local times are milliseconds as if
 * they were UTC's: no zone has a say here.
 */
export function* matches(pattern: string, from: number, to: number): Generator<number> {
  const cron = cronOf(pattern)
  let at = cron.nextRun(new Date(Math.ceil(from / 1_000) * 1_000 - 1_000))
  while (at !== null && at.getTime() < to) {
    yield at.getTime()
    at = cron.nextRun(at)
  }
}

/** The first local time that a pattern matches from `from` on; undefined where there is none. */
export const first = (pattern: string, from: number): number | undefined => {
  for (const local of matches(pattern, from, Infinity)) return local
  return undefined
}
