import type { FinalRunStatus } from "../domain/final-run-status.ts"
import { timeText } from "../domain/occurrence.ts"
import * as Occurrences from "./occurrences.ts"
import type { Written } from "./schedule-fold.ts"
import { type ScheduleState, evolve, initial } from "./schedule-state.ts"

/** Why a tick did or did not run. */
export type Verdict =
  | {
      readonly is: "ran"
      readonly run: string
      readonly fate: "waits" | "goes on" | FinalRunStatus
      readonly reason?: string
    }
  | { readonly is: "skipped" | "coalesced" | "missed" | "held"; readonly reason: string }
  | { readonly is: "due" | "no tick"; readonly reason: string }

/** What became of one nominal time, milliseconds since the epoch. */
export interface Explanation {
  readonly tick: number
  readonly verdict: Verdict
  /** When that was recorded, milliseconds since the epoch. */
  readonly decided?: number
  /** The runs of backfills for it, with their status. */
  readonly backfills: ReadonlyArray<{ readonly run: string; readonly status: FinalRunStatus }>
}

type ClosedEvent = Extract<Written, { readonly type: "dev.dandori.schedule.tick.closed.v1" }>

const covers = ({ data }: ClosedEvent, tick: number): boolean =>
  Date.parse(data.tick) <= tick && tick <= Date.parse(data.through ?? data.tick)

const isClosed = (event: Written): event is ClosedEvent => event.type === "dev.dandori.schedule.tick.closed.v1"

/** What became of the run of a tick. */
const fateOf = (events: ReadonlyArray<Written>, state: ScheduleState, run: string): Verdict => {
  for (const event of events) {
    if (event.type === "dev.dandori.schedule.tick.coalesced.v1" && event.data.run === run) {
      return { is: "coalesced", reason: `its run ${run} waited, and made way for that of ${event.data.into}` }
    }
    if (event.type === "dev.dandori.schedule.run.ended.v1" && event.data.run === run) {
      const { reason, status } = event.data
      return { is: "ran", run, fate: status, ...(reason === undefined ? {} : { reason }) }
    }
  }
  const own = state.runs.find((one) => one.run === run)
  return { is: "ran", run, fate: own?.queued === true ? "waits" : "goes on" }
}

/** Whether a definition that was in force at a time has a tick then. */
const isTick = ({ definitions }: ScheduleState, tick: number): boolean =>
  definitions.some(
    ({ from, schedule, to = Infinity }) =>
      from <= tick && tick < to && [...Occurrences.between(schedule, tick, tick + 1)].length > 0,
  )

const unclosed = (events: ReadonlyArray<Written>, state: ScheduleState, tick: number, now: number): Verdict => {
  if (!isTick(state, tick)) {
    const [next] = state.deployed === undefined ? [] : Occurrences.following(state.deployed.schedule, tick, 1)
    const hint = next === undefined ? "" : `; the next one of what is deployed now is ${timeText(next.at)}`
    return { is: "no tick", reason: `the schedule that was deployed then has no tick at this time${hint}` }
  }
  if (tick > now) return { is: "due", reason: "it is still to come" }
  const last = events.at(-1)
  const since = last === undefined ? "" : ` since ${new Date(last.time).toISOString()}`
  return { is: "due", reason: `it is not closed yet: no daemon has recorded anything${since}` }
}

/** Says of a nominal time why it did or did not run, by the events of its schedule. `now`: milliseconds since the epoch. */
export const of = (events: ReadonlyArray<Written>, tick: number, now: number): Explanation => {
  const state = events.reduce(evolve, initial)
  const closed = events.filter(isClosed).find((event) => covers(event, tick))
  const text = timeText(tick)
  const ownRun = closed?.data.outcome.is === "ran" ? closed.data.outcome.run : undefined
  const backfills = events.flatMap((event) =>
    event.type === "dev.dandori.schedule.run.ended.v1" && event.data.tick === text && event.data.run !== ownRun
      ? [{ run: event.data.run, status: event.data.status }]
      : [],
  )
  if (closed === undefined) return { tick, verdict: unclosed(events, state, tick, now), backfills }
  const { outcome } = closed.data
  const verdict = outcome.is === "ran" ? fateOf(events, state, outcome.run) : outcome
  const isOne = closed.data.ticks === undefined || isTick(state, tick)
  if (!isOne) return { tick, verdict: unclosed(events, state, tick, now), backfills }
  return { tick, verdict, decided: closed.time, backfills }
}

/** The newest ticks that are closed, at most `count`, newest first. */
export const latest = (events: ReadonlyArray<Written>, count: number): ReadonlyArray<number> => {
  const { definitions } = events.reduce(evolve, initial)
  const found: Array<number> = []
  for (const event of events.filter(isClosed).toReversed()) {
    const [from, to] = [Date.parse(event.data.tick), Date.parse(event.data.through ?? event.data.tick)]
    const definition = definitions.findLast((one) => one.from <= to)
    const all =
      from === to || definition === undefined
        ? [to]
        : [...Occurrences.between(definition.schedule, from, to + 1)].map(({ at }) => at)
    for (const tick of all.toReversed()) {
      found.push(tick)
      if (found.length === count) return found
    }
  }
  return found
}
