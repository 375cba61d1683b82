import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type { Actor } from "../domain/actor.ts"
import type { Entry, Event } from "../domain/event.ts"
import type * as Chain from "../ledger/chain.ts"
import { Ledger, type OpenError } from "../ledger/ledger.ts"
import * as Root from "../ledger/root.ts"
import { type Head, genesis } from "../ledger/sealing.ts"
import { Acting } from "../services/acting.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as StreamTail from "../ledger/stream-tail.ts"
import { type ScheduleState, evolve, initial } from "./schedule-state.ts"

/** An event of a schedule. */
export type ScheduleEvent = Extract<Event, { readonly type: `dev.dandori.schedule.${string}` }>

/** An event of a schedule as it was written; `time` is milliseconds since the epoch, `by` who acted, where that is known. */
export type Written = ScheduleEvent & { readonly time: number; readonly by?: string }

/** That a tick was closed. */
export type ClosedTick = Extract<Written, { readonly type: "dev.dandori.schedule.tick.closed.v1" }>

/** How many closed ticks of each schedule are kept in memory. */
const recentTicks = 20
/** How many runs of ticks that were not created are kept in memory. */
const notCreatedRuns = 1_000
/** How long a run is kept that somebody asked for and that was not created: they may ask again, milliseconds. */
const notCreatedMillis = 2 * 86_400_000

/** What is to be recorded of one schedule as it stands: nothing, or events that are about it. */
export type Decision = (state: ScheduleState) => ReadonlyArray<Event>

/** The stream of an environment's schedules, and where each schedule stands by it. */
export interface ScheduleBook {
  readonly env: string
  /** As far as this process has read; a pipeline of which nothing was recorded is as at the beginning. */
  readonly state: (pipeline: string) => ScheduleState
  /** The newest ticks that were closed, oldest first; not all of them. */
  readonly recent: (pipeline: string) => ReadonlyArray<ClosedTick>
  /** Why a run that was asked for was not created; of the newest ticks, and of what was asked for in the last two days. */
  readonly notCreated: (run: string) => string | undefined
  /** The pipelines of which something was recorded. */
  readonly pipelines: () => Iterable<string>
  readonly head: () => Head
  /**
   * Records what is decided of a schedule, durably, and gives it as it was written; decides anew where another process has
   * gone on with the stream meanwhile. What is decided at once is flushed at once.
   */
  readonly record: (pipeline: string, decide: Decision) => Effect.Effect<ReadonlyArray<Written>, OpenError>
  /** Reads what other processes have recorded; true where there was something. */
  readonly refresh: Effect.Effect<boolean, OpenError>
}

const prefix = "dev.dandori.schedule."

/** An entry as the event that a schedule's state is folded from; undefined where it is about none. */
export const written = ({ authid, data, time, type }: Entry): Written | undefined =>
  type.startsWith(prefix) ? ({ type, data, time: Date.parse(time), by: authid } as Written) : undefined

/** What waits to be recorded. */
interface Asked {
  readonly pipeline: string
  readonly decide: Decision
  readonly by: Actor | undefined
  readonly done: Deferred.Deferred<ReadonlyArray<Written>, OpenError>
}

/** Somebody wants to know what others have recorded. */
interface Look {
  readonly look: true
  readonly done: Deferred.Deferred<boolean, OpenError>
}

/** Opens the stream of an environment's schedules, which need not be there yet, as long as the scope is open. */
export const open = Effect.fn("ScheduleBook.open")(function* (env: string) {
  const ledger = yield* Ledger
  const stream = StreamName.ofSchedules(env)
  const states = new Map<string, ScheduleState>()
  let head = genesis(stream)
  const stateOf = (pipeline: string) => states.get(pipeline) ?? initial
  const recent = new Map<string, ReadonlyArray<ClosedTick>>()
  const notCreated = {
    ofTicks: new Map<string, string>(),
    asked: new Map<string, { readonly reason: string; readonly time: number }>(),
  }
  const isNotCreated = ({ reason, run, tick }: { run: string; tick?: string; reason: string }, time: number) => {
    if (tick === undefined) {
      notCreated.asked.set(run, { reason, time })
      const [[oldest, old]] = notCreated.asked
      if (old.time + notCreatedMillis < time) notCreated.asked.delete(oldest)
    } else {
      notCreated.ofTicks.set(run, reason)
      const [oldest] = notCreated.ofTicks.keys()
      if (notCreated.ofTicks.size > notCreatedRuns) notCreated.ofTicks.delete(oldest)
    }
  }
  const fold = (event: Written) => {
    const { pipeline } = event.data
    states.set(pipeline, evolve(stateOf(pipeline), event))
    const { data, time, type } = event
    if (type === "dev.dandori.schedule.run.ended.v1" && data.reason !== undefined)
      isNotCreated({ ...data, reason: data.reason }, time)
    if (type === "dev.dandori.schedule.tick.coalesced.v1")
      isNotCreated({ ...data, reason: `that of ${data.into} is run in its place` }, time)
    if (event.type !== "dev.dandori.schedule.tick.closed.v1") return
    recent.set(pipeline, [...(recent.get(pipeline) ?? []).slice(1 - recentTicks), event])
  }

  /** Whether others have recorded something that nobody was told of yet. */
  let isNews = false
  const tail = StreamTail.make(stream, StreamTail.of(ledger, stream), (entry) => {
    // Entries of this process are read on, too.
    if (Number(entry.sequence) <= head.sequence) return
    isNews = true
    const event = written(entry)
    if (event !== undefined) fold(event)
    head = { sequence: Number(entry.sequence), hash: entry.entryhash }
  })
  /** How far the stream was read. */
  let read: Chain.Start | undefined
  const readOn = Effect.map(tail.readOn, (end) => void (read = end))
  yield* readOn
  isNews = false

  /** Writes what is asked, all or none. */
  const write = Effect.fnUntraced(
    function* (batch: ReadonlyArray<Asked>) {
      const drafts = new Map<string, ScheduleState>()
      const now = yield* Clock.currentTimeMillis
      const decided = batch.map(({ decide, pipeline }) => {
        const events = decide(drafts.get(pipeline) ?? stateOf(pipeline))
        drafts.set(
          pipeline,
          events.reduce(
            (state, event) => evolve(state, { ...event, time: now }),
            drafts.get(pipeline) ?? stateOf(pipeline),
          ),
        )
        return events
      })
      const events = decided.flat()
      if (events.length === 0) return decided.map(() => [])
      const isNew = head.sequence === 0
      const by = decided.flatMap((own, index) => own.map(() => batch[index].by))
      const after = read?.head.hash === head.hash ? { ...head, bytes: read.bytes } : head
      const appended = yield* ledger.extend(stream, after, events, by)
      const all = events.map((event, index) => {
        const who = by[index] === undefined ? {} : { by: by[index].authid }
        return { ...event, time: appended[index].time, ...who } as Written
      })
      for (const event of all) fold(event)
      const { hash, sequence } = appended[appended.length - 1]
      head = { hash, sequence }
      if (isNew) yield* Root.opened(stream, appended[0].hash)
      let at = 0
      return decided.map(({ length }) => all.slice(at, (at += length)))
    },
    Effect.provideService(Ledger, ledger),
  )
  const writeAnew = (batch: ReadonlyArray<Asked>): Effect.Effect<ReadonlyArray<ReadonlyArray<Written>>, OpenError> =>
    write(batch).pipe(Effect.catchTag("StreamMoved", () => Effect.andThen(readOn, writeAnew(batch))))

  const jobs = yield* Queue.unbounded<Asked | Look>()
  // One after the other: what is read while something is written could be that.
  const work = Effect.gen(function* () {
    const all = yield* Queue.takeAll(jobs)
    const looks = all.filter((job) => "look" in job)
    if (looks.length > 0) {
      const exit = yield* Effect.exit(Effect.map(readOn, () => isNews))
      if (Exit.isSuccess(exit)) isNews = false
      for (const { done } of looks) yield* Deferred.done(done, exit)
    }
    const batch = all.filter((job) => "decide" in job)
    if (batch.length === 0) return
    // A defect is told to those who wait, too: nobody would ever answer them otherwise.
    const exit = yield* Effect.exit(writeAnew(batch))
    for (const [index, { done }] of batch.entries()) {
      yield* Deferred.done(
        done,
        Exit.map(exit, (all) => all[index]),
      )
    }
  })
  yield* Effect.forkScoped(Effect.forever(work))
  return {
    env,
    state: stateOf,
    recent: (pipeline) => recent.get(pipeline) ?? [],
    notCreated: (run) => notCreated.ofTicks.get(run) ?? notCreated.asked.get(run)?.reason,
    pipelines: () => states.keys(),
    head: () => head,
    record: (pipeline, decide) =>
      Effect.gen(function* () {
        const done = yield* Deferred.make<ReadonlyArray<Written>, OpenError>()
        yield* Queue.offer(jobs, { pipeline, decide, done, by: yield* Acting })
        return yield* Deferred.await(done)
      }),
    refresh: Effect.gen(function* () {
      const done = yield* Deferred.make<boolean, OpenError>()
      yield* Queue.offer(jobs, { look: true, done })
      return yield* Deferred.await(done)
    }),
  } satisfies ScheduleBook
})

/** The events of a pipeline's schedule, oldest first, as a stream of an environment tells them; whole, unless a crash tore its end. */
export const eventsOf = Effect.fn("ScheduleBook.eventsOf")(function* (env: string, pipeline: string) {
  const events: Array<Written> = []
  yield* StreamTail.whole(yield* Ledger, StreamName.ofSchedules(env), (entry) => {
    const event = written(entry)
    if (event?.data.pipeline === pipeline) events.push(event)
  })
  return events
})

/** Where each schedule of an environment stands, by pipeline; as `eventsOf` reads it. */
export const statesOf = Effect.fn("ScheduleBook.statesOf")(function* (env: string) {
  const states = new Map<string, ScheduleState>()
  yield* StreamTail.whole(yield* Ledger, StreamName.ofSchedules(env), (entry) => {
    const event = written(entry)
    if (event === undefined) return
    const { pipeline } = event.data
    states.set(pipeline, evolve(states.get(pipeline) ?? initial, event))
  })
  return states
})
