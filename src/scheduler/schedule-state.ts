import * as CanonicalJson from "../domain/canonical-json.ts"
import type { Event, EventData } from "../domain/event.ts"
import * as Occurrence from "../domain/occurrence.ts"
import type { Schedule } from "../domain/schedule.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { ticksOf } from "./backfill-ticks.ts"

/** A run that a schedule asked for and that has not ended. */
export interface OwnRun {
  readonly run: string
  /** Nominal time, milliseconds since the epoch. */
  readonly tick: number
  /** The plan that was deployed when the tick was closed. */
  readonly plan: Sha256
  /** Whether it waits for others of the schedule and is not created yet. */
  readonly queued: boolean
}

/** What was deployed from a time on and before another one, if that is over (milliseconds since the epoch). */
export interface Definition {
  readonly from: number
  readonly to?: number
  readonly plan: Sha256
  readonly schedule: Schedule
}

/** Ticks that are run once more, one after the other; the first of them goes on. */
export interface Backfill {
  readonly id: string
  readonly ticks: ReadonlyArray<{ readonly tick: number; readonly plan: Sha256; readonly run: string }>
}

/** A run that somebody asked for and that has not ended. */
export type Requested = EventData<"dev.dandori.schedule.run.requested.v1">

/** That a run is to end, and who says so. */
export type Cancel = Pick<EventData<"dev.dandori.schedule.run.cancel.requested.v1">, "run" | "reason" | "by">

/** What somebody said to a request for agreement of a run. */
export type Answered = Pick<EventData<"dev.dandori.schedule.run.answered.v1">, "run" | "answer" | "by">

/** A time in which no tick runs; without `to` it goes on. */
export interface Pause {
  readonly from: number
  readonly to?: number
  readonly reason: string
  /** Who paused it, where that is known. */
  readonly by?: string
}

/**
 * Where a schedule stands: the fold of its stream.
 *
 *   deployed ──tick closed──> runs (queued ──room──> going on) ──run ended──> failures in a row ──> paused
 *      ^                                                                                             │
 *      └───────────────────────────────────────── resumed ────────────────────────────────────────────┘
 */
export interface ScheduleState {
  readonly deployed?: { readonly plan: Sha256; readonly schedule: Schedule }
  /** All ticks up to this time, included, are closed. Milliseconds since the epoch. */
  readonly closedTo: number
  /** Those that a tick after `closedTo` may fall into, oldest first. */
  readonly pauses: ReadonlyArray<Pause>
  /** Oldest tick first. */
  readonly runs: ReadonlyArray<OwnRun>
  /** Runs in a row that failed. */
  readonly failures: number
  /** All that was ever deployed, oldest first. */
  readonly definitions: ReadonlyArray<Definition>
  /** Those that have not ended, oldest first. */
  readonly backfills: ReadonlyArray<Backfill>
  /** In the order in which they were asked for. */
  readonly requests: ReadonlyArray<Requested>
  /** Those that were asked for, of runs that have not ended. */
  readonly cancels: ReadonlyArray<Cancel>
  /** Those that were given to runs that have not ended, oldest first. */
  readonly answers: ReadonlyArray<Answered>
}

export const initial: ScheduleState = {
  closedTo: 0,
  pauses: [],
  runs: [],
  failures: 0,
  definitions: [],
  backfills: [],
  requests: [],
  cancels: [],
  answers: [],
}

/** The pause that goes on, if one does. */
export const pauseOf = (state: ScheduleState): Pause | undefined => state.pauses.find(({ to }) => to === undefined)

/** The pause that a time falls into, or the one that goes on: what is due now does not run, whenever it was due. */
export const pauseAt = (state: ScheduleState, time: number): Pause | undefined =>
  state.pauses.find(({ from, to }) => to === undefined || (from <= time && time < to))

/** Whether a run is asked for, and has not ended: by the schedule, a backfill or somebody. */
export const isAsked = ({ backfills, requests, runs }: ScheduleState, run: string): boolean =>
  runs.some((own) => own.run === run) ||
  requests.some((one) => one.run === run) ||
  backfills.some(({ ticks }) => ticks.some((one) => one.run === run))

/** Lets the first of the queue go on where none does and nothing holds it. */
const promoted = (state: ScheduleState): ScheduleState => {
  const [first] = state.runs
  if (first === undefined || pauseOf(state) !== undefined || state.runs.some(({ queued }) => !queued)) return state
  return { ...state, runs: [{ ...first, queued: false }, ...state.runs.slice(1)] }
}

const failing: ReadonlySet<string> = new Set(["failed", "timed_out", "lost"])

/** The failures in a row after a run that ended so; a cancelled one says nothing. */
const failuresAfter = (failures: number, status: string): number => {
  if (failing.has(status)) return failures + 1
  return status === "cancelled" ? failures : 0
}

/** Pauses that a tick after `closedTo` may still fall into. */
const relevant = (pauses: ReadonlyArray<Pause>, closedTo: number) =>
  pauses.filter(({ to }) => to === undefined || to > closedTo)

/** Whether two schedules say the same. */
export const isSame = (before: Schedule | undefined, schedule: Schedule): boolean =>
  before !== undefined && CanonicalJson.encode(before) === CanonicalJson.encode(schedule)

const ended = (definitions: ReadonlyArray<Definition>, time: number): ReadonlyArray<Definition> =>
  definitions.map((definition) => (definition.to === undefined ? { ...definition, to: time } : definition))

/** The state without what was said to runs that have ended. */
const withoutWords = (state: ScheduleState, ended: (run: string) => boolean): ScheduleState =>
  [...state.cancels, ...state.answers].some(({ run }) => ended(run))
    ? {
        ...state,
        cancels: state.cancels.filter(({ run }) => !ended(run)),
        answers: state.answers.filter(({ run }) => !ended(run)),
      }
    : state

/** What is left of backfills after the end of a run; the very same where it is none of theirs. */
const withoutRun = (backfills: ReadonlyArray<Backfill>, run: string): ReadonlyArray<Backfill> => {
  const isOf = (backfill: Backfill) => backfill.ticks.some((one) => one.run === run)
  if (!backfills.some(isOf)) return backfills
  return backfills.flatMap((backfill) => {
    const ticks = isOf(backfill) ? backfill.ticks.filter((one) => one.run !== run) : backfill.ticks
    return ticks.length === 0 ? [] : [{ ...backfill, ticks }]
  })
}

/** The state after the end of a run. */
const withEnded = (
  state: ScheduleState,
  { run, status }: EventData<"dev.dandori.schedule.run.ended.v1">,
): ScheduleState => {
  if (state.requests.some((one) => one.run === run)) {
    return { ...state, requests: state.requests.filter((one) => one.run !== run) }
  }
  const backfills = withoutRun(state.backfills, run)
  if (backfills !== state.backfills) return { ...state, backfills }
  if (!state.runs.some((one) => one.run === run)) return state
  const runs = state.runs.filter((one) => one.run !== run)
  return promoted({ ...state, runs, failures: failuresAfter(state.failures, status) })
}

/** The state after an event; `time` is when it was written, `by` who did it, where that is known. What is not about a schedule changes nothing. */
export const evolve = (
  state: ScheduleState,
  event: Event & { readonly time: number; readonly by?: string },
): ScheduleState => {
  switch (event.type) {
    case "dev.dandori.schedule.deployed.v1": {
      const { after, plan, schedule } = event.data
      const last = Date.parse(after)
      const definitions = [...ended(state.definitions, last + 1), { from: last + 1, plan, schedule }]
      const deployed = { ...state, deployed: { plan, schedule }, definitions }
      if (isSame(state.deployed?.schedule, schedule)) return deployed
      const closedTo = Math.max(state.closedTo, last)
      return { ...deployed, closedTo, pauses: relevant(state.pauses, closedTo) }
    }
    case "dev.dandori.schedule.withdrawn.v1": {
      const { deployed: _, ...rest } = state
      const last = Date.parse(event.data.after)
      return { ...rest, definitions: ended(state.definitions, last + 1), closedTo: Math.max(state.closedTo, last) }
    }
    case "dev.dandori.schedule.tick.closed.v1": {
      const { outcome, tick, through = tick } = event.data
      const closedTo = Date.parse(through)
      const closed = { ...state, closedTo, pauses: relevant(state.pauses, closedTo) }
      if (outcome.is !== "ran" || state.deployed === undefined) return closed
      const own = { run: outcome.run, tick: Date.parse(tick), plan: state.deployed.plan }
      return promoted({ ...closed, runs: [...state.runs, { ...own, queued: outcome.queued === true }] })
    }
    case "dev.dandori.schedule.tick.coalesced.v1": {
      const runs = state.runs.filter(({ run }) => run !== event.data.run)
      return withoutWords({ ...state, runs }, (run) => run === event.data.run)
    }
    case "dev.dandori.schedule.backfill.requested.v1": {
      const { backfill, env, pipeline } = event.data
      const ticks = ticksOf(state.definitions, event.data).map(({ plan, tick }) => ({
        tick,
        plan,
        run: Occurrence.runOf({ env, pipeline, tick, backfill }),
      }))
      return ticks.length === 0 ? state : { ...state, backfills: [...state.backfills, { id: backfill, ticks }] }
    }
    case "dev.dandori.schedule.run.requested.v1":
      return { ...state, requests: [...state.requests, event.data] }
    case "dev.dandori.schedule.run.cancel.requested.v1": {
      const { by, reason, run } = event.data
      return { ...state, cancels: [...state.cancels.filter((one) => one.run !== run), { run, reason, by }] }
    }
    case "dev.dandori.schedule.run.answered.v1": {
      const { answer, by, run } = event.data
      return { ...state, answers: [...state.answers, { run, answer, by }] }
    }
    case "dev.dandori.schedule.backfill.cancelled.v1": {
      const { backfill } = event.data
      const left = { ...state, backfills: state.backfills.filter(({ id }) => id !== backfill) }
      const gone = state.backfills.find(({ id }) => id === backfill)?.ticks ?? []
      return withoutWords(left, (run) => gone.some((one) => one.run === run))
    }
    case "dev.dandori.schedule.run.ended.v1":
      return withoutWords(withEnded(state, event.data), (run) => run === event.data.run)
    case "dev.dandori.schedule.paused.v1":
      if (pauseOf(state) !== undefined) return state
      return {
        ...state,
        pauses: [
          ...state.pauses,
          { from: event.time, reason: event.data.reason, ...(event.by === undefined ? {} : { by: event.by }) },
        ],
      }
    case "dev.dandori.schedule.resumed.v1": {
      const pauses = state.pauses.map((pause) => (pause.to === undefined ? { ...pause, to: event.time } : pause))
      return promoted({ ...state, pauses: relevant(pauses, state.closedTo), failures: 0 })
    }
    default:
      return state
  }
}
