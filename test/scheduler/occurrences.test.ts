import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as CronSyntax from "../../src/domain/cron-syntax.ts"
import type { DstPolicy, Schedule } from "../../src/domain/schedule.ts"
import * as TimeZone from "../../src/domain/time-zone.ts"
import * as Occurrences from "../../src/scheduler/occurrences.ts"

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

const [from, to] = [at("2011-03-01T00:00Z"), at("2021-03-01T00:00Z")]

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
  const quarter = 900_000

  for (const zone of zones.filter((name) => name !== "Asia/Tokyo")) {
    it(`of ${zone} has each tick on one side`, () => {
      for (const jump of TimeZone.transitions(zone, from, to)) {
        for (const policy of policies) {
          const one = schedule("*/15 0-4,23 * * *", zone, policy)
          const [start, end] = [jump.at - 16 * quarter, jump.at + 16 * quarter]
          const whole = [...Occurrences.between(one, start, end)]
          for (const cut of [-4 * quarter, -1, 0, 1, quarter, 4 * quarter].map((shift) => jump.at + shift)) {
            const parts = [...Occurrences.between(one, start, cut), ...Occurrences.between(one, cut, end)]
            assert.deepStrictEqual(parts, whole, new Date(cut).toISOString())
          }
        }
      }
    })
  }
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
  const pattern = FastCheck.constantFrom(
    "30 2 * * *",
    "*/20 1-3 * * SUN",
    "@daily",
    "7 * * * *",
    "*/30 59 1 * * *",
    "0 0 L * *",
    "0 1 25-31 3,10 +SUN",
  )
  const some = FastCheck.tuple(
    pattern,
    FastCheck.constantFrom(...zones),
    FastCheck.constantFrom(...policies),
    FastCheck.integer({ min: from, max: to }),
  ).map(([cron, zone, policy, start]) => {
    const dst = cron === "7 * * * *" ? undefined : policy
    return { one: schedule(CronSyntax.normalise(cron), zone, dst), start }
  })

  it("are the first of any range that begins with them", () =>
    FastCheck.assert(
      FastCheck.property(some, FastCheck.integer({ min: 1, max: 60 }), ({ one, start }, count) => {
        const next = Occurrences.following(one, start, count)
        assert.lengthOf(next, count)
        assert.deepStrictEqual([...Occurrences.between(one, start, next[count - 1].at + 1)], next)
      }),
      { numRuns: 200 },
    ))

  it("are the same asked for one by one, or some and then the others", () =>
    FastCheck.assert(
      FastCheck.property(
        some,
        FastCheck.array(FastCheck.integer({ min: 1, max: 9 }), { minLength: 1 }),
        ({ one, start }, counts) => {
          let from = start
          const parts = counts.flatMap((count) => {
            const part = Occurrences.following(one, from, count)
            from = part[part.length - 1].at + 1
            return part
          })
          assert.deepStrictEqual(parts, Occurrences.following(one, start, parts.length))
        },
      ),
      { numRuns: 100 },
    ))

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
