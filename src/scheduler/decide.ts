import type { Event } from "../domain/event.ts"
import * as Occurrence from "../domain/occurrence.ts"
import type { Schedule } from "../domain/schedule.ts"
import * as Occurrences from "./occurrences.ts"
import { type Cancel, type OwnRun, type ScheduleState, evolve, isSame, pauseAt, pauseOf } from "./schedule-state.ts"

/** What a decision about a schedule goes by, beside its state. */
export interface Facts {
  readonly env: string
  readonly pipeline: string
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Why a cordon keeps the pipeline from starting, where one does. */
  readonly cordon?: string
  /** Runs of the schedule that may wait. */
  readonly queue: number
  /** Runs that a daemon lets go on at once. */
  readonly atOnce: number
}

/** A tick that is due by at most so much is run as if it were on time, milliseconds; one that is older was missed. */
export const lateAfter = 60_000

/** Ticks that are looked at for one decision: a schedule that nobody watched for years is closed in several. */
const most = 10_000

const day = 86_400_000

/** A time that the generator of ticks need not look beyond at once: it looks for jumps of the clocks all the way. */
const stride = 366 * day

type Closed = Extract<Event, { readonly type: "dev.dandori.schedule.tick.closed.v1" }>

/** When a tick is to be closed: its time, and what jitter puts it off. */
export const dueAt = ({ env, pipeline }: Facts, { jitter }: Schedule, tick: number): number =>
  jitter === undefined ? tick : tick + Occurrence.jitterOf({ env, pipeline, tick }, jitter)

/** The ticks that are due, oldest first, at most `most` and one. */
const dueTicks = (facts: Facts, schedule: Schedule, closedTo: number): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let from = closedTo + 1; from <= facts.now; from += stride) {
    for (const { at } of Occurrences.between(schedule, from, Math.min(from + stride, facts.now + 1))) {
      if (dueAt(facts, schedule, at) > facts.now) return found
      found.push(at)
      if (found.length > most) return found
    }
  }
  return found
}

/** When the first tick that is not closed is due; undefined where there is none. */
export const nextDue = (facts: Facts, { closedTo, deployed }: ScheduleState): number | undefined => {
  if (deployed === undefined) return undefined
  const [next] = Occurrences.following(deployed.schedule, closedTo + 1, 1)
  return next === undefined ? undefined : dueAt(facts, deployed.schedule, next.at)
}

type Nothing = Exclude<Occurrence.Outcome, { readonly is: "ran" }>

/** What becomes of a tick that nobody watched, by `catchup`; undefined where it is caught up. */
const byCatchup = ({ catchup }: Schedule, age: number, isLast: boolean): Nothing | undefined => {
  const { policy, window } = catchup
  const missed = (reason: string): Nothing => ({
    is: "missed",
    reason: `nobody watched when it was due, and ${reason}`,
  })
  if (policy === "none") return missed("nothing is caught up (catchup none)")
  if (window !== undefined && age > window) return missed("it is older than the window of catchup")
  if (policy === "all" || isLast) return undefined
  return { is: "coalesced", reason: "nobody watched when it was due, and of those only the last is run (catchup last)" }
}

const closing = ({ pipeline }: Facts, tick: number, outcome: Occurrence.Outcome): Event => ({
  type: "dev.dandori.schedule.tick.closed.v1",
  data: { pipeline, tick: Occurrence.timeText(tick), outcome },
})

/** What becomes of a tick that nothing holds, by the schedule's own runs that have not ended. */
const byOverlap = (
  { overlap }: Schedule,
  { runs }: ScheduleState,
  facts: Facts,
  tick: number,
  isCaughtUp: boolean,
): ReadonlyArray<Event> => {
  const { atOnce, env, pipeline, queue } = facts
  const run = Occurrence.runOf({ env, pipeline, tick })
  const skipped = (reason: string) => [closing(facts, tick, { is: "skipped", reason })]
  // Which of them wait for room the daemon knows that lets the others go on.
  if (overlap === "allow" && runs.length >= atOnce + queue) return skipped(`${runs.length} of its runs have not ended`)
  if (runs.length === 0 || overlap === "allow") return [closing(facts, tick, { is: "ran", run })]
  const waiting = runs.filter(({ queued }) => queued)
  // Whoever has the newest win has no use for those before it, caught up or not.
  const replaces = overlap === "cancel-running" || (overlap === "queue-one" && !isCaughtUp)
  if (replaces) {
    return [
      ...waiting.map((own): Event => ({
        type: "dev.dandori.schedule.tick.coalesced.v1",
        data: { pipeline, tick: Occurrence.timeText(own.tick), run: own.run, into: Occurrence.timeText(tick) },
      })),
      closing(facts, tick, { is: "ran", run, queued: true }),
    ]
  }
  if (overlap === "skip" && !isCaughtUp) {
    const [first] = runs
    return skipped(`run ${first.run} of ${Occurrence.timeText(first.tick)} goes on`)
  }
  if (waiting.length >= queue) return skipped(`the queue is full: ${queue} wait`)
  return [closing(facts, tick, { is: "ran", run, queued: true })]
}

/** Why nothing comes of a tick, whatever runs; `isLast` is said of a late one: whether no later tick is due. */
const nothingOf = (
  state: ScheduleState,
  { cordon, now }: Facts,
  tick: number,
  isLast: boolean | undefined,
): Nothing | undefined => {
  const pause = pauseAt(state, tick)
  if (pause !== undefined) return { is: "held", reason: `the schedule is paused: ${pause.reason}` }
  const late =
    isLast === undefined || state.deployed === undefined
      ? undefined
      : byCatchup(state.deployed.schedule, now - tick, isLast)
  if (late !== undefined || cordon === undefined) return late
  return { is: "held", reason: `a cordon stands: ${cordon}` }
}

const isAlike = (before: Closed["data"], outcome: Occurrence.Outcome): boolean =>
  before.outcome.is !== "ran" &&
  outcome.is !== "ran" &&
  before.outcome.is === outcome.is &&
  before.outcome.reason === outcome.reason

/** Adds an event; ticks in a row that nothing came of share one. */
const add = (events: Array<Event>, event: Event): void => {
  const before = events.at(-1)
  if (
    before?.type !== "dev.dandori.schedule.tick.closed.v1" ||
    event.type !== "dev.dandori.schedule.tick.closed.v1" ||
    !isAlike(before.data, event.data.outcome)
  ) {
    events.push(event)
    return
  }
  const { ticks = 1 } = before.data
  events[events.length - 1] = { ...before, data: { ...before.data, through: event.data.tick, ticks: ticks + 1 } }
}

/** What is to be recorded now; a tick is late by the jitter of the schedule that it was `promised`. */
const decideBy = (
  before: ScheduleState & Required<Pick<ScheduleState, "deployed">>,
  facts: Facts,
  promised: Schedule,
): ReadonlyArray<Event> => {
  const { schedule } = before.deployed
  const { now } = facts
  const ticks = dueTicks(facts, schedule, before.closedTo)
  const events: Array<Event> = []
  let state: ScheduleState = before
  // A tick waits for the jitter of those before it, and is not late for that.
  let due = 0
  for (const [i, tick] of ticks.slice(0, most).entries()) {
    due = Math.max(due, dueAt(facts, promised, tick))
    const isLate = now - due > lateAfter
    const nothing = nothingOf(state, facts, tick, isLate ? i === ticks.length - 1 : undefined)
    const decided =
      nothing === undefined
        ? byOverlap(schedule, state, facts, tick, isLate && schedule.catchup.policy === "all")
        : [closing(facts, tick, nothing)]
    for (const event of decided) {
      add(events, event)
      state = evolve(state, { ...event, time: now })
    }
  }
  return events
}

/** What is to be recorded now: each tick that is due with its outcome, in order. Pure. Of very many ticks the oldest. */
export const decide = (state: ScheduleState, facts: Facts): ReadonlyArray<Event> => {
  const { deployed } = state
  return deployed === undefined ? [] : decideBy({ ...state, deployed }, facts, deployed.schedule)
}

/**
 * What is to be recorded before a schedule changes or is withdrawn: all of its ticks so far, also those that wait for their
 * jitter, which are not late. What nobody watched is not caught up any more.
 */
const decideLast = (state: ScheduleState, facts: Facts): ReadonlyArray<Event> => {
  const { deployed } = state
  if (deployed === undefined) return []
  const { jitter: _, ...schedule } = deployed.schedule
  const last = { ...deployed, schedule: { ...schedule, catchup: { policy: "none" } as const } }
  return decideBy({ ...state, deployed: last }, facts, deployed.schedule)
}

/** The last time up to which ticks were decided: they are whole seconds. */
const upTo = ({ now }: Facts): string => Occurrence.timeText(now - (now % 1_000))

/** What is to be recorded when a pipeline is deployed with a schedule; nothing where that plan is deployed already. */
export const deploy = (
  state: ScheduleState,
  facts: Facts,
  next: NonNullable<ScheduleState["deployed"]>,
): ReadonlyArray<Event> => {
  const { deployed } = state
  if (deployed?.plan === next.plan) return []
  const { plan, schedule } = next
  const data = { pipeline: facts.pipeline, plan, schedule, after: upTo(facts) }
  return [
    ...(isSame(deployed?.schedule, schedule) ? decide(state, facts) : decideLast(state, facts)),
    { type: "dev.dandori.schedule.deployed.v1", data },
  ]
}

/** What is to be recorded when a pipeline has no schedule any more; nothing where it had none. */
export const withdraw = (state: ScheduleState, facts: Facts, reason: string): ReadonlyArray<Event> =>
  state.deployed === undefined
    ? []
    : [
        ...decideLast(state, facts),
        {
          type: "dev.dandori.schedule.withdrawn.v1",
          data: { pipeline: facts.pipeline, reason, after: upTo(facts) },
        },
      ]

/** That a schedule pauses by itself after so many failures in a row; nothing while it is not so. */
export const pauseAfter = (pipeline: string, state: ScheduleState, limit: number | undefined): ReadonlyArray<Event> =>
  limit === undefined || state.failures < limit || pauseOf(state) !== undefined
    ? []
    : [
        {
          type: "dev.dandori.schedule.paused.v1",
          data: {
            pipeline,
            reason: `${state.failures} ${state.failures === 1 ? "run" : "runs in a row"} failed`,
            failures: state.failures,
          },
        },
      ]

/** A run that is to end; `by` whom, where that is no policy. */
export type ToCancel = Pick<Cancel, "run" | "reason"> & Partial<Pick<Cancel, "by">>

/** The runs that the policy cancel-running ends: those that go on while a later one waits. */
const inTheWay = ({ deployed, runs }: ScheduleState): ReadonlyArray<ToCancel> => {
  if (deployed?.schedule.overlap !== "cancel-running" || !runs.some(({ queued }) => queued)) return []
  const reason = "a later tick of its schedule is due (overlap cancel-running)"
  return runs.flatMap(({ queued, run }) => (queued ? [] : [{ run, reason }]))
}

/** The runs that wait for others, which nobody begins before: of the schedule's queue, and of backfills. */
const waiting = ({ backfills, runs }: ScheduleState): ReadonlyArray<Pick<OwnRun, "run" | "tick">> => [
  ...runs.filter(({ queued }) => queued),
  ...backfills.flatMap(({ ticks }) => ticks.slice(1)),
]

/** Why a run was never created: somebody wanted it to end before that. */
export const calledOff = ({ by, reason }: ToCancel): string =>
  by === undefined ? reason : `${by.authid} cancelled it before it began: ${reason}`

/** That the runs end of which that is asked while they wait for others. */
export const callOff = (pipeline: string, state: ScheduleState): ReadonlyArray<Event> => {
  if (state.cancels.length === 0) return []
  const all = new Map(waiting(state).map(({ run, tick }) => [run, tick]))
  return state.cancels.flatMap((cancel): ReadonlyArray<Event> => {
    const { run } = cancel
    const tick = all.get(run)
    if (tick === undefined) return []
    const data = { pipeline, tick: Occurrence.timeText(tick), run, reason: calledOff(cancel) }
    return [{ type: "dev.dandori.schedule.run.ended.v1", data: { ...data, status: "cancelled" } }]
  })
}

/** The runs that are to end and do not wait for others. */
export const toCancel = (state: ScheduleState): ReadonlyArray<ToCancel> => {
  if (state.cancels.length === 0) return inTheWay(state)
  const others = new Set(waiting(state).map(({ run }) => run))
  return [...state.cancels.filter(({ run }) => !others.has(run)), ...inTheWay(state)]
}
