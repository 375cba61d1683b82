import type { Schedule } from "../domain/schedule.ts"
import * as Occurrences from "../scheduler/occurrences.ts"

/** A date of a schedule that moves: RFC 3339 in UTC, left out where there is none on that side. */
export interface MovedDate {
  readonly old?: string
  readonly new?: string
}

const shown = 5

const nextDates = (schedule: Schedule | undefined, now: number): ReadonlyArray<string> =>
  schedule === undefined ? [] : Occurrences.following(schedule, now, shown).map(({ at }) => new Date(at).toISOString())

/** The next dates at which the two schedules differ, after `now` (milliseconds since the epoch). */
export const movedDates = (
  old: Schedule | undefined,
  next: Schedule | undefined,
  now: number,
): ReadonlyArray<MovedDate> => {
  const [before, after] = [nextDates(old, now), nextDates(next, now)]
  return Array.from({ length: Math.max(before.length, after.length) }, (_, i): MovedDate => {
    const [was, is] = [before[i], after[i]]
    return { ...(was === undefined ? {} : { old: was }), ...(is === undefined ? {} : { new: is }) }
  }).filter((date) => date.old !== date.new)
}
