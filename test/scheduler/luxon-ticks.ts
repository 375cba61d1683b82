import { DateTime, IANAZone } from "luxon"
import type { DstPolicy } from "../../src/domain/schedule.ts"

/** A pattern by its parts, so that nothing here reads cron: times of day on the weekdays (0 is Sunday) that are named. */
export interface Times {
  readonly hours: ReadonlyArray<number>
  readonly minutes: ReadonlyArray<number>
  readonly weekdays?: ReadonlyArray<number>
}

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/**
 * A zone as luxon sees it: its offset in milliseconds east of UTC. A day (of UTC) that begins and ends with one offset
 * has it all day long; in the others luxon is asked for each instant.
 */
export const zoneOf = (name: string) => {
  const zone = IANAZone.create(name)
  const known = new Map<number, number>()
  const ask = (at: number): number => {
    const found = known.get(at) ?? zone.offset(at) * minute
    known.set(at, found)
    return found
  }
  const offset = (at: number): number => {
    const start = Math.floor(at / day) * day
    return ask(start) === ask(start + day) ? ask(start) : ask(at)
  }
  return { name, offset, local: (at: number) => at + offset(at) }
}
export type Zone = ReturnType<typeof zoneOf>

/** The instants at which the clocks show a local time: none in a gap, two where it comes twice. */
const instantsOf = (zone: Zone, local: number): ReadonlyArray<number> => {
  const offsets = new Set([-day, 0, day].map((shift) => zone.offset(local + shift)))
  for (let at = local - day; offsets.size > 1 && at <= local + day; at += hour) offsets.add(zone.offset(at))
  return [...offsets]
    .map((offset) => local - offset)
    .filter((at) => zone.local(at) === local)
    .toSorted((a, b) => a - b)
}

/** The first instant at which the clocks show a later time than one that does not exist. */
const afterGap = (zone: Zone, local: number): number => {
  let at = local - 15 * hour
  while (zone.local(at) < local) at += minute
  return at
}

/** The local times of a pattern on the days of a range, each with its instants. */
export const walls = (zone: Zone, times: Times, from: number, to: number) => {
  const found: Array<{ readonly local: number; readonly instants: ReadonlyArray<number> }> = []
  for (let date = Math.floor(from / day) * day - 2 * day; date < to + 2 * day; date += day) {
    const weekday = DateTime.fromMillis(date, { zone: "UTC" }).weekday % 7
    if (times.weekdays?.includes(weekday) === false) continue
    for (const h of times.hours) {
      for (const m of times.minutes) {
        const local = date + h * hour + m * minute
        found.push({ local, instants: instantsOf(zone, local) })
      }
    }
  }
  return found
}

/** The ticks of fixed times of day under a policy, worked out local time by local time. */
export const fixedTicks = (
  zone: Zone,
  all: ReturnType<typeof walls>,
  policy: DstPolicy,
  from: number,
  to: number,
): ReadonlyArray<number> => {
  const ticks = all.flatMap(({ instants, local }) => {
    if (instants.length === 0) return policy.gap === "shift" ? [afterGap(zone, local)] : []
    if (instants.length === 1 || policy.overlap === "both") return instants
    return [instants[policy.overlap === "first" ? 0 : 1]]
  })
  return [...new Set(ticks)].filter((at) => at >= from && at < to).toSorted((a, b) => a - b)
}

/** The ticks of a pattern that matches every hour: every instant, half-hour by half-hour, whose local minute is named. */
export const hourlyTicks = (
  zone: Zone,
  minutes: ReadonlyArray<number>,
  from: number,
  to: number,
): ReadonlyArray<number> => {
  const ticks: Array<number> = []
  for (let at = from; at < to; at += 30 * minute) {
    if (minutes.includes((zone.local(at) / minute) % 60)) ticks.push(at)
  }
  return ticks
}
