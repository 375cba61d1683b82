import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as CronPattern from "../../../src/domain/cron-pattern.ts"
import * as CronSyntax from "../../../src/domain/cron-syntax.ts"

/** A part of a list: how it is written, and what it means, worked out from the specification alone. */
interface Item<A> {
  readonly text: string
  readonly has: (value: A) => boolean
}

const day = 86_400_000

/** A day of the calendar, and all that a pattern can ask about it. */
const dayOf = (time: number) => {
  const date = new Date(time)
  const [year, month, number, weekday] = [
    date.getUTCFullYear(),
    date.getUTCMonth(),
    date.getUTCDate(),
    date.getUTCDay(),
  ]
  const length = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  const weekdayOf = (other: number) => (weekday + 35 + other - number) % 7
  return { year, month: month + 1, number, weekday, length, weekdayOf }
}
type Day = ReturnType<typeof dayOf>

/** The weekday that is nearest to a day of the month, within the month; undefined where it has no such day. */
const nearest = ({ length, weekdayOf }: Day, to: number): number | undefined =>
  to > length
    ? undefined
    : [to, to - 1, to + 1, to - 2, to + 2].find((other) => other >= 1 && other <= length && weekdayOf(other) % 6 !== 0)

/** The items of a field with values from `from` to `to`. */
const items = (from: number, to: number): FastCheck.Arbitrary<Item<number>> => {
  const value = FastCheck.integer({ min: from, max: to })
  const step = FastCheck.integer({ min: 1, max: Math.min(to - from, 30) })
  const range = FastCheck.tuple(value, value).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
  return FastCheck.oneof(
    value.map((only) => ({ text: `${only}`, has: (one: number) => one === only })),
    FastCheck.constant({ text: "*", has: () => true }),
    step.map((by) => ({ text: `*/${by}`, has: (one: number) => (one - from) % by === 0 })),
    range.map(([a, b]) => ({ text: `${a}-${b}`, has: (one: number) => one >= a && one <= b })),
    FastCheck.tuple(range, step).map(([[a, b], by]) => ({
      text: `${a}-${b}/${by}`,
      has: (one: number) => one >= a && one <= b && (one - a) % by === 0,
    })),
  )
}

const list = <A>(item: FastCheck.Arbitrary<Item<A>>): FastCheck.Arbitrary<Item<A>> =>
  FastCheck.array(item, { minLength: 1, maxLength: 3 }).map((all) => ({
    text: all.map(({ text }) => text).join(","),
    has: (value) => all.some(({ has }) => has(value)),
  }))

const on = <A>(item: FastCheck.Arbitrary<Item<A>>, read: (date: Day) => A): FastCheck.Arbitrary<Item<Day>> =>
  item.map(({ has, text }) => ({ text, has: (date) => has(read(date)) }))

const daysOfMonth = FastCheck.oneof(
  list(
    FastCheck.oneof(
      { weight: 5, arbitrary: on(items(1, 31), ({ number }) => number) },
      { weight: 1, arbitrary: FastCheck.constant({ text: "L", has: (date: Day) => date.number === date.length }) },
    ),
  ),
  FastCheck.constant({ text: "*", has: () => true }),
  FastCheck.integer({ min: 1, max: 31 }).map((to) => ({
    text: `${to}W`,
    has: (date: Day) => nearest(date, to) === date.number,
  })),
)

const nthOrLast = FastCheck.tuple(
  FastCheck.integer({ min: 0, max: 7 }),
  FastCheck.constantFrom(1, 2, 3, 4, 5, "L"),
).map(([weekday, nth]) => ({
  text: `${weekday}#${nth}`,
  has: (date: Day) =>
    date.weekday === weekday % 7 && (nth === "L" ? date.number > date.length - 7 : Math.ceil(date.number / 7) === nth),
}))

const daysOfWeek = FastCheck.oneof(
  list(
    FastCheck.oneof(
      nthOrLast,
      items(0, 7).map(({ has, text }) => ({
        text,
        has: ({ weekday }: Day) => has(weekday) || (weekday === 0 && has(7)),
      })),
    ),
  ),
  FastCheck.constant({ text: "*", has: () => true }),
)

const isRestricted = ({ text }: Item<Day>) => text.split(",")[0] !== "*"

const shown = (times: ReadonlyArray<number>) => times.map((time) => new Date(time).toISOString())

describe("any pattern of the specification", () => {
  it("matches the days that its day of month, month, day of week and year say", () => {
    const [from, to] = [Date.UTC(2027, 5, 1), Date.UTC(2029, 5, 1)]
    const all = Array.from({ length: (to - from) / day }, (_, i) => from + i * day)
    FastCheck.assert(
      FastCheck.property(
        daysOfMonth,
        FastCheck.oneof(
          on(items(1, 12), ({ month }) => month),
          FastCheck.constant({ text: "*", has: () => true }),
        ),
        daysOfWeek,
        FastCheck.boolean(),
        on(items(1970, 2199), ({ year }) => year),
        (dom, month, dow, isBoth, year) => {
          const pattern = `0 0 0 ${dom.text} ${month.text} ${isBoth ? "+" : ""}${dow.text} ${year.text}`
          const isEither = isRestricted(dom) && isRestricted(dow) && !isBoth
          const expected = all.filter((time) => {
            const date = dayOf(time)
            if (!month.has(date) || !year.has(date)) return false
            return isEither ? dom.has(date) || dow.has(date) : dom.has(date) && dow.has(date)
          })
          assert.isUndefined(CronSyntax.problem(pattern), pattern)
          assert.deepStrictEqual(shown([...CronPattern.matches(pattern, from, to)]), shown(expected), pattern)
        },
      ),
      { numRuns: 600 },
    )
  })

  it("matches the times of day that its second, minute and hour say", () => {
    const from = Date.UTC(2027, 1, 28)
    const field = (to: number) => list(items(0, to))
    FastCheck.assert(
      FastCheck.property(field(59), field(59), field(23), (second, minute, hour) => {
        const pattern = `${second.text} ${minute.text} ${hour.text} * * *`
        const expected: Array<number> = []
        for (let h = 0; h < 24; h++) {
          for (let m = 0; m < 60; m++) {
            for (let s = 0; s < 60; s++) {
              if (hour.has(h) && minute.has(m) && second.has(s)) expected.push(from + ((h * 60 + m) * 60 + s) * 1_000)
            }
          }
        }
        // A quarter of the day, so that a pattern of every second does not take the time of all others.
        const quarter = expected.filter((time) => time < from + day / 4)
        assert.deepStrictEqual([...CronPattern.matches(pattern, from, from + day / 4)], quarter, pattern)
        assert.strictEqual(
          CronPattern.fixesHour(pattern),
          Array.from({ length: 24 }, (_, h) => h).some((h) => !hour.has(h)),
        )
      }),
      { numRuns: 100 },
    )
  })

  it("matches these times on each of its days, from any time on", () => {
    const field = (to: number) => list(items(0, to))
    const from = FastCheck.integer({ min: Date.UTC(2027, 1, 26), max: Date.UTC(2027, 2, 2) })
    const times = FastCheck.tuple(FastCheck.integer({ min: 0, max: 59 }), field(59), field(23))
    FastCheck.assert(
      FastCheck.property(times, FastCheck.integer({ min: 1, max: 7 }), from, ([second, minute, hour], to, from) => {
        const pattern = `${second} ${minute.text} ${hour.text} 1-${to} * *`
        const expected: Array<number> = []
        const begin = Math.floor(from / 60_000) * 60_000 + second * 1_000
        for (let at = begin < from ? begin + 60_000 : begin; at < from + 4 * day; at += 60_000) {
          const date = new Date(at)
          if (date.getUTCDate() <= to && hour.has(date.getUTCHours()) && minute.has(date.getUTCMinutes())) {
            expected.push(at)
          }
        }
        assert.deepStrictEqual([...CronPattern.matches(pattern, from, from + 4 * day)], expected, pattern)
      }),
      { numRuns: 100 },
    )
  })

  it("is the same in its one form", () => {
    FastCheck.assert(
      FastCheck.property(
        daysOfMonth,
        daysOfWeek,
        FastCheck.mixedCase(FastCheck.constantFrom("jan-mar", "*/2")),
        (dom, dow, month) => {
          const pattern = `\t 0  3 ${dom.text.toLowerCase()}\t${month} ${dow.text.toLowerCase()} `
          const one = CronSyntax.normalise(pattern)
          assert.isUndefined(CronSyntax.problem(pattern))
          assert.isUndefined(CronSyntax.problem(one))
          assert.strictEqual(CronSyntax.normalise(one), one)
          const range = [Date.UTC(2027, 0, 1), Date.UTC(2028, 0, 1)] as const
          assert.deepStrictEqual([...CronPattern.matches(one, ...range)], [...CronPattern.matches(pattern, ...range)])
        },
      ),
    )
  })
})

describe("any text", () => {
  const tokens = FastCheck.constantFrom(..."* , - / # L W + ? @ 0 1 5 7 12 31 60 1970 MON SUN JAN l é".split(" "))
  const part = FastCheck.oneof(
    FastCheck.constantFrom("*", "1", "5", "*/5", "1-5", "1,5"),
    FastCheck.array(tokens, { minLength: 1, maxLength: 4 }).map((all) => all.join("")),
  )
  const texts = FastCheck.array(part, { minLength: 4, maxLength: 8 }).map((all) => all.join(" "))

  it("is refused with words, or can be asked for its times", () => {
    let taken = 0
    FastCheck.assert(
      FastCheck.property(FastCheck.oneof({ weight: 9, arbitrary: texts }, FastCheck.string()), (text) => {
        const problem = CronSyntax.problem(text)
        if (problem !== undefined) return assert.isNotEmpty(problem)
        taken++
        const pattern = CronSyntax.normalise(text)
        const [next] = CronPattern.matches(pattern, Date.UTC(2026, 0, 1), Date.UTC(2026, 1, 1))
        assert.isTrue(next === undefined || next >= Date.UTC(2026, 0, 1), pattern)
      }),
      { numRuns: 10_000 },
    )
    assert.isAbove(taken, 100)
  })
})
