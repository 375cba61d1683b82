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
import type { Head } from "../ledger/sealing.ts"
import { Acting } from "../services/acting.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as StreamTail from "../ledger/stream-tail.ts"
import * as ScheduleFold from "./schedule-fold.ts"
import { type ScheduleState, evolve } from "./schedule-state.ts"

/** What is to be recorded of one schedule as it stands: nothing, or events that are about it. */
export type Decision = (state: ScheduleState) => ReadonlyArray<Event>

/** The stream of an environment's schedules, and where each schedule stands by it. */
export interface ScheduleBook {
  readonly env: string
  /** As far as this process has read; a pipeline of which nothing was recorded is as at the beginning. */
  readonly state: (pipeline: string) => ScheduleState
  /** The newest ticks that were closed, oldest first; not all of them. */
  readonly recent: (pipeline: string) => ReadonlyArray<ScheduleFold.ClosedTick>
  /** Why a run that was asked for was not created; of the newest ticks, and of what was asked for in the last two days. */
  readonly notCreated: (run: string) => string | undefined
  /** The pipelines of which something was recorded. */
  readonly pipelines: () => Iterable<string>
  readonly head: () => Head
  /**
   * Records what is decided of a schedule, durably, and gives it as it was written; decides anew where another process has
   * gone on with the stream meanwhile. What is decided at once is flushed at once.
   */
  readonly record: (pipeline: string, decide: Decision) => Effect.Effect<ReadonlyArray<ScheduleFold.Written>, OpenError>
  /** As `record`, for many schedules at once, with all that was written in one list: all is recorded or nothing is. */
  readonly recordAll: (
    asked: ReadonlyArray<readonly [pipeline: string, decide: Decision]>,
  ) => Effect.Effect<ReadonlyArray<ScheduleFold.Written>, OpenError>
  /** Reads what other processes have recorded; true where there was something since the last refresh. */
  readonly refresh: Effect.Effect<boolean, OpenError>
  /** As `refresh`, but the next refresh tells of it still: for whoever does not act on all that is new. */
  readonly readOn: Effect.Effect<boolean, OpenError>
}

/** What waits to be recorded. */
interface Asked {
  readonly asked: ReadonlyArray<readonly [pipeline: string, decide: Decision]>
  readonly by: Actor | undefined
  readonly done: Deferred.Deferred<ReadonlyArray<ScheduleFold.Written>, OpenError>
}

/** Somebody wants to know what others have recorded; whether they act on it. */
interface Look {
  readonly look: "acts" | "reads"
  readonly done: Deferred.Deferred<boolean, OpenError>
}

/** Opens the stream of an environment's schedules, which need not be there yet, as long as the scope is open. */
export const open = Effect.fn("ScheduleBook.open")(function* (env: string) {
  const ledger = yield* Ledger
  const stream = StreamName.ofSchedules(env)
  const fold = ScheduleFold.make(env)

  /** Whether others have recorded something that nobody was told of yet. */
  let isNews = false
  const take = (entry: Entry) => {
    // Entries of this process are read on, too.
    if (fold.take(entry)) isNews = true
  }
  const tail = StreamTail.make(stream, StreamTail.of(ledger, stream), take, fold)
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
      const decided = batch.map(({ asked }) =>
        asked.flatMap(([pipeline, decide]) => {
          const before = drafts.get(pipeline) ?? fold.state(pipeline)
          const events = decide(before)
          drafts.set(
            pipeline,
            events.reduce((state, event) => evolve(state, { ...event, time: now }), before),
          )
          return events
        }),
      )
      const events = decided.flat()
      if (events.length === 0) return decided.map(() => [])
      const head = fold.head()
      const isNew = head.sequence === 0
      const by = decided.flatMap((own, index) => own.map(() => batch[index].by))
      const after = read?.head.hash === head.hash ? { ...head, bytes: read.bytes } : head
      const appended = yield* ledger.extend(stream, after, events, by)
      const all = events.map((event, index) => {
        const { by, time } = appended[index]
        return { ...event, time, by } as ScheduleFold.Written
      })
      const { hash, sequence } = appended[appended.length - 1]
      fold.appended(all, { hash, sequence })
      if (isNew) yield* Root.opened(stream, appended[0].hash)
      let at = 0
      return decided.map(({ length }) => all.slice(at, (at += length)))
    },
    Effect.provideService(Ledger, ledger),
  )
  const writeAnew = (
    batch: ReadonlyArray<Asked>,
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<ScheduleFold.Written>>, OpenError> =>
    write(batch).pipe(Effect.catchTag("StreamMoved", () => Effect.andThen(readOn, writeAnew(batch))))

  const jobs = yield* Queue.unbounded<Asked | Look>()
  // One after the other: what is read while something is written could be that.
  const work = Effect.gen(function* () {
    const all = yield* Queue.takeAll(jobs)
    const looks = all.filter((job) => "look" in job)
    if (looks.length > 0) {
      const exit = yield* Effect.exit(Effect.map(readOn, () => isNews))
      if (Exit.isSuccess(exit) && looks.some(({ look }) => look === "acts")) isNews = false
      for (const { done } of looks) yield* Deferred.done(done, exit)
    }
    const batch = all.filter((job) => "asked" in job)
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
  const look = (how: Look["look"]) =>
    Effect.gen(function* () {
      const done = yield* Deferred.make<boolean, OpenError>()
      yield* Queue.offer(jobs, { look: how, done })
      return yield* Deferred.await(done)
    })
  const recordAll: ScheduleBook["recordAll"] = Effect.fnUntraced(function* (asked) {
    const done = yield* Deferred.make<ReadonlyArray<ScheduleFold.Written>, OpenError>()
    yield* Queue.offer(jobs, { asked, done, by: yield* Acting })
    return yield* Deferred.await(done)
  })
  return {
    env,
    state: fold.state,
    recent: fold.recent,
    notCreated: fold.notCreated,
    pipelines: () => fold.states.keys(),
    head: fold.head,
    record: (pipeline, decide) => recordAll([[pipeline, decide]]),
    recordAll,
    refresh: look("acts"),
    readOn: look("reads"),
  } satisfies ScheduleBook
})

/** The events of a pipeline's schedule, oldest first, as a stream of an environment tells them; whole, unless a crash tore its end. */
export const eventsOf = Effect.fn("ScheduleBook.eventsOf")(function* (env: string, pipeline: string) {
  const events: Array<ScheduleFold.Written> = []
  yield* StreamTail.whole(yield* Ledger, StreamName.ofSchedules(env), (entry) => {
    const event = ScheduleFold.written(entry)
    if (event?.data.pipeline === pipeline) events.push(event)
  })
  return events
})

/** Where each schedule of an environment stands, by pipeline; as `eventsOf` reads it. */
export const statesOf = Effect.fn("ScheduleBook.statesOf")(function* (env: string) {
  const fold = ScheduleFold.make(env)
  const stream = StreamName.ofSchedules(env)
  yield* StreamTail.make(stream, StreamTail.of(yield* Ledger, stream), (entry) => void fold.take(entry), fold).readOn
  return fold.states
})
