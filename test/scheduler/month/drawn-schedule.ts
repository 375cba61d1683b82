import type { Plan } from "../../../src/domain/plan.ts"
import type { Schedule } from "../../../src/domain/schedule.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"
import type { Chance } from "../../../src/simulation/chance.ts"
import { plan } from "../../support/engine-plan.ts"
import * as Luxon from "../luxon-ticks.ts"
import { scheduleOf } from "../schedule.fixture.ts"

const minute = 60_000
const hour = 60 * minute

/** A schedule, and its ticks as luxon has them. */
export interface Drawn {
  readonly schedule: Schedule
  /** From `from` on and before `to`. */
  readonly ticks: (from: number, to: number) => ReadonlyArray<number>
}

/** What is deployed of a pipeline. */
export interface Deployment extends Drawn {
  readonly plan: Plan
  readonly digest: Sha256.Sha256
}

const zones = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Australia/Lord_Howe",
  "Africa/Casablanca",
  "Asia/Kathmandu",
  "America/Santiago",
] as const

const zonesByName = new Map(zones.map((name) => [name, Luxon.zoneOf(name)]))

const isWeekday = (date: { readonly weekday: number }) => date.weekday <= 5

/** The policies of a schedule, whatever its pattern. */
const policiesOf = (chance: Chance): Partial<Schedule> => {
  const policy = chance.among(["none", "last", "all"] as const)
  const window = policy !== "none" && chance.hits(0.5) ? { window: chance.among([hour, 6 * hour, 48 * hour]) } : {}
  return {
    overlap: chance.among(["skip", "queue-one", "queue-all", "cancel-running", "allow"] as const),
    catchup: { policy, ...window },
    ...(chance.hits(0.3) ? { jitter: chance.among([5_000, 30_000, 20 * minute]) } : {}),
    ...(chance.hits(0.3) ? { pauseAfter: chance.among([2, 5]) } : {}),
  }
}

const hourly = (chance: Chance): Drawn => {
  const timezone = chance.among(zones)
  const zone = zonesByName.get(timezone) ?? Luxon.zoneOf(timezone)
  const rare = [[0], [10], [45], [5, 35]]
  const minutes = chance.hits(0.15) ? [0, 10, 20, 30, 40, 50] : chance.among(rare)
  const weekdays = chance.hits(0.4)
  const times = { minutes, ...(weekdays ? { on: isWeekday } : {}) }
  return {
    schedule: scheduleOf(`${minutes.join()} * * * ${weekdays ? "MON-FRI" : "*"}`, { timezone, ...policiesOf(chance) }),
    ticks: (from, to) => {
      const start = Math.ceil(from / (5 * minute)) * 5 * minute
      return Luxon.hourlyTicks(Luxon.clock(zone, start, to), times, start, to)
    },
  }
}

const fixed = (chance: Chance): Drawn => {
  const timezone = chance.among(zones)
  const zone = zonesByName.get(timezone) ?? Luxon.zoneOf(timezone)
  const hours = chance.among([[0], [2], [1, 2, 3], [0, 12], [3, 15], [23]])
  const minutes = chance.among([[0], [15], [30], [45], [0, 15]])
  const weekdays = chance.hits(0.2)
  const times = { hours, minutes, ...(weekdays ? { on: isWeekday } : {}) }
  const dst = {
    gap: chance.among(["skip", "shift"] as const),
    overlap: chance.among(["first", "second", "both"] as const),
  }
  return {
    schedule: scheduleOf(`${minutes.join()} ${hours.join()} * * ${weekdays ? "MON-FRI" : "*"}`, {
      timezone,
      dst,
      ...policiesOf(chance),
    }),
    ticks: (from, to) => Luxon.fixedTicks(zone, Luxon.walls(zone, times, from, to), dst, from, to),
  }
}

/** A plan with a schedule; `revision` makes it differ from others with the same schedule. */
export const deploymentOf = (drawn: Drawn, revision: number): Deployment => {
  const { schedule } = drawn
  return { ...drawn, plan: { ...plan([]), schedule }, digest: Sha256.of(JSON.stringify([schedule, revision])) }
}

/** A schedule of random pattern, zone and policies. */
export const draw = (chance: Chance): Drawn => (chance.hits(0.06) ? hourly(chance) : fixed(chance))
