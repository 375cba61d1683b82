import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { matches, recognised, refused, same, ticks } from "./patterns.ts"

const newYears = (cron: string, from: number, to: number) =>
  Effect.map(ticks(cron, `${from}-01-01`, `${to}-01-01`), (all) => all.map((text) => Number(text.slice(0, 4))))

describe("OCPS 1.2 §3: a pattern", () => {
  it.effect("has five, six or seven fields", () =>
    Effect.gen(function* () {
      yield* matches("15 10 * * *", ["2025-03-10 10:15:00"])
      yield* matches("30 15 10 * * *", ["2025-03-10 10:15:30"])
      yield* matches("0 15 10 * * * 2027", ["2027-03-10 10:15:00"])
    }),
  )
})

describe("OCPS 1.2 §4.1: the second", () => {
  it.effect("stands before the minute, and has to match", () =>
    Effect.gen(function* () {
      yield* matches("30 15 10 * * *", ["2025-03-10 10:15:30"], ["2025-03-10 10:15:29", "2025-03-10 10:15:00"])
      assert.lengthOf(yield* ticks("* * * * * *", "2025-03-10 10:00", "2025-03-10 10:05"), 300)
    }),
  )

  it.effect("is 0 where there is none", () =>
    matches("15 10 * * *", ["2025-03-10 10:15:00"], ["2025-03-10 10:15:30", "2025-03-10 10:15:01"]),
  )

  it.effect("is 0 for a nickname", () =>
    Effect.gen(function* () {
      yield* same("@daily", "0 0 0 * * *")
      yield* matches("@hourly", ["2025-03-10 10:00:00"], ["2025-03-10 10:00:01"])
    }),
  )

  it.effect("has the values 0 to 59, and lists, ranges and steps of them", () =>
    Effect.gen(function* () {
      const minute = ["2025-03-10 10:15", "2025-03-10 10:16"] as const
      const seconds = (cron: string) =>
        Effect.map(ticks(cron, ...minute), (all) => all.map((text) => text.slice(17) || "00").join(" "))
      assert.strictEqual(yield* seconds("0,59 15 10 * * *"), "00 59")
      assert.strictEqual(yield* seconds("*/20 15 10 * * *"), "00 20 40")
      assert.strictEqual(yield* seconds("5-50/15,7 15 10 * * *"), "05 07 20 35 50")
      yield* refused("60 0 0 * * *", /^the second 60 is not in 0-59$/)
      yield* refused("10/5 0 0 * * *", /^"10\/5" is a step of one second/)
    }),
  )
})

describe("OCPS 1.2 §4.2: the year", () => {
  it.effect("stands last, and has to match", () =>
    matches("0 15 10 * * * 2027", ["2027-03-10 10:15"], ["2026-03-10 10:15", "2028-03-10 10:15"]),
  )

  it.effect("comes with a second only: six fields begin with the second and have no year", () =>
    Effect.gen(function* () {
      yield* matches("1 2 3 4 5 *", ["2025-05-04 03:02:01", "2032-05-04 03:02:01"])
      yield* refused("0 0 1 1 * 2027", /^the day of week 2027 is not in 0-7$/)
    }),
  )

  it.effect("is every year where there is none", () =>
    Effect.gen(function* () {
      yield* same("0 0 0 1 1 * *", "0 0 0 1 1 *")
      assert.lengthOf(yield* newYears("0 0 1 1 *", 2000, 2100), 100)
    }),
  )

  it.effect("is a year, a range, a list or a step", () =>
    Effect.gen(function* () {
      const years = (field: string) => newYears(`0 0 0 1 1 * ${field}`, 2024, 2034)
      assert.deepStrictEqual(yield* years("2027"), [2027])
      assert.deepStrictEqual(yield* years("2027-2029"), [2027, 2028, 2029])
      assert.deepStrictEqual(yield* years("2027,2031"), [2027, 2031])
      assert.deepStrictEqual(yield* years("2025-2033/3"), [2025, 2028, 2031])
      assert.deepStrictEqual(yield* years("2025-2026,2030-2033/3"), [2025, 2026, 2030, 2033])
    }),
  )

  it.effect("steps from 1970: every second year is an even one", () =>
    Effect.gen(function* () {
      const years = (field: string) => newYears(`0 0 0 1 1 * ${field}`, 2024, 2034)
      assert.deepStrictEqual(yield* years("*/2"), [2024, 2026, 2028, 2030, 2032])
      assert.deepStrictEqual(yield* years("1970-2199/2"), [2024, 2026, 2028, 2030, 2032])
      assert.deepStrictEqual(yield* years("1971-2199/2"), [2025, 2027, 2029, 2031, 2033])
      assert.deepStrictEqual(yield* years("*/3"), [2024, 2027, 2030, 2033])
      assert.deepStrictEqual(yield* years("*/4"), [2026, 2030])
    }),
  )

  it.effect("has the values 1970 to 2199, the range that every implementation has", () =>
    Effect.gen(function* () {
      yield* matches("0 0 0 1 1 * 1970-2199", ["1970-01-01", "2199-01-01"], ["1969-01-01", "2200-01-01"])
      for (const year of ["1969", "2200", "0", "25", "10000"]) {
        yield* refused(`0 0 0 1 1 * ${year}`, new RegExp(`^the year ${year} is not in 1970-2199$`))
      }
      yield* recognised("0 0 0 1 1 * 2025", /matches no time from 2026 on/)
    }),
  )

  it.effect("takes the examples of the specification", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* ticks("0 15 10 * * * 2026", "2025-01-01", "2028-01-01"), 365)
      assert.deepStrictEqual(yield* ticks("0 0 12 1 1 * 2025-2027", "2024-01-01", "2030-01-01"), [
        "2025-01-01 12:00",
        "2026-01-01 12:00",
        "2027-01-01 12:00",
      ])
    }),
  )
})
