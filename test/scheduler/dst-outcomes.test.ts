import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import type { Event } from "../../src/domain/event.ts"
import { timeText } from "../../src/domain/occurrence.ts"
import type { Schedule } from "../../src/domain/schedule.ts"
import * as Luxon from "./luxon-ticks.ts"
import { newStream, scheduleOf } from "./schedule.fixture.ts"

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** The hours of ten years in which a zone's clocks jump, as luxon has them. */
const jumpsOf = (timezone: string) => {
  const zone = Luxon.zoneOf(timezone)
  const [from, to] = [Date.UTC(2011, 5, 1), Date.UTC(2021, 5, 1)]
  const found: Array<number> = []
  for (let at = from; at < to; at += hour) if (zone.offset(at) !== zone.offset(at - hour)) found.push(at)
  return { timezone, zone, found }
}

const zones = [
  "America/New_York",
  "Europe/Berlin",
  "Australia/Lord_Howe",
  "Antarctica/Troll",
  "Africa/Casablanca",
  "Africa/Cairo",
  "America/Havana",
  "America/Santiago",
  "Pacific/Apia",
].map(jumpsOf)

const minutes = (step: number) => Array.from({ length: 60 / step }, (_, i) => i * step)

const patterns: ReadonlyArray<readonly [string, Luxon.Times & { readonly isHourly?: true }]> = [
  ["30 2 * * *", { hours: [2], minutes: [30] }],
  ["0 0 * * *", { hours: [0], minutes: [0] }],
  ["*/10 0-3,23 * * *", { hours: [0, 1, 2, 3, 23], minutes: minutes(10) }],
  ["0 * * * *", { hours: [], minutes: [0], isHourly: true }],
  ["*/15 * * * *", { hours: [], minutes: minutes(15), isHourly: true }],
]

const around = FastCheck.constantFrom(...zones).chain(({ found, timezone, zone }) =>
  FastCheck.constantFrom(...found).map((jump) => ({ timezone, zone, jump })),
)
const dsts = FastCheck.record({
  gap: FastCheck.constantFrom("skip" as const, "shift" as const),
  overlap: FastCheck.constantFrom("first" as const, "second" as const, "both" as const),
})
const catchups = FastCheck.oneof(
  FastCheck.constant({ policy: "none" as const }),
  FastCheck.record({
    policy: FastCheck.constantFrom("last" as const, "all" as const),
    window: FastCheck.constantFrom(30 * minute, 3 * day),
  }),
)
const overlaps = FastCheck.constantFrom<Array<Schedule["overlap"]>>("skip", "queue-one", "queue-all", "allow")
/** How long nobody looks, again and again: moments, minutes, or a sleep over the jump. */
const sleeps = FastCheck.array(
  FastCheck.oneof(
    FastCheck.integer({ min: 1, max: 2 * minute }),
    FastCheck.integer({ min: 1, max: 90 * minute }),
    FastCheck.integer({ min: 1, max: 12 * hour }),
    FastCheck.constantFrom(15 * minute, 30 * minute, hour),
  ),
  { minLength: 5, maxLength: 60 },
)

/** The ticks of an event that closes some, out of all; a failure where it closes others, or another number. */
const closedBy = (event: Event, all: ReadonlyArray<number>): ReadonlyArray<number> => {
  if (event.type !== "dev.dandori.schedule.tick.closed.v1") return []
  const { through = event.data.tick, tick, ticks = 1 } = event.data
  const closed = all.filter((at) => at >= Date.parse(tick) && at <= Date.parse(through))
  assert.strictEqual(closed.length, ticks)
  assert.deepStrictEqual([timeText(closed[0]), timeText(closed[closed.length - 1])], [tick, through])
  return closed
}

describe("a schedule on virtual time, over a jump of the clocks", () => {
  it("closes each tick that luxon's zone gives once and in order, with one outcome, whenever it is looked at", () =>
    FastCheck.assert(
      FastCheck.property(
        around,
        FastCheck.constantFrom(...patterns),
        dsts,
        catchups,
        overlaps,
        sleeps,
        FastCheck.integer({ min: hour, max: 26 * hour }),
        ({ jump, timezone, zone }, [cron, times], dst, catchup, overlap, naps, before) => {
          const start = jump - before
          const end = Math.max(start + naps.reduce((sum, nap) => sum + nap, 0), jump + 3 * hour)
          const stream = newStream()
          const isHourly = times.isHourly === true
          stream.deploy(start, scheduleOf(cron, { timezone, catchup, overlap, ...(isHourly ? {} : { dst }) }))
          let now = start
          for (const nap of [...naps, Math.max(0, end - now)]) {
            now = Math.min(end, now + nap)
            stream.decide(now)
            for (const run of stream.state().runs.filter(({ queued }) => !queued)) stream.end(now, run, "succeeded")
          }
          stream.decide(end)
          // A tick at the instant of the deployment is of the time before it.
          const range = [Math.floor((start - day) / day) * day, end + 1] as const
          const expected = (
            isHourly
              ? Luxon.hourlyTicks(Luxon.clock(zone, ...range), times, ...range)
              : Luxon.fixedTicks(zone, Luxon.walls(zone, times, ...range), dst, ...range)
          ).filter((at) => at > start)
          const closed = stream.events.flatMap((event) => closedBy(event, expected))
          assert.deepStrictEqual(closed.map(timeText), expected.map(timeText), `${timezone} ${cron}`)
          const runs = stream.events.flatMap((event) =>
            event.type === "dev.dandori.schedule.tick.closed.v1" && event.data.outcome.is === "ran"
              ? [event.data.outcome.run]
              : [],
          )
          assert.strictEqual(new Set(runs).size, runs.length)
        },
      ),
      { numRuns: 500 },
    ))
})
