import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { matches, recognised, refused, same, scheduleOf } from "./patterns.ts"

const nicknames = [
  ["@yearly", "0 0 1 1 *"],
  ["@annually", "0 0 1 1 *"],
  ["@monthly", "0 0 1 * *"],
  ["@weekly", "0 0 * * 0"],
  ["@daily", "0 0 * * *"],
  ["@midnight", "0 0 * * *"],
  ["@hourly", "0 * * * *"],
] as const

describe("OCPS 1.1 §7.1: a nickname", () => {
  for (const [nickname, pattern] of nicknames) {
    it.effect(`${nickname} is ${pattern}, in the plan too`, () =>
      Effect.gen(function* () {
        yield* same(nickname, pattern)
        assert.deepStrictEqual(yield* scheduleOf(nickname), yield* scheduleOf(pattern))
      }),
    )
  }

  it.effect("has the times that its description says", () =>
    Effect.gen(function* () {
      yield* matches("@yearly", ["2026-01-01 00:00"], ["2026-01-02 00:00"])
      yield* matches("@monthly", ["2026-02-01 00:00"], ["2026-02-02 00:00"])
      yield* matches("@weekly", ["2025-10-05 00:00"], ["2025-10-06 00:00"])
      yield* matches(
        "@daily",
        ["2025-10-07 00:00", "2025-10-08 00:00", "2025-11-01 00:00"],
        ["2025-10-07 00:01", "2025-10-08 00:00:01", "2025-10-08 23:59:59", "2025-11-01 00:01"],
      )
      yield* matches("@hourly", ["2025-10-07 10:00"], ["2025-10-07 10:01"])
    }),
  )

  it.effect("is in small letters", () =>
    Effect.gen(function* () {
      yield* refused("@Daily", /^there is no "@Daily"\. Did you mean "@daily"\?$/)
      yield* refused("@HOURLY", /^there is no "@HOURLY"\. Did you mean "@hourly"\?$/)
    }),
  )

  it.effect("is one of these", () =>
    Effect.gen(function* () {
      yield* refused("@dayly", /^there is no "@dayly"\. Did you mean "@daily"\?$/)
      yield* refused("@every 5m", /^there is no "@every 5m"/)
      yield* refused("@", /^there is no "@"/)
    }),
  )

  it.effect("may have white space before and after it", () => same(" \t@daily  ", "@daily"))

  it.effect("stands alone", () =>
    Effect.gen(function* () {
      for (const cron of ["@daily 0 0 * * *", "0 0 * * * @daily", "@daily @hourly", "0 0 * @monthly *"]) {
        yield* refused(cron, /^there is no /)
      }
    }),
  )
})

describe("OCPS 1.1 §7.2: @reboot", () => {
  it.effect("is a pattern, and told to be none that a schedule can have", () =>
    Effect.gen(function* () {
      const reason = /"@reboot" is an event, and a schedule has times\. Name them, like cron: '@daily'\.$/
      yield* recognised("@reboot", reason)
      yield* recognised(" @reboot ", reason)
      yield* refused("@Reboot", /^there is no "@Reboot"\. Did you mean "@reboot"\?$/)
    }),
  )
})

describe("OCPS 1.1 §5.1: a list", () => {
  it.effect("may hold *, and then has every value", () =>
    Effect.gen(function* () {
      yield* same("*,1-30 0 * * *", "* 0 * * *")
      yield* same("5,* 0 * * *", "* 0 * * *")
      yield* same("0 0 1 *,2 *", "0 0 1 * *")
    }),
  )

  it.effect("is checked in all its items, whatever stands before them", () =>
    Effect.gen(function* () {
      yield* refused("*,*,61 0 * * *", /^the minute 61 is not in 0-59$/)
      yield* refused("0 0 *,32 * MON", /^the day of month 32 /)
      yield* refused("0 0 1 * *,8", /^the day of week 8 /)
      yield* refused("*,5-1 0 * * *", /^the range 5-1 /)
      yield* refused("*,/5 0 * * *", /^"\/5" is a step of nothing/)
    }),
  )
})

describe("OCPS 1.1 §6.1: day of month and day of week", () => {
  it.effect("are not restricted by a list that begins with *", () =>
    Effect.gen(function* () {
      yield* same("0 12 *,1 * MON", "0 12 * * MON")
      yield* same("0 12 7 * *,MON", "0 12 7 * *")
      yield* same("0 12 *,1 * *,1", "0 12 * * *")
    }),
  )

  it.effect("are restricted by every other form", () =>
    Effect.gen(function* () {
      const mondayAndTuesday = ["2025-10-06 12:00", "2025-10-07 12:00"]
      yield* matches("0 12 1-31 * MON", mondayAndTuesday)
      yield* matches("0 12 1,* * MON", mondayAndTuesday)
      yield* matches("0 12 */1 * MON", mondayAndTuesday)
      yield* matches("0 12 */2 * MON", mondayAndTuesday, ["2025-10-08 12:00"])
      yield* matches("0 12 7 * MON,*", mondayAndTuesday)
      yield* matches("0 12 7 * 0-6", mondayAndTuesday)
    }),
  )
})

describe("OCPS 1.1 §6.2: a step", () => {
  it.effect("follows * or a range, and no single value", () =>
    Effect.gen(function* () {
      yield* refused("/30 0 * * *", /^"\/30" is a step of nothing: write \*\/30\b/)
      yield* refused("0/15 0 * * *", /^"0\/15" is a step of one minute: write 0-59\/15\b/)
      yield* refused("10/10 0 * * *", /^"10\/10" is a step of one minute: write 10-59\/10\b/)
      yield* refused("0 0 * * MON/2", /^"MON\/2" is a step of one day of week: write MON-7\/2\b/)
      yield* refused("0 0 /30 * *", /^"\/30" is a step of nothing/)
      yield* refused("60/5 0 * * *", /^the minute 60 is not in 0-59$/)
      yield* same("*/30 0 * * *", "0,30 0 * * *")
      yield* same("10-50/10 0 * * *", "10,20,30,40,50 0 * * *")
    }),
  )

  it.effect("is at most as long as its field", () =>
    Effect.gen(function* () {
      yield* refused("*/61 0 * * *", /^the step 61 of the minute is not in 1-60$/)
      yield* refused("0 */25 * * *", /^the step 25 of the hour is not in 1-24$/)
    }),
  )
})
