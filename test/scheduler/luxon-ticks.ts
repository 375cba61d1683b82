import { DateTime, IANAZone } from "luxon"
import type { DstPolicy } from "../../src/domain/schedule.ts"

/** A pattern by its parts, so that nothing here reads cron: times of day, and the days that have them. */
export interface Times {
  readonly hours: ReadonlyArray<number>
  readonly minutes: ReadonlyArray<number>
  readonly seconds?: ReadonlyArray<number>
  readonly on?: (date: DateTime) => boolean
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
  /** The offset of each day, by its number; not a number where it changes within the day. */
  const days = new Map<number, number>()
  const learn = (number: number): number => {
    const [start, end] = [ask(number * day), ask((number + 1) * day)]
    const found = start === end ? start : Number.NaN
    days.set(number, found)
    return found
  }
  const offset = (at: number): number => {
    const number = Math.floor(at / day)
    const found = days.get(number) ?? learn(number)
    return Number.isNaN(found) ? ask(at) : found
  }
  return { name, offset, local: (at: number) => at + offset(at) }
}
export type Zone = ReturnType<typeof zoneOf>

/** The instants at which the clocks show a local time: none in a gap, two where it comes twice. */
const instantsOf = (zone: Zone, local: number): ReadonlyArray<number> => {
  const offset = zone.offset(local)
  const offsets = new Set([offset])
  for (const beside of [zone.offset(local - day), zone.offset(local + day)]) {
    if (beside !== offset) offsets.add(beside)
  }
  for (let at = local - day; offsets.size > 1 && at <= local + day; at += hour) offsets.add(zone.offset(at))
  return [...offsets]
    .map((offset) => local - offset)
    .filter((at) => zone.local(at) === local)
    .toSorted((a, b) => a - b)
}

/** The first instant at which the clocks show a later time than one that does not exist. */
const afterGap = (zone: Zone, local: number): number => {
  let at = Math.floor(local / minute) * minute - 15 * hour
  while (zone.local(at) < local) at += minute
  return at
}

/** The local dates of a range, and a little around it, that have ticks. */
const dates = (on: Times["on"], from: number, to: number): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let date = Math.floor(from / day) * day - 2 * day; date < to + 2 * day; date += day) {
    if (on === undefined || on(DateTime.fromMillis(date, { zone: "UTC" }))) found.push(date)
  }
  return found
}

/** The local times of a pattern on the days of a range, each with its instants. */
export const walls = (zone: Zone, { hours, minutes, on, seconds = [0] }: Times, from: number, to: number) =>
  dates(on, from, to).flatMap((date) =>
    hours.flatMap((h) =>
      minutes.flatMap((m) =>
        seconds.map((s) => {
          const local = date + h * hour + m * minute + s * 1_000
          return { local, instants: instantsOf(zone, local) }
        }),
      ),
    ),
  )

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

/** What the clocks show at every instant of a range, five minutes by five minutes. */
export const clock = (zone: Zone, from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: Math.max(0, Math.ceil((to - from) / (5 * minute))) }, (_, i) =>
    zone.local(from + i * 5 * minute),
  )

/**
 * The ticks of a pattern that matches every hour: of the instants of a range, those at which the clocks show one of the
 * minutes on one of the days.
 */
export const hourlyTicks = (
  all: ReturnType<typeof clock>,
  { minutes, on }: Pick<Times, "minutes" | "on">,
  from: number,
  to: number,
): ReadonlyArray<number> => {
  const ticks: Array<number> = []
  const days = new Set(dates(on, from, to))
  const shown = Array.from({ length: 60 }, (_, i) => minutes.includes(i))
  for (let i = 0; i < all.length; i++) {
    if (shown[(all[i] / minute) % 60] && days.has(Math.floor(all[i] / day) * day)) ticks.push(from + i * 5 * minute)
  }
  return ticks
}
