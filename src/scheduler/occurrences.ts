import * as CronPattern from "../domain/cron-pattern.ts"
import type { Schedule } from "../domain/schedule.ts"
import * as TimeZone from "../domain/time-zone.ts"

/** A nominal tick of a schedule. Times are milliseconds; local times are as if they were UTC's. */
export interface Tick {
  readonly at: number
  /** What the zone's clocks show. */
  readonly local: number
  /** The local times that do not exist and that were shifted to this tick. */
  readonly shiftedFrom?: ReadonlyArray<number>
  /** Which one it is of a local time that comes twice. */
  readonly repeat?: "first" | "second"
}

/** A jump of the clocks that a schedule's pattern meets: the local times that are missing or come twice, and what ticks. */
export interface DstDate extends TimeZone.Transition {
  readonly kind: "gap" | "overlap"
  /** The local times that do not exist or come twice: `start` and all before `end`. */
  readonly start: number
  readonly end: number
  /** Those of them that the pattern matches. */
  readonly matches: ReadonlyArray<number>
  /** What the policy makes of them. */
  readonly ticks: ReadonlyArray<Tick>
}

const day = 86_400_000
/** Longer than any jump of clocks: Samoa once left out a whole day. */
const margin = 2 * day
const windowLength = 366 * day
const horizon = 100

/** The matches that fall into the gap that a jump makes. */
const missing = (schedule: Schedule, jump: TimeZone.Transition | undefined): ReadonlyArray<number> =>
  jump === undefined ? [] : [...CronPattern.matches(schedule.cron, jump.at + jump.before, jump.at + jump.after)]

/** The policy's verdict on a match whose local time may come twice; undefined where it is no tick. */
const judged = (
  { dst }: Schedule,
  at: number,
  local: number,
  before: TimeZone.Transition | undefined,
  after: TimeZone.Transition | undefined,
): Tick | undefined => {
  if (before !== undefined && local < before.at + before.before) {
    return dst?.overlap === "first" ? undefined : { at, local, repeat: "second" }
  }
  if (after !== undefined && local >= after.at + after.after) {
    return dst?.overlap === "second" ? undefined : { at, local, repeat: "first" }
  }
  return { at, local }
}

/**
 * The nominal ticks of a schedule from `from` on and before `to`, in order and each once. Between two jumps of the zone's
 * clocks a match is a tick; at a jump the schedule's `dst` decides. All matches of one gap are shifted to one tick, which
 * is also that of a match at the first instant after the gap.
 */
export function* between(schedule: Schedule, from: number, to: number): Generator<Tick> {
  const { cron, dst, timezone } = schedule
  const jumps = TimeZone.transitions(timezone, from - margin, to + margin)
  for (let i = 0; i <= jumps.length; i++) {
    const [before, after] = [jumps[i - 1], jumps[i]] as const
    const start = Math.max(from, before?.at ?? from)
    const end = Math.min(to, after?.at ?? to)
    if (start >= end) continue
    const offset = before?.after ?? after?.before ?? TimeZone.offsetAt(timezone, from)
    const shiftedFrom = dst?.gap === "shift" && start === before?.at ? missing(schedule, before) : []
    if (shiftedFrom.length > 0) yield { at: start, local: start + offset, shiftedFrom }
    for (const local of CronPattern.matches(cron, start + offset, end + offset)) {
      const at = local - offset
      if (at === start && shiftedFrom.length > 0) continue
      const tick = judged(schedule, at, local, before, after)
      if (tick !== undefined) yield tick
    }
  }
}

/** The first `count` nominal ticks from `from` on; fewer where there are no more in a hundred years. */
export const following = (schedule: Schedule, from: number, count: number): ReadonlyArray<Tick> => {
  const ticks: Array<Tick> = []
  for (let i = 0; i < horizon && ticks.length < count; i++) {
    const start = from + i * windowLength
    for (const tick of between(schedule, start, start + windowLength)) {
      ticks.push(tick)
      if (ticks.length === count) break
    }
  }
  return ticks
}

/** The jumps of the clocks after `from` and before `to` that a schedule's pattern meets, with what becomes of its ticks. */
export const dstDates = (schedule: Schedule, from: number, to: number): ReadonlyArray<DstDate> =>
  TimeZone.transitions(schedule.timezone, from, to).flatMap((jump): ReadonlyArray<DstDate> => {
    const length = Math.abs(jump.after - jump.before)
    const kind = jump.after > jump.before ? "gap" : "overlap"
    const start = jump.at + Math.min(jump.before, jump.after)
    const end = start + length
    const matches = [...CronPattern.matches(schedule.cron, start, end)]
    if (matches.length === 0) return []
    const around = kind === "gap" ? [jump.at, jump.at + 1] : [jump.at - length, jump.at + length]
    const ticks = [...between(schedule, around[0], around[1])].filter(
      (tick) => tick.shiftedFrom !== undefined || tick.repeat !== undefined,
    )
    return [{ ...jump, kind, start, end, matches, ticks }]
  })
