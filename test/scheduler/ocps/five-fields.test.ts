import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { days, matches, recognised, refused, same, ticks } from "./patterns.ts"

const hour = ["2025-03-10 10:00", "2025-03-10 11:00"] as const

describe("OCPS 1.0 §4.1: a pattern", () => {
  it.effect("has five fields: minute, hour, day of month, month, day of week", () =>
    Effect.gen(function* () {
      yield* matches("15 10 * * *", ["2025-03-10 10:15"], ["2025-03-10 10:14", "2025-03-10 15:10"])
      yield* matches("15 10 5 3 *", ["2025-03-05 10:15"], ["2025-05-03 10:15", "2025-03-10 10:15"])
      yield* matches("15 10 * * 2", ["2025-03-11 10:15"], ["2025-02-10 10:15"])
      for (const cron of [" ", "*", "* * * *"]) yield* refused(cron, /^it has \d of the five fields/)
      yield* refused("* * * * * * * *", /^it has 8 fields; the most are seven/)
    }),
  )

  it.effect("with a character that has no meaning is refused, with the character", () =>
    Effect.gen(function* () {
      for (const [cron, character] of [
        ["0 0 * * MON;", ";"],
        ["0 0 * * $", "$"],
        ["0 3.5 * * *", "."],
        ["0 -- ! * *", "!"],
        ["0 0 * * МON", "М"],
        ["０ 0 * * *", "０"],
      ]) {
        yield* refused(cron, new RegExp(`^the character "\\${character}" has no meaning`))
      }
    }),
  )

  it.effect("may have white space before and after it", () => same("  \t0 3 * * *\t ", "0 3 * * *"))

  it.effect("may have more than one space or tab between two fields", () => same("0  3 \t *\t* *", "0 3 * * *"))
})

describe("OCPS 1.0 §4.2: a field", () => {
  const values = [
    [0, "minute", 0, 59],
    [1, "hour", 0, 23],
    [2, "day of month", 1, 31],
    [3, "month", 1, 12],
    [4, "day of week", 0, 7],
  ] as const
  const withField = (at: number, value: string) => ["0", "0", "*", "*", "*"].with(at, value).join(" ")

  for (const [at, name, from, to] of values) {
    it.effect(`${name} has the values ${from} to ${to}, and no other`, () =>
      Effect.gen(function* () {
        for (let value = from; value <= to; value++) {
          const all = yield* ticks(withField(at, String(value)), "2025-01-01", "2026-01-01")
          const read = all.map((text) => {
            const date = new Date(`${text.replace(" ", "T")}Z`)
            return [
              date.getUTCMinutes(),
              date.getUTCHours(),
              date.getUTCDate(),
              date.getUTCMonth() + 1,
              date.getUTCDay(),
            ][at]
          })
          assert.deepStrictEqual([...new Set(read)], [name === "day of week" ? value % 7 : value])
        }
        const range = `not in ${from}-${to}`
        yield* refused(withField(at, String(to + 1)), new RegExp(`^the ${name} ${to + 1} is ${range}$`))
        yield* refused(withField(at, "999"), new RegExp(range))
        if (from > 0) yield* refused(withField(at, "0"), new RegExp(`^the ${name} 0 is ${range}$`))
        yield* refused(withField(at, "-1"), /./)
      }),
    )
  }

  it.effect("month has names, in capitals or not", () =>
    Effect.gen(function* () {
      const names = ["JAN", "feb", "Mar", "aPR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
      for (const [i, name] of names.entries()) yield* same(`0 0 * ${name} *`, `0 0 * ${i + 1} *`)
      yield* same("0 0 * jan-Mar,NOV *", "0 0 * 1-3,11 *")
    }),
  )

  it.effect("day of week has names, in capitals or not", () =>
    Effect.gen(function* () {
      const names = ["SUN", "mon", "Tue", "wED", "THU", "FRI", "SAT"]
      for (const [i, name] of names.entries()) yield* same(`0 0 * * ${name}`, `0 0 * * ${i}`)
      yield* same("0 0 * * Mon-fri/2,sun", "0 0 * * 1-5/2,0")
      yield* matches("30 8 * jan Mon", ["2025-01-06 08:30"], ["2025-02-03 08:30"])
    }),
  )

  it.effect("has the names of no other field, and no longer or shorter ones", () =>
    Effect.gen(function* () {
      for (const [cron, reason] of [
        ["0 0 * MON *", /^there is no month "MON"$/],
        ["0 0 * * JAN", /^there is no day of week "JAN"$/],
        ["0 0 MON * *", /^there is no day of month "MON"$/],
        ["JAN 0 * * *", /^there is no minute "JAN"$/],
        ["0 0 * * MONDAY", /^there is no day of week "MONDAY"$/],
        ["0 0 * JANUARY *", /^there is no month "JANUARY"$/],
        ["0 0 * * MO", /^there is no day of week "MO"$/],
        ["0 0 * * MON2", /^there is no day of week "MON2"$/],
      ] as const) {
        yield* refused(cron, reason)
      }
    }),
  )

  it.effect("day of week has Sunday as 0 and as 7, also at the ends of a range", () =>
    Effect.gen(function* () {
      yield* same("0 0 * * 7", "0 0 * * 0")
      yield* same("0 0 * * 5-7", "0 0 * * 5,6,0")
      yield* same("0 0 * * FRI-SUN", "0 0 * * 5,6,0")
      yield* same("0 0 * * SUN-TUE", "0 0 * * 0,1,2")
      yield* same("0 0 * * 0-7", "0 0 * * *")
      yield* same("0 0 * * SUN-SUN", "0 0 * * 0")
    }),
  )
})

describe("OCPS 1.0 §4.3: white space", () => {
  it.effect("is a space or a tab, and nothing else", () =>
    Effect.gen(function* () {
      for (const [text, code] of [
        ["\n", "000A"],
        ["\r", "000D"],
        ["\u00a0", "00A0"],
        ["\u2003", "2003"],
        ["\u3000", "3000"],
      ]) {
        const reason = new RegExp(`^the character U\\+${code} has no meaning`)
        for (const cron of [`0${text}3 * * *`, `0 3 * * *${text}`]) yield* refused(cron, reason)
      }
    }),
  )
})

describe("OCPS 1.0 §5: a special character", () => {
  it.effect("* is every value of the field", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* ticks("* * * * *", "2025-03-10", "2025-03-11"), 24 * 60)
      yield* same("7 * * * *", "7 0-23 * * *")
      yield* same("0 0 * * *", "0 0 1-31 1-12 0-7")
    }),
  )

  it.effect(", is a list of values", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ticks("45,0,30,15 * * * *", ...hour), [
        "2025-03-10 10:00",
        "2025-03-10 10:15",
        "2025-03-10 10:30",
        "2025-03-10 10:45",
      ])
    }),
  )

  it.effect(", has a value on each side", () =>
    Effect.gen(function* () {
      for (const list of [",", "1,", ",1", "1,,2"]) yield* refused(`${list} 0 * * *`, /^an item of the minute is empty/)
    }),
  )

  it.effect("- is a range with both its ends", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ticks("0 9-12 * * *", "2025-03-10", "2025-03-11"), [
        "2025-03-10 09:00",
        "2025-03-10 10:00",
        "2025-03-10 11:00",
        "2025-03-10 12:00",
      ])
      yield* same("0 9-9 * * *", "0 9 * * *")
      for (const range of ["9-", "-9", "-", "1-2-3", "9--10"]) yield* refused(`0 ${range} * * *`, /hour/)
    }),
  )

  it.effect("/ is a step, over the range that it follows", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ticks("5-59/15 * * * *", ...hour), [
        "2025-03-10 10:05",
        "2025-03-10 10:20",
        "2025-03-10 10:35",
        "2025-03-10 10:50",
      ])
      yield* matches("5-59/15 9 * * *", ["2025-03-10 09:05", "2025-03-10 09:50"], ["2025-03-10 09:15"])
    }),
  )
})

describe("OCPS 1.0 §5.1: together", () => {
  it.effect("a list has all that its items have, each once", () =>
    Effect.gen(function* () {
      yield* same("0-10/5,8,50-52,5 * * * *", "0,5,8,10,50,51,52 * * * *")
      yield* same("0 0 1-3,2-4 * *", "0 0 1,2,3,4 * *")
    }),
  )

  it.effect("* is the whole range of the field, also under a step", () =>
    Effect.gen(function* () {
      yield* same("*/20 0 * * *", "0-59/20 0 * * *")
      yield* same("0 */5 * * *", "0 0,5,10,15,20 * * *")
      yield* same("0 0 */10 * *", "0 0 1,11,21,31 * *")
      yield* same("0 0 1 */5 *", "0 0 1 1,6,11 *")
      yield* same("0 0 * * */2", "0 0 * * 0,2,4,6")
      yield* same("0 0 * * */3", "0 0 * * 0,3,6")
    }),
  )

  it.effect("a step has the lowest value of its range and each that follows by it", () =>
    Effect.gen(function* () {
      yield* same("0 3-20/7 * * *", "0 3,10,17 * * *")
      yield* same("10-12/50 0 * * *", "10 0 * * *")
      yield* same("*/60 0 * * *", "0 0 * * *")
      yield* same("0 0 * FEB-NOV/4 *", "0 0 * 2,6,10 *")
      yield* same("*/1 0 * * *", "* 0 * * *")
    }),
  )
})

describe("OCPS 1.0 §6.1: day of month and day of week", () => {
  it.effect("that are both restricted match where either does", () =>
    Effect.gen(function* () {
      yield* matches("0 12 1 * MON", ["2025-10-01 12:00", "2025-10-06 12:00"], ["2025-10-07 12:00"])
      assert.deepStrictEqual(
        (yield* days("0 12 1 * MON", 2025)).filter((day) => day.startsWith("10")),
        ["10-01", "10-06", "10-13", "10-20", "10-27"],
      )
    }),
  )

  it.effect("match by the one of them that is restricted", () =>
    Effect.gen(function* () {
      yield* matches("0 12 * * MON", ["2025-10-06 12:00"], ["2025-10-07 12:00"])
      yield* matches("0 12 7 * *", ["2025-10-07 12:00"], ["2025-10-06 12:00"])
    }),
  )

  it.effect("are restricted too by a range that leaves nothing out", () =>
    matches("0 12 1-31 * MON", ["2025-10-06 12:00", "2025-10-07 12:00"], ["2025-10-08 11:00"]),
  )
})

describe("OCPS 1.0 §6.2: refused is", () => {
  it.effect("a value that is out of its field's range, wherever it stands", () =>
    Effect.gen(function* () {
      for (const [cron, reason] of [
        ["60 0 * * *", /^the minute 60 is not in 0-59$/],
        ["0 0 32 * *", /^the day of month 32 is not in 1-31$/],
        ["0 0 * 13 *", /^the month 13 is not in 1-12$/],
        ["0,60 0 * * *", /^the minute 60 /],
        ["0 20-24 * * *", /^the hour 24 /],
        ["0 0 0-5 * *", /^the day of month 0 /],
        ["0 0 * * 5-8/2", /^the day of week 8 /],
        ["0 99999999999999999999 * * *", /^the hour 99999999999999999999 /],
      ] as const) {
        yield* refused(cron, reason)
      }
    }),
  )

  it.effect("a range that ends before it begins", () =>
    Effect.gen(function* () {
      yield* refused("0 0 10-5 * *", /^the range 10-5 of the day of month ends before it begins/)
      yield* refused("0 22-6 * * *", /^the range 22-6 of the hour ends before it begins/)
      yield* refused("0 0 * NOV-FEB *", /^the range NOV-FEB of the month ends before it begins/)
      yield* refused("0 0 * * FRI-MON", /^the range FRI-MON of the day of week ends before it begins/)
      yield* refused("50-10/5 0 * * *", /^the range 50-10 of the minute ends before it begins/)
    }),
  )

  it.effect("a step of nothing", () =>
    Effect.gen(function* () {
      for (const field of ["*/0", "0-30/0", "*/00", "5,*/0"])
        yield* refused(`${field} 0 * * *`, /^the step 0+ of the minute/)
      for (const field of ["*/", "*/x", "*/-1", "*/1.5", "*/5/5"]) yield* refused(`${field} 0 * * *`, /./)
    }),
  )

  it.effect("no impossible date: it is a pattern, and told to match no time", () =>
    Effect.gen(function* () {
      yield* recognised("* * 31 2 *", /"\* \* 31 2 \*" matches no time from 2026 on\.$/)
      yield* recognised("0 0 30 2 *", /matches no time/)
      yield* recognised("0 0 31 4,6,9,11 *", /matches no time/)
      yield* matches("0 0 29 2 *", ["2024-02-29 00:00"], ["2025-02-28 00:00", "2025-03-01 00:00"])
    }),
  )
})

describe("OCPS 1.0 §6.4: a pattern", () => {
  it.effect("goes by the clocks of the schedule's zone", () =>
    Effect.gen(function* () {
      const range = ["2025-01-06", "2025-01-07"] as const
      assert.deepStrictEqual(yield* ticks("0 9 * * MON", ...range, "timezone: Asia/Tokyo"), ["2025-01-06 00:00"])
      assert.deepStrictEqual(yield* ticks("0 9 * * MON", ...range, "timezone: Asia/Kolkata"), ["2025-01-06 03:30"])
      assert.deepStrictEqual(yield* ticks("0 9 * * MON", ...range), ["2025-01-06 09:00"])
    }),
  )
})
