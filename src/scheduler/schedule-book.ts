import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Entry, Event } from "../domain/event.ts"
import type { OpenError } from "../ledger/ledger.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as Root from "../ledger/root.ts"
import type { Head } from "../ledger/sealing.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { type ScheduleState, evolve, initial } from "./schedule-state.ts"

/** An event of a schedule as it was written; `time` is milliseconds since the epoch. */
export type Written = Event & { readonly time: number }

/** The stream of one schedule, and where the schedule stands by it. */
export interface ScheduleBook {
  readonly env: string
  readonly pipeline: string
  /** As far as this process has read. */
  readonly state: () => ScheduleState
  readonly head: () => Head
  /**
   * Records what `decide` makes of the state, durably, and gives it as it was written; decides anew where another process
   * has gone on meanwhile.
   */
  readonly record: (
    decide: (state: ScheduleState) => ReadonlyArray<Event>,
  ) => Effect.Effect<ReadonlyArray<Written>, OpenError>
  /** Reads what other processes have recorded; true where there was something. */
  readonly refresh: Effect.Effect<boolean, OpenError>
}

/** An entry as the event that a schedule's state is folded from. */
export const written = ({ data, time, type }: Entry): Written => ({ type, data, time: Date.parse(time) }) as Written

/** Opens a schedule's stream; it need not be there yet. */
export const open = Effect.fn("ScheduleBook.open")(function* (env: string, pipeline: string) {
  const ledger = yield* Ledger
  const stream = StreamName.ofSchedule(env, pipeline)
  const turn = Semaphore.makeUnsafe(1)
  let state: ScheduleState
  let head: Head
  const read = Effect.map(Effect.provideService(Root.readChain(stream), Ledger, ledger), (chain) => {
    state = chain.entries.reduce((before, entry) => evolve(before, written(entry)), initial)
    head = chain.head
  })
  yield* read
  const once = Effect.fnUntraced(function* (decide: (state: ScheduleState) => ReadonlyArray<Event>) {
    const events = decide(state)
    if (events.length === 0) return []
    const isNew = head.sequence === 0
    const appended = yield* ledger.extend(stream, head, events)
    const all = events.map((event, index): Written => ({ ...event, time: appended[index].time }))
    state = all.reduce(evolve, state)
    head = appended[appended.length - 1]
    if (isNew) yield* Effect.provideService(Root.opened(stream, appended[0].hash), Ledger, ledger)
    return all
  })
  const record = (
    decide: (state: ScheduleState) => ReadonlyArray<Event>,
  ): Effect.Effect<ReadonlyArray<Written>, OpenError> =>
    once(decide).pipe(Effect.catchTag("StreamMoved", () => Effect.andThen(read, record(decide))))
  return {
    env,
    pipeline,
    state: () => state,
    head: () => head,
    record: (decide) => turn.withPermit(record(decide)),
    refresh: turn.withPermit(
      Effect.suspend(() => {
        const { hash } = head
        return Effect.map(read, () => head.hash !== hash)
      }),
    ),
  } satisfies ScheduleBook
})
