import type { Event } from "../../src/domain/event.ts"
import type { FinalRunStatus } from "../../src/domain/final-run-status.ts"
import { timeText } from "../../src/domain/occurrence.ts"
import type { Schedule } from "../../src/domain/schedule.ts"
import { of } from "../../src/domain/sha256.ts"
import * as Decide from "../../src/scheduler/decide.ts"
import { type ScheduleState, evolve, initial } from "../../src/scheduler/schedule-state.ts"

/** The pipeline whose schedule it is. */
export const pipeline = "nightly"

/** A pattern in UTC that runs what is on time and catches nothing up, but for what is said. */
export const scheduleOf = (cron: string, more: Partial<Schedule> = {}): Schedule => ({
  cron,
  timezone: "UTC",
  params: {},
  overlap: "skip",
  catchup: { policy: "none" },
  ...more,
})

export const factsAt = (now: number, more: Partial<Decide.Facts> = {}): Decide.Facts => ({
  env: "dev",
  pipeline,
  now,
  queue: 100,
  atOnce: 32,
  ...more,
})

/** A schedule's stream in memory, and its fold. */
export const newStream = () => {
  const events: Array<Event & { readonly time: number }> = []
  let state: ScheduleState = initial
  const append = (time: number, ...added: ReadonlyArray<Event>) => {
    for (const event of added) {
      events.push({ ...event, time })
      state = evolve(state, { ...event, time })
    }
  }
  const decide = (now: number, more: Partial<Decide.Facts> = {}) => {
    const decided = Decide.decide(state, factsAt(now, more))
    append(now, ...decided)
    return decided
  }
  return {
    events,
    state: () => state,
    append,
    decide,
    /** Deploys a schedule; `written` is when that is written down, where it is later than `time`, when it is decided. */
    deploy: (time: number, schedule: Schedule, written = time) =>
      append(written, ...Decide.deploy(state, factsAt(time), { plan: of(JSON.stringify(schedule)), schedule })),
    withdraw: (time: number, reason: string) => append(time, ...Decide.withdraw(state, factsAt(time), reason)),
    end: (time: number, { run, tick }: ScheduleState["runs"][number], status: FinalRunStatus) =>
      append(time, {
        type: "dev.dandori.schedule.run.ended.v1",
        data: { pipeline, tick: timeText(tick), run, status },
      }),
    pause: (time: number, reason: string) =>
      append(time, { type: "dev.dandori.schedule.paused.v1", data: { pipeline, reason } }),
    resume: (time: number) =>
      append(time, { type: "dev.dandori.schedule.resumed.v1", data: { pipeline, reason: "mended" } }),
  }
}

/** What was decided, a line each: `03:00 ran`, `04:00..06:00 ×3 missed`. */
export const shown = (events: ReadonlyArray<Event>) =>
  events.map((event) => {
    const hour = (text: string) => text.slice(11, 16)
    if (event.type === "dev.dandori.schedule.tick.closed.v1") {
      const { outcome, through, tick, ticks } = event.data
      const queued = outcome.is === "ran" && outcome.queued === true ? " queued" : ""
      const range = through === undefined ? "" : `..${hour(through)} ×${ticks}`
      return `${hour(tick)}${range} ${outcome.is}${queued}`
    }
    if (event.type === "dev.dandori.schedule.tick.coalesced.v1") {
      return `${hour(event.data.tick)} coalesced into ${hour(event.data.into)}`
    }
    return event.type
  })
