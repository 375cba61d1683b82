import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Occurrences from "../../../src/scheduler/occurrences.ts"
import { command, pipeline, plan, told } from "../../compiler/compiled.ts"

/** A pipeline with the pattern, on the clocks of UTC unless it is said otherwise. */
const scheduled = (cron: string, rest = "timezone: UTC") =>
  pipeline(`schedule: { cron: ${JSON.stringify(cron)}, ${rest} }`, "tasks:", command("a"))

/** The pattern's schedule, as the plan has it. */
export const scheduleOf = (cron: string, rest?: string) =>
  Effect.map(plan(scheduled(cron, rest)), ({ schedule }) => {
    assert.isDefined(schedule, cron)
    return schedule
  })

/** A time of UTC: `2025-03-10`, or with ` 10:15` or ` 10:15:30`. */
const timeOf = (text: string) => {
  const [day, clock = "00:00"] = text.split(" ")
  return Date.parse(`${day}T${clock}Z`)
}

const shown = (time: number) => new Date(time).toISOString().slice(0, 19).replace("T", " ").replace(/:00$/, "")

/** The ticks of a pattern from a time on and before another. */
export const ticks = (cron: string, from: string, to: string, rest?: string) =>
  Effect.map(scheduleOf(cron, rest), (schedule) =>
    [...Occurrences.between(schedule, timeOf(from), timeOf(to))].map(({ at }) => shown(at)),
  )

/** The days of a year on which a pattern ticks, without the year. */
export const days = (cron: string, year: number) =>
  Effect.map(ticks(cron, `${year}-01-01`, `${year + 1}-01-01`), (all) => [
    ...new Set(all.map((text) => text.slice(5, 10))),
  ])

/** That a pattern ticks at these times, and not at those. */
export const matches = (cron: string, yes: ReadonlyArray<string>, no: ReadonlyArray<string> = []) =>
  Effect.map(scheduleOf(cron), (schedule) => {
    const isTick = (text: string) => [...Occurrences.between(schedule, timeOf(text), timeOf(text) + 1)].length === 1
    assert.deepStrictEqual([...yes, ...no].filter(isTick), yes, cron)
  })

/** That two patterns have the same ticks in a year. */
export const same = (one: string, other: string, year = 2025) =>
  Effect.gen(function* () {
    const range = [`${year}-01-01`, `${year + 1}-01-01`] as const
    const expected = yield* ticks(other, ...range)
    assert.isNotEmpty(expected, other)
    assert.deepStrictEqual(yield* ticks(one, ...range), expected, `${one} and ${other}`)
  })

/** That a pattern is refused as none, at its place, with these words. */
export const refused = (cron: string, reason: RegExp) =>
  Effect.map(told(scheduled(cron)), (all) => {
    assert.lengthOf(all, 1, `${JSON.stringify(cron)}: ${all.join("\n")}`)
    const start = `3:19 ${JSON.stringify(cron)} is no cron pattern: `
    assert.isTrue(all[0].startsWith(start), all[0])
    assert.match(all[0].slice(start.length), reason, cron)
  })

/** That a pattern is one, but refused for what it says. */
export const recognised = (cron: string, reason: RegExp) =>
  Effect.map(told(scheduled(cron)), (all) => {
    assert.lengthOf(all, 1, `${cron}: ${all.join("\n")}`)
    assert.notInclude(all[0], "is no cron pattern")
    assert.match(all[0], reason)
  })
