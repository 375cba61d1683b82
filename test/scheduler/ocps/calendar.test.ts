import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { days, matches, refused, same } from "./patterns.ts"

describe("OCPS 1.3 §4.1: L", () => {
  it.effect("in the day of month is the last day of the month", () =>
    Effect.gen(function* () {
      const last = "01-31 02-28 03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-31".split(" ")
      assert.deepStrictEqual(yield* days("0 0 L * *", 2025), last)
      assert.deepStrictEqual(yield* days("0 0 L * *", 2028), last.with(1, "02-29"))
      yield* same("0 0 l * *", "0 0 L * *")
    }),
  )

  it.effect("in the day of week is the last such day of the month, with # before it or not", () =>
    Effect.gen(function* () {
      const fridays = "01-31 02-28 03-28 04-25 05-30 06-27 07-25 08-29 09-26 10-31 11-28 12-26".split(" ")
      for (const field of ["5L", "5#L", "FRI#L", "FRIL", "fri#l"]) {
        assert.deepStrictEqual(yield* days(`0 0 * * ${field}`, 2025), fridays, field)
      }
      yield* same("0 0 * * 7#L", "0 0 * * SUN#L")
      yield* matches("0 0 * * FRI#L", ["2025-02-28"], ["2025-02-21"])
    }),
  )

  it.effect("may stand in a list", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* days("0 0 15,L * *", 2025)).slice(0, 4), ["01-15", "01-31", "02-15", "02-28"])
      assert.deepStrictEqual((yield* days("0 0 * * MON#L,FRI#1", 2025)).slice(0, 4), [
        "01-03",
        "01-27",
        "02-07",
        "02-24",
      ])
    }),
  )

  it.effect("has no meaning in another field, nor with a number or a range", () =>
    Effect.gen(function* () {
      for (const cron of ["L 0 * * *", "0 L * * *", "0 0 1 L *", "L 0 0 * * *", "0 0 0 1 1 * L"]) {
        yield* refused(cron, /^there is no \w+ "L"$/)
      }
      yield* refused("0 0 5L * *", /^there is no day of month "5L"$/)
      yield* refused("0 0 L-3 * *", /day of month "L"$/)
      yield* refused("0 0 * * L", /^there is no day of week "L"$/)
      yield* refused("0 0 * * 1-5L", /day of week/)
      yield* refused("0 0 * * 8L", /^the day of week 8 is not in 0-7$/)
    }),
  )
})

describe("OCPS 1.3 §4.2: #", () => {
  it.effect("is the nth such day of the month, by number or name", () =>
    Effect.gen(function* () {
      const tuesdays = "01-21 02-18 03-18 04-15 05-20 06-17 07-15 08-19 09-16 10-21 11-18 12-16".split(" ")
      assert.deepStrictEqual(yield* days("0 0 * * 2#3", 2025), tuesdays)
      assert.deepStrictEqual(yield* days("0 0 * * TUE#3", 2025), tuesdays)
      assert.deepStrictEqual((yield* days("0 0 * * MON#1", 2025)).slice(0, 3), ["01-06", "02-03", "03-03"])
    }),
  )

  it.effect("takes the days 0 to 7, both ends as Sunday, and the first to the fifth", () =>
    Effect.gen(function* () {
      for (const nth of [1, 2, 3, 4, 5]) yield* same(`0 0 * * 7#${nth}`, `0 0 * * 0#${nth}`)
      for (const nth of [1, 2, 3, 4]) assert.lengthOf(yield* days(`0 0 * * 3#${nth}`, 2025), 12)
      yield* refused("0 0 * * 8#1", /^the day of week 8 is not in 0-7$/)
      for (const nth of ["0", "6", "12", "X", ""]) {
        yield* refused(`0 0 * * 1#${nth}`, /^"1#.*" names which one by 1 to 5, or L for the last$/)
      }
    }),
  )

  it.effect("as the fifth leaves out the months that have four", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* days("0 0 * * FRI#5", 2025), ["01-31", "05-30", "08-29", "10-31"])
    }),
  )

  it.effect("has no meaning in another field, nor with a range", () =>
    Effect.gen(function* () {
      for (const cron of ["0 0 1#1 * *", "1#1 0 * * *", "0 0 1 1#1 *"]) yield* refused(cron, /^there is no .* "1#1"$/)
      for (const field of ["#1", "1-5#2", "*#1", "1#1-2", "1#1#2", "*/2#1"]) yield* refused(`0 0 * * ${field}`, /./)
    }),
  )
})

describe("OCPS 1.3 §4.3: W", () => {
  it.effect("is the day itself where it is a weekday", () =>
    matches("0 12 15W * *", ["2025-01-15 12:00"], ["2025-01-14 12:00", "2025-01-16 12:00"]),
  )

  it.effect("is the Friday before a Saturday", () =>
    matches("0 12 15W * *", ["2025-02-14 12:00"], ["2025-02-15 12:00", "2025-02-17 12:00"]),
  )

  it.effect("is the Monday after a Sunday", () =>
    matches("0 12 15W * *", ["2025-06-16 12:00"], ["2025-06-15 12:00", "2025-06-13 12:00"]),
  )

  it.effect("does not leave the month", () =>
    Effect.gen(function* () {
      // The first of February 2025 is a Saturday, the last of August 2025 a Sunday.
      yield* matches("0 12 1W * *", ["2025-02-03 12:00"], ["2025-01-31 12:00", "2025-02-01 12:00"])
      yield* matches("0 12 31W * *", ["2025-08-29 12:00"], ["2025-08-31 12:00", "2025-09-01 12:00"])
      assert.deepStrictEqual(
        yield* days("0 12 1W * *", 2025),
        "01-01 02-03 03-03 04-01 05-01 06-02 07-01 08-01 09-01 10-01 11-03 12-01".split(" "),
      )
    }),
  )

  it.effect("is of a single day: it goes with no list, no range and no step", () =>
    Effect.gen(function* () {
      for (const field of ["1-15W", "1W-15", "1W,15", "1,15W", "1W,15W", "*,15W", "*W", "*/2W", "1-5W/2", "L,15W"]) {
        yield* refused(`0 12 ${field} * *`, /^W is of one day of month, like 15W: it stands alone$/)
      }
    }),
  )

  it.effect("follows a day that a month can have", () =>
    Effect.gen(function* () {
      yield* refused("0 12 0W * *", /^the day of month 0 is not in 1-31$/)
      yield* refused("0 12 32W * *", /^the day of month 32 is not in 1-31$/)
      for (const field of ["W", "W15", "15WW"]) yield* refused(`0 12 ${field} * *`, /./)
    }),
  )

  it.effect("has no meaning in another field", () =>
    Effect.gen(function* () {
      for (const cron of ["15W 0 * * *", "0 15W * * *", "0 0 1 5W *", "0 0 * * 5W"])
        yield* refused(cron, /^there is no /)
    }),
  )
})

describe("what OCPS 1.3 leaves open", () => {
  it.effect("a day with W that a month does not have is not in that month", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* days("0 12 31W * *", 2025), "01-31 03-31 05-30 07-31 08-29 10-31 12-31".split(" "))
    }),
  )

  it.effect("LW is the last weekday of the month", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* days("0 12 LW * *", 2025),
        "01-31 02-28 03-31 04-30 05-30 06-30 07-31 08-29 09-30 10-31 11-28 12-31".split(" "),
      )
      yield* refused("0 12 LW,15 * *", /^W is of one day/)
    }),
  )
})
