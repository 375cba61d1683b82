import { assert, describe, it } from "@effect/vitest"
import type { DateTime } from "luxon"
import * as CronSyntax from "../../src/domain/cron-syntax.ts"
import type { DstPolicy } from "../../src/domain/schedule.ts"
import * as Occurrences from "../../src/scheduler/occurrences.ts"
import * as Luxon from "./luxon-ticks.ts"
import { scheduleOf } from "./schedule.fixture.ts"

/** With what is odd about their clocks. */
const zones = [
  ["America/New_York", "two in the morning"],
  ["Europe/London", "one in the morning"],
  ["Europe/Berlin", "two and three in the morning"],
  ["UTC", "none"],
  ["Asia/Kolkata", "half an hour off"],
  ["Asia/Kathmandu", "three quarters off"],
  ["Pacific/Kiritimati", "fourteen hours ahead"],
  ["Pacific/Apia", "left out a whole day, and summer time begins and ends in it"],
  ["Pacific/Chatham", "three quarters off, with summer time"],
  ["Australia/Lord_Howe", "jumps by half an hour"],
  ["Australia/Adelaide", "half an hour off, with summer time in the south"],
  ["Antarctica/Troll", "jumps by two hours"],
  ["Africa/Casablanca", "four jumps a year, for Ramadan"],
  ["Africa/Cairo", "jumps at midnight, four times in one year"],
  ["Asia/Beirut", "jumps at midnight"],
  ["Asia/Tehran", "half an hour off, jumps at midnight by a calendar of its own"],
  ["Asia/Gaza", "changes its mind every year"],
  ["America/St_Johns", "half an hour off; jumped a minute after midnight"],
  ["America/Santiago", "jumps at midnight; moved its dates"],
  ["America/Sao_Paulo", "jumped at midnight, and does no more"],
  ["America/Havana", "jumps at midnight and at one"],
  ["Atlantic/Azores", "jumps at midnight and at one"],
] as const

const policies: ReadonlyArray<DstPolicy> = (["skip", "shift"] as const).flatMap((gap) =>
  (["first", "second", "both"] as const).map((overlap) => ({ gap, overlap })),
)

const sunday = ({ weekday }: DateTime) => weekday === 7
const isLast = ({ day, daysInMonth }: DateTime) => day === daysInMonth

/** Patterns that name hours. */
const fixed: ReadonlyArray<readonly [string, Luxon.Times]> = [
  ["30 2 * * *", { hours: [2], minutes: [30] }],
  ["@daily", { hours: [0], minutes: [0] }],
  ["*/30 0,1,3 * * *", { hours: [0, 1, 3], minutes: [0, 30] }],
  ["0 */12,23 * * *", { hours: [0, 12, 23], minutes: [0] }],
  ["@weekly", { hours: [0], minutes: [0], on: sunday }],
  ["*/30 1-3 * * SUN", { hours: [1, 2, 3], minutes: [0, 30], on: sunday }],
  [
    "15 0,2 * * SUN#L",
    { hours: [0, 2], minutes: [15], on: (date) => sunday(date) && date.plus({ days: 7 }).month !== date.month },
  ],
  ["45 23 * * 5,6", { hours: [23], minutes: [45], on: ({ weekday }) => weekday === 5 || weekday === 6 }],
  ["0 0 L * *", { hours: [0], minutes: [0], on: isLast }],
  ["5 3 1 * *", { hours: [3], minutes: [5], on: ({ day }) => day === 1 }],
  ["0 1 15 * SAT", { hours: [1], minutes: [0], on: ({ day, weekday }) => day === 15 || weekday === 6 }],
  [
    "0 2 1-7 3,11 +SUN",
    {
      hours: [2],
      minutes: [0],
      on: (date) => sunday(date) && date.day <= 7 && (date.month === 3 || date.month === 11),
    },
  ],
  ["10,50 59 0-2 * * 5-7", { hours: [0, 1, 2], minutes: [59], seconds: [10, 50], on: ({ weekday }) => weekday >= 5 }],
  [
    "*/20 0 0 29-31 * * 2012-2199/2",
    { hours: [0], minutes: [0], seconds: [0, 20, 40], on: ({ day, year }) => day >= 29 && year % 2 === 0 },
  ],
]

/** Patterns that match every hour. */
const hourly: ReadonlyArray<readonly [string, Pick<Luxon.Times, "minutes" | "on">]> = [
  ["@hourly", { minutes: [0] }],
  ["30 0-23 * * 6-7", { minutes: [30], on: ({ weekday }) => weekday >= 6 }],
  ["*/15 * * * 0,6", { minutes: [0, 15, 30, 45], on: ({ weekday }) => weekday >= 6 }],
  ["*/20 * * * SUN", { minutes: [0, 20, 40], on: sunday }],
  ["5,50 */1 L * *", { minutes: [5, 50], on: isLast }],
]

/** Ten years in which zones did all that zones can do, and ten that are to come, for those patterns that most jumps meet. */
const past = [Date.parse("2011-03-01T00:00Z"), Date.parse("2021-03-01T00:00Z")] as const
const future = [Date.parse("2026-03-01T00:00Z"), Date.parse("2036-03-01T00:00Z")] as const
const often = ["30 2 * * *", "@daily", "*/30 1-3 * * SUN", "@hourly"]

/** The first place at which two lists of instants differ. */
const difference = (ours: ReadonlyArray<number>, theirs: ReadonlyArray<number>) => {
  const i = ours.findIndex((one, index) => one !== theirs[index])
  const text = (one: number | undefined) => (one === undefined ? "none" : new Date(one).toISOString())
  if (i === -1 && ours.length === theirs.length) return undefined
  const place = i === -1 ? ours.length : i
  return `${text(ours[place])} is ${text(theirs[place])}`
}

/** That the ticks of a pattern grow and are those that luxon gives. */
const compare = (
  timezone: string,
  cron: string,
  dst: DstPolicy | undefined,
  range: readonly [number, number],
  expected: ReadonlyArray<number>,
) => {
  const one = scheduleOf(CronSyntax.normalise(cron), dst === undefined ? { timezone } : { timezone, dst })
  const ticks = [...Occurrences.between(one, ...range)].map(({ at }) => at)
  const said = `${cron} ${dst?.gap} ${dst?.overlap}`
  assert.isAbove(expected.length, 0, said)
  assert.isUndefined(difference(ticks, expected), said)
  assert.isTrue(
    ticks.every((tick, i) => i === 0 || tick > ticks[i - 1]),
    said,
  )
}

const compareAll = (timezone: string, range: readonly [number, number], isMeant: (cron: string) => boolean) => {
  const zone = Luxon.zoneOf(timezone)
  for (const [cron, times] of fixed.filter(([cron]) => isMeant(cron))) {
    const walls = Luxon.walls(zone, times, ...range)
    for (const dst of policies) compare(timezone, cron, dst, range, Luxon.fixedTicks(zone, walls, dst, ...range))
  }
  const clock = Luxon.clock(zone, ...range)
  for (const [cron, times] of hourly.filter(([cron]) => isMeant(cron))) {
    compare(timezone, cron, undefined, range, Luxon.hourlyTicks(clock, times, ...range))
  }
}

describe("the ticks that luxon's zones give, under every policy, none lost and none doubled", () => {
  for (const [timezone, oddity] of zones) {
    it(`are those of ten years in ${timezone} (${oddity})`, () => compareAll(timezone, past, () => true))
    it(`are those of the next ten years in ${timezone}`, () =>
      compareAll(timezone, future, (cron) => often.includes(cron)))
  }
})

describe("the ticks of an hourly schedule", () => {
  it("are an hour apart where clocks jump by whole hours", () => {
    const [from, to] = past
    for (const timezone of ["America/New_York", "America/Santiago", "Pacific/Apia", "Antarctica/Troll"]) {
      const ticks = [...Occurrences.between(scheduleOf("0 * * * *", { timezone }), from, to)].map(({ at }) => at)
      const hours = Array.from({ length: (to - from) / 3_600_000 }, (_, i) => from + i * 3_600_000)
      assert.isUndefined(difference(ticks, hours), timezone)
    }
  })
})
