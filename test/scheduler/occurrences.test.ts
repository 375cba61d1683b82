import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import type { DstPolicy, Schedule } from "../../src/domain/schedule.ts"
import * as Occurrences from "../../src/scheduler/occurrences.ts"
import * as Luxon from "./luxon-ticks.ts"

const zones = [
  "America/New_York",
  "Europe/Berlin",
  "Australia/Lord_Howe",
  "Asia/Tokyo",
  "Asia/Gaza",
  "Africa/Casablanca",
  "America/Santiago",
  "America/St_Johns",
  "Pacific/Apia",
  "Antarctica/Troll",
]
const policies: ReadonlyArray<DstPolicy> = (["skip", "shift"] as const).flatMap((gap) =>
  (["first", "second", "both"] as const).map((overlap) => ({ gap, overlap })),
)

const schedule = (cron: string, timezone: string, dst?: DstPolicy): Schedule => ({
  cron,
  timezone,
  params: {},
  overlap: "skip",
  catchup: { policy: "none" },
  ...(dst === undefined ? {} : { dst }),
})

const shown = (ticks: Iterable<Occurrences.Tick>) =>
  [...ticks].map((tick) => {
    const local = new Date(tick.local).toISOString().slice(5, 16)
    const from = tick.shiftedFrom?.map((missing) => new Date(missing).toISOString().slice(11, 16)).join(" ")
    const utc = new Date(tick.at).toISOString().slice(5, 16)
    return `${local} = ${utc}Z${from === undefined ? "" : ` from ${from}`}${tick.repeat === undefined ? "" : ` ${tick.repeat}`}`
  })

const at = (text: string) => Date.parse(text)

const fixed: ReadonlyArray<readonly [string, Luxon.Times]> = [
  ["30 0,2 * * *", { hours: [0, 2], minutes: [30] }],
  ["*/30 1-3 * * SUN", { hours: [1, 2, 3], minutes: [0, 30], weekdays: [0] }],
  ["45 23 * * 5,6", { hours: [23], minutes: [45], weekdays: [5, 6] }],
]
const hourly: ReadonlyArray<readonly [string, ReadonlyArray<number>]> = [
  ["0 * * * *", [0]],
  ["30 0-23 * * *", [30]],
]
const [from, to] = [at("2011-03-01T00:00Z"), at("2021-03-01T00:00Z")]

/** The first place at which two lists of instants differ. */
const difference = (ours: ReadonlyArray<number>, theirs: ReadonlyArray<number>) => {
  const i = ours.findIndex((one, index) => one !== theirs[index])
  const text = (one: number | undefined) => (one === undefined ? "none" : new Date(one).toISOString())
  if (i === -1 && ours.length === theirs.length) return undefined
  const place = i === -1 ? ours.length : i
  return `${text(ours[place])} is ${text(theirs[place])}`
}

describe("the ticks of ten years", () => {
  for (const name of zones) {
    it(`in ${name} are those that luxon's zone gives, under every policy, none lost and none doubled`, () => {
      const zone = Luxon.zoneOf(name)
      const ticks = (cron: string, dst?: DstPolicy) =>
        [...Occurrences.between(schedule(cron, name, dst), from, to)].map((tick) => tick.at)
      for (const [cron, times] of fixed) {
        const walls = Luxon.walls(zone, times, from, to)
        for (const policy of policies) {
          const found = difference(ticks(cron, policy), Luxon.fixedTicks(zone, walls, policy, from, to))
          assert.isUndefined(found, `${cron} ${policy.gap} ${policy.overlap}`)
        }
      }
      for (const [cron, minutes] of hourly) {
        assert.isUndefined(difference(ticks(cron), Luxon.hourlyTicks(zone, minutes, from, to)), cron)
      }
    })
  }

  it("of an hourly schedule are an hour apart where clocks jump by whole hours", () => {
    for (const name of ["America/New_York", "America/Santiago", "Pacific/Apia"]) {
      const ticks = [...Occurrences.between(schedule("0 * * * *", name), from, to)].map((tick) => tick.at)
      const hours = Array.from({ length: (to - from) / 3_600_000 }, (_, i) => from + i * 3_600_000)
      assert.isUndefined(difference(ticks, hours), name)
    }
  })
})

describe("the ticks of a range", () => {
  const pattern = FastCheck.constantFrom("30 2 * * *", "*/20 1-3 * * *", "0 0,12 * * *", "7 * * * *", "0 3 1 * *")
  it("are those of its parts, wherever it is cut, and grow", () =>
    FastCheck.assert(
      FastCheck.property(
        pattern,
        FastCheck.constantFrom(...zones),
        FastCheck.constantFrom(...policies),
        FastCheck.integer({ min: from, max: to }),
        FastCheck.array(FastCheck.integer({ min: 0, max: 45 * 86_400_000 }), { minLength: 1, maxLength: 6 }),
        (cron, zone, policy, start, lengths) => {
          const one = schedule(cron, zone, cron === "7 * * * *" ? undefined : policy)
          const cuts = lengths.reduce((all, length) => [...all, all[all.length - 1] + length], [start])
          const whole = [...Occurrences.between(one, start, cuts[cuts.length - 1])]
          const parts = cuts.slice(1).flatMap((end, i) => [...Occurrences.between(one, cuts[i], end)])
          assert.deepStrictEqual(parts, whole)
          for (let i = 1; i < whole.length; i++) assert.isAbove(whole[i].at, whole[i - 1].at)
        },
      ),
      { numRuns: 200 },
    ))

  it("begin with its first instant and end before its last", () => {
    const noon = schedule("0 12 * * *", "UTC", { gap: "shift", overlap: "first" })
    assert.deepStrictEqual(shown(Occurrences.between(noon, at("2026-05-01T12:00Z"), at("2026-05-03T12:00Z"))), [
      "05-01T12:00 = 05-01T12:00Z",
      "05-02T12:00 = 05-02T12:00Z",
    ])
    assert.lengthOf([...Occurrences.between(noon, at("2026-05-01T12:00:00.001Z"), at("2026-05-02T12:00Z"))], 0)
  })
})

describe("a range that is cut where the clocks jump", () => {
  it("has each tick on one side", () => {
    for (const [jump, cron] of [
      ["2026-03-08T07:00Z", "*/30 1-3 * * *"],
      ["2026-11-01T06:00Z", "*/30 0-2 * * *"],
    ] as const) {
      for (const policy of policies) {
        const one = schedule(cron, "America/New_York", policy)
        const [start, end] = [at(jump) - 7_200_000, at(jump) + 7_200_000]
        const whole = shown(Occurrences.between(one, start, end))
        for (const cut of [-3_600_000, -1, 0, 1, 3_600_000].map((shift) => at(jump) + shift)) {
          const parts = [...Occurrences.between(one, start, cut), ...Occurrences.between(one, cut, end)]
          assert.deepStrictEqual(shown(parts), whole)
        }
      }
    }
  })
})

describe("a tick in the hour that is left out", () => {
  const march = [at("2026-03-07T12:00Z"), at("2026-03-09T12:00Z")] as const
  const inNewYork = (cron: string, gap: DstPolicy["gap"]) =>
    shown(Occurrences.between(schedule(cron, "America/New_York", { gap, overlap: "first" }), ...march))

  it("is shifted to the first instant after it, or skipped", () => {
    assert.deepStrictEqual(inNewYork("30 2 * * *", "shift"), [
      "03-08T03:00 = 03-08T07:00Z from 02:30",
      "03-09T02:30 = 03-09T06:30Z",
    ])
    assert.deepStrictEqual(inNewYork("30 2 * * *", "skip"), ["03-09T02:30 = 03-09T06:30Z"])
  })

  it("is one with the others that are shifted, and with the one that stands there anyway", () => {
    assert.deepStrictEqual(inNewYork("*/30 2,3 8 3 *", "shift"), [
      "03-08T03:00 = 03-08T07:00Z from 02:00 02:30",
      "03-08T03:30 = 03-08T07:30Z",
    ])
  })

  it("is shifted to the next day where a whole day is left out", () => {
    const apia = schedule("0 9 * * *", "Pacific/Apia", { gap: "shift", overlap: "first" })
    assert.deepStrictEqual(shown(Occurrences.between(apia, at("2011-12-29T12:00Z"), at("2011-12-31T12:00Z"))), [
      "12-29T09:00 = 12-29T19:00Z",
      "12-31T00:00 = 12-30T10:00Z from 09:00",
      "12-31T09:00 = 12-30T19:00Z",
    ])
  })
})

describe("a tick in the hour that comes twice", () => {
  const november = [at("2026-11-01T04:00Z"), at("2026-11-01T12:00Z")] as const
  const inNewYork = (overlap: DstPolicy["overlap"]) =>
    shown(Occurrences.between(schedule("30 1 * * *", "America/New_York", { gap: "skip", overlap }), ...november))

  it("happens at the first, at the second, or at both", () => {
    const first = "11-01T01:30 = 11-01T05:30Z first"
    const second = "11-01T01:30 = 11-01T06:30Z second"
    assert.deepStrictEqual(inNewYork("first"), [first])
    assert.deepStrictEqual(inNewYork("second"), [second])
    assert.deepStrictEqual(inNewYork("both"), [first, second])
  })

  it("of half an hour is told from the half that does not come twice", () => {
    const lordHowe = schedule("15,45 1 * * *", "Australia/Lord_Howe", { gap: "skip", overlap: "second" })
    assert.deepStrictEqual(shown(Occurrences.between(lordHowe, at("2026-04-04T12:00Z"), at("2026-04-05T12:00Z"))), [
      "04-05T01:15 = 04-04T14:15Z",
      "04-05T01:45 = 04-04T15:15Z second",
    ])
  })
})

describe("the next ticks", () => {
  it("are found however far away they are", () => {
    const policy = { gap: "shift", overlap: "first" } as const
    const leap = schedule("0 0 29 2 *", "Europe/Berlin", policy)
    assert.deepStrictEqual(shown(Occurrences.following(leap, at("2026-01-01T00:00Z"), 2)), [
      "02-29T00:00 = 02-28T23:00Z",
      "02-29T00:00 = 02-28T23:00Z",
    ])
    const past = schedule("0 0 0 1 1 * 2020", "Europe/Berlin", policy)
    assert.deepStrictEqual(Occurrences.following(past, at("2026-01-01T00:00Z"), 2), [])
  })
})

describe("the DST dates of a schedule", () => {
  const year = [at("2026-01-01T00:00Z"), at("2027-01-01T00:00Z")] as const
  const dates = (cron: string, zone: string, dst?: DstPolicy) =>
    Occurrences.dstDates(schedule(cron, zone, dst), ...year).map(
      ({ kind, matches, ticks }) => `${kind} ${matches.length} -> ${shown(ticks).join(", ")}`,
    )

  it("are those whose missing or repeated hour its pattern meets, with what becomes of the ticks", () => {
    assert.deepStrictEqual(dates("30 2 * * *", "America/New_York", { gap: "shift", overlap: "first" }), [
      "gap 1 -> 03-08T03:00 = 03-08T07:00Z from 02:30",
    ])
    assert.deepStrictEqual(dates("30 2 * * *", "America/New_York", { gap: "skip", overlap: "first" }), ["gap 1 -> "])
    assert.deepStrictEqual(dates("30 1 * * *", "America/New_York", { gap: "skip", overlap: "second" }), [
      "overlap 1 -> 11-01T01:30 = 11-01T06:30Z second",
    ])
    assert.deepStrictEqual(dates("0 * * * *", "America/New_York"), [
      "gap 1 -> ",
      "overlap 1 -> 11-01T01:00 = 11-01T05:00Z first, 11-01T01:00 = 11-01T06:00Z second",
    ])
  })

  it("are none where the pattern meets no jump, or the zone has none", () => {
    assert.deepStrictEqual(dates("0 12 * * *", "America/New_York", { gap: "skip", overlap: "first" }), [])
    assert.deepStrictEqual(dates("0 * * * *", "Asia/Tokyo"), [])
  })
})
