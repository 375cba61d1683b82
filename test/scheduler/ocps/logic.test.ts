import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Occurrences from "../../../src/scheduler/occurrences.ts"
import { command, pipeline, told } from "../../compiler/compiled.ts"
import { days, matches, refused, same, scheduleOf, ticks } from "./patterns.ts"

describe("OCPS 1.4 §4.1: day of month and day of week", () => {
  it.effect("that are both restricted match where either does", () =>
    Effect.gen(function* () {
      const both = ["2025-09-01 12:00", "2025-09-08 12:00", "2025-10-01 12:00"]
      yield* matches("0 12 1 * MON", both, ["2025-10-07 12:00"])
      yield* matches("0 0 L * FRI#1", ["2025-02-28", "2025-02-07"], ["2025-02-14"])
      yield* matches("0 0 15W * MON", ["2025-02-14", "2025-02-17"], ["2025-02-15"])
    }),
  )

  it.effect("with + before the day of week match where both do", () =>
    Effect.gen(function* () {
      yield* matches("0 12 1 * +MON", ["2025-09-01 12:00"], ["2025-09-08 12:00", "2025-10-01 12:00"])
      assert.deepStrictEqual(yield* days("0 12 13 * +FRI", 2026), ["02-13", "03-13", "11-13"])
      assert.deepStrictEqual(yield* days("0 12 L * +5,6", 2025), ["01-31", "02-28", "05-31", "10-31"])
      assert.deepStrictEqual(yield* days("0 12 15W * +FRI", 2025), ["02-14", "03-14", "08-15", "11-14"])
      assert.deepStrictEqual(yield* days("0 12 25-31 * +FRI#L", 2025), yield* days("0 12 * * FRI#L", 2025))
      yield* same("0 12 * * +MON", "0 12 * * MON")
      yield* same("0 12 1 * +*", "0 12 1 * *")
      yield* same("0 12 *,1 * +MON", "0 12 * * MON")
      yield* same("0 0 12 1 * +MON", "0 12 1 * +MON")
    }),
  )

  it.effect("have + at the start of the day of week and nowhere else", () =>
    Effect.gen(function* () {
      for (const cron of [
        "0 12 +1 * MON",
        "+0 12 1 * MON",
        "0 +12 1 * MON",
        "0 12 1 +1 MON",
        "+0 0 12 1 * MON",
        "0 0 12 1 * MON +2027",
        "0 12 1 * MON+",
        "0 12 1 * MON,+TUE",
        "0 12 1 * ++MON",
        "0 12 1 * 1-+5",
      ]) {
        yield* refused(cron, /^\+ stands before the whole day of week, and nowhere else$/)
      }
      yield* refused("0 12 1 * +", /^an item of the day of week is empty/)
    }),
  )
})

describe("OCPS 1.4 §4.2: ?", () => {
  it.effect("is * in the day of month and the day of week", () =>
    Effect.gen(function* () {
      yield* same("0 12 ? * MON", "0 12 * * MON")
      yield* same("0 12 1 * ?", "0 12 1 * *")
      yield* same("0 12 ? * ?", "0 12 * * *")
      yield* same("0 0 12 ? * MON 2027", "0 0 12 * * MON 2027", 2027)
    }),
  )

  it.effect("is * there in every other way too", () =>
    Effect.gen(function* () {
      yield* same("0 12 ?,1 * MON", "0 12 *,1 * MON")
      yield* same("0 12 ?/10 * *", "0 12 */10 * *")
      yield* same("0 12 1 * +?", "0 12 1 * +*")
      for (const field of ["1?", "??", "?1", "?-5"]) yield* refused(`0 12 ${field} * *`, /day of month/)
    }),
  )

  it.effect("is refused in every other field", () =>
    Effect.gen(function* () {
      for (const [cron, field] of [
        ["? 12 * * *", "minute"],
        ["0 ? * * *", "hour"],
        ["0 12 * ? *", "month"],
        ["? 0 12 * * *", "second"],
        ["0 0 12 * * * ?", "year"],
        ["0,? 12 * * *", "minute"],
      ] as const) {
        yield* refused(
          cron,
          new RegExp(`^\\? stands for \\* in a day of month and a day of week, not in the ${field}: write \\*$`),
        )
      }
    }),
  )
})

describe("OCPS 1.4 §4.3.1: where the clocks jump", () => {
  const inNewYork = (dst: string) => `timezone: America/New_York, dst: ${dst}`
  const recommended = inNewYork("{ gap: skip, overlap: first }")

  it.effect("a tick in the gap is skipped, if the schedule says so", () =>
    Effect.gen(function* () {
      const march = ["2026-03-08 04:00", "2026-03-09 04:00"] as const
      assert.deepStrictEqual(yield* ticks("30 2 * * *", ...march, recommended), [])
      const shifted = yield* ticks("30 2 * * *", ...march, inNewYork("{ gap: shift, overlap: first }"))
      assert.deepStrictEqual(shifted, ["2026-03-08 07:00"])
    }),
  )

  it.effect("a tick that comes twice happens once, at the first, if the schedule says so", () =>
    Effect.gen(function* () {
      const november = ["2026-11-01 04:00", "2026-11-02 04:00"] as const
      assert.deepStrictEqual(yield* ticks("30 1 * * *", ...november, recommended), ["2026-11-01 05:30"])
    }),
  )

  it.effect("a schedule whose pattern names hours has to say so", () =>
    Effect.map(
      told(pipeline("schedule: { cron: 30 2 * * *, timezone: America/New_York }", "tasks:", command("a"))),
      (all) => {
        assert.lengthOf(all, 1)
        assert.match(all[0], /The clocks of America\/New_York jump, and the pattern names hours\./)
      },
    ),
  )

  it.effect("a pattern of every hour is ours to decide: it ticks in each hour that passes, once", () =>
    Effect.gen(function* () {
      const rest = "timezone: America/New_York"
      assert.lengthOf(yield* ticks("0 * * * *", "2026-03-08 05:00", "2026-03-09 04:00", rest), 23)
      assert.lengthOf(yield* ticks("0 * * * *", "2026-11-01 04:00", "2026-11-02 05:00", rest), 25)
    }),
  )
})

describe("OCPS 1.4 §4.3.2: dates", () => {
  it.effect("are of the Gregorian calendar, with its leap years", () =>
    Effect.gen(function* () {
      const leap = yield* ticks("0 0 29 2 *", "1970-01-01", "2199-12-31")
      const years = leap.map((text) => Number(text.slice(0, 4)))
      const expected = Array.from({ length: 230 }, (_, i) => 1970 + i).filter(
        (year) => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0),
      )
      assert.deepStrictEqual(years, expected)
      yield* matches("0 0 29 2 *", ["2000-02-29", "2096-02-29", "2104-02-29"], ["2100-02-28", "2100-03-01"])
    }),
  )

  it.effect("are looked for in a range that ends: a hundred years from the time that is asked for", () =>
    Effect.gen(function* () {
      const schedule = yield* scheduleOf("0 0 0 29 2 * 2196")
      assert.deepStrictEqual(Occurrences.following(schedule, Date.UTC(2026, 0, 1), 1), [])
      assert.lengthOf(Occurrences.following(schedule, Date.UTC(2100, 0, 1), 2), 1)
      yield* refused("0 0 0 1 1 * 2200", /^the year 2200 is not in 1970-2199$/)
    }),
  )
})
