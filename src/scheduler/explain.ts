import type { FinalRunStatus } from "../domain/final-run-status.ts"
import { runOf, timeText } from "../domain/occurrence.ts"
import * as Occurrences from "./occurrences.ts"
import type { Written } from "./schedule-fold.ts"
import { type ScheduleState, evolve, initial } from "./schedule-state.ts"

/** Where a run of a tick stands. */
export type Fate = "waits" | "goes on" | FinalRunStatus

/** Why a tick did or did not run; a time that is no tick ran where a backfill asked for it. */
export type Verdict =
  | {
      readonly is: "ran"
      readonly run: string
      readonly fate: Fate
      readonly reason?: string
    }
  | { readonly is: "skipped" | "coalesced" | "missed" | "held"; readonly reason: string }
  | { readonly is: "due" | "no tick"; readonly reason: string }

/** The run of a backfill. */
export interface BackfillRun {
  readonly run: string
  readonly status: Fate
}

/** What became of one nominal time, milliseconds since the epoch. */
export interface Explanation {
  readonly tick: number
  readonly verdict: Verdict
  /** When that was recorded, milliseconds since the epoch. */
  readonly decided?: number
  /** The runs of backfills for it and where they stand, those that have ended first. */
  readonly backfills: ReadonlyArray<BackfillRun>
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

/** The runs that backfills have for a time; `ownRun` is that of the schedule. */
const backfillsOf = (
  events: ReadonlyArray<Written>,
  { backfills }: ScheduleState,
  tick: number,
  ownRun: string | undefined,
): ReadonlyArray<BackfillRun> => {
  const text = timeText(tick)
  const ended = events.flatMap((event) =>
    event.type === "dev.dandori.schedule.run.ended.v1" && event.data.tick === text && event.data.run !== ownRun
      ? [{ run: event.data.run, status: event.data.status }]
      : [],
  )
  const open = backfills.flatMap(({ ticks }) =>
    ticks.flatMap((one, index) =>
      one.tick === tick ? [{ run: one.run, status: index === 0 ? ("goes on" as const) : ("waits" as const) }] : [],
    ),
  )
  return [...ended, ...open]
}

/** When the backfill was asked for that a run of a time is of. */
const askedAt = (events: ReadonlyArray<Written>, tick: number, run: string): number | undefined =>
  events.find(
    ({ data, type }) =>
      type === "dev.dandori.schedule.backfill.requested.v1" &&
      runOf({ env: data.env, pipeline: data.pipeline, tick, backfill: data.backfill }) === run,
  )?.time

const notThen = "the schedule that was deployed then has no tick at this time"

const unrun = (events: ReadonlyArray<Written>, state: ScheduleState, tick: number, now: number): Verdict => {
  if (!isTick(state, tick)) {
    const [next] = state.deployed === undefined ? [] : Occurrences.following(state.deployed.schedule, tick, 1)
    const hint = next === undefined ? "" : `; the next one of what is deployed now is ${timeText(next.at)}`
    return { is: "no tick", reason: `${notThen}${hint}` }
  }
  if (tick > now) return { is: "due", reason: "it is still to come" }
  const last = events.at(-1)
  const since = last === undefined ? "" : ` since ${new Date(last.time).toISOString()}`
  return { is: "due", reason: `it is not closed yet: no daemon has recorded anything${since}` }
}

/** What became of a time that no event closes. */
const unclosed = (
  events: ReadonlyArray<Written>,
  state: ScheduleState,
  tick: number,
  now: number,
): Omit<Explanation, "tick"> => {
  const backfills = backfillsOf(events, state, tick, undefined)
  const last = backfills.at(-1)
  if (last === undefined || isTick(state, tick)) return { verdict: unrun(events, state, tick, now), backfills }
  const { run, status } = last
  const decided = askedAt(events, tick, run)
  return {
    verdict: { is: "ran", run, fate: status, reason: `a backfill asked for it: ${notThen}` },
    ...(decided === undefined ? {} : { decided }),
    backfills,
  }
}

/** Says of a nominal time why it did or did not run, by the events of its schedule. `now`: milliseconds since the epoch. */
export const of = (events: ReadonlyArray<Written>, tick: number, now: number): Explanation => {
  const state = events.reduce(evolve, initial)
  const closed = events.filter(isClosed).find((event) => covers(event, tick))
  const isOne = closed !== undefined && (closed.data.ticks === undefined || isTick(state, tick))
  if (!isOne) return { tick, ...unclosed(events, state, tick, now) }
  const { outcome } = closed.data
  if (outcome.is !== "ran") {
    return { tick, verdict: outcome, decided: closed.time, backfills: backfillsOf(events, state, tick, undefined) }
  }
  const { run } = outcome
  const verdict = fateOf(events, state, run)
  return { tick, verdict, decided: closed.time, backfills: backfillsOf(events, state, tick, run) }
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
