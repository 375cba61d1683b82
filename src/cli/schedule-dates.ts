import * as Effect from "effect/Effect"
import { isFields } from "../compiler/value-diff.ts"

/** A date of a schedule that moves: RFC 3339 in UTC, left out where there is none on that side. */
export interface MovedDate {
  readonly old?: string
  readonly new?: string
}

const shown = 5

/** The next dates of a plan's `schedule`; none where it has none, or none that can be read. */
const nextDates = Effect.fnUntraced(function* (schedule: unknown, from: Date) {
  if (!isFields(schedule) || typeof schedule.cron !== "string" || typeof schedule.timezone !== "string") return []
  const { cron, timezone } = schedule
  const { Cron } = yield* Effect.promise(() => import("croner"))
  return yield* Effect.try({
    try: () => new Cron(cron, { timezone, paused: true }).nextRuns(shown, from).map((date) => date.toISOString()),
    catch: () => undefined,
  }).pipe(Effect.orElseSucceed((): ReadonlyArray<string> => []))
})

/** The next dates at which the two schedules differ, after `now` (milliseconds since the epoch). */
export const movedDates = Effect.fnUntraced(function* (old: unknown, next: unknown, now: number) {
  const [before, after] = [yield* nextDates(old, new Date(now)), yield* nextDates(next, new Date(now))]
  return Array.from({ length: Math.max(before.length, after.length) }, (_, i): MovedDate => {
    const [was, is] = [before[i], after[i]]
    return { ...(was === undefined ? {} : { old: was }), ...(is === undefined ? {} : { new: is }) }
  }).filter((date) => date.old !== date.new)
})
