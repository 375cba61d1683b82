import type { Entry, Event } from "../domain/event.ts"
import { timeText } from "../domain/occurrence.ts"
import type * as Bookmark from "../ledger/bookmark.ts"
import { type Head, genesis } from "../ledger/sealing.ts"
import * as StreamName from "../ledger/stream-name.ts"
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
/** How many of one backfill that was cancelled: those that were to begin first. */
const ofOneBackfill = 100
/** How long a run is kept that somebody asked for and that was not created: they may ask again, milliseconds. */
const notCreatedMillis = 2 * 86_400_000

const prefix = "dev.dandori.schedule."

/** An entry as the event that a schedule's state is folded from; undefined where it is about none. */
export const written = ({ authid, data, time, type }: Entry): Written | undefined =>
  type.startsWith(prefix) ? ({ type, data, time: Date.parse(time), by: authid } as Written) : undefined

/** A run that is not created, and why. */
interface Uncreated {
  readonly run: string
  readonly tick?: string
  readonly reason: string
}

/** The runs that an event says are not created; `before` is the state of its schedule before it. */
export const uncreatedBy = ({ data, type }: Written, before: ScheduleState): ReadonlyArray<Uncreated> => {
  switch (type) {
    case "dev.dandori.schedule.run.ended.v1":
      return data.reason === undefined ? [] : [{ ...data, reason: data.reason }]
    case "dev.dandori.schedule.tick.coalesced.v1":
      return [{ ...data, reason: `that of ${data.into} is run in its place` }]
    case "dev.dandori.schedule.backfill.cancelled.v1": {
      const ticks = before.backfills.find(({ id }) => id === data.backfill)?.ticks ?? []
      // Only the first of them may have begun.
      const left = ticks.slice(Math.max(0, ticks.length - data.ticks))
      const reason = `its backfill was cancelled: ${data.reason}`
      return left.map(({ run, tick }) => ({ run, tick: timeText(tick), reason }))
    }
    default:
      return []
  }
}

/** What is kept of the schedules of an environment while their stream is gone through. */
export interface ScheduleFold extends Bookmark.Fold {
  /** A pipeline of which nothing was recorded is as at the beginning. */
  readonly state: (pipeline: string) => ScheduleState
  /** The newest ticks that were closed, oldest first; not all of them. */
  readonly recent: (pipeline: string) => ReadonlyArray<ClosedTick>
  /** Why a run that was asked for was not created; of the newest ticks, and of what was asked for in the last two days. */
  readonly notCreated: (run: string) => string | undefined
  /** The schedules of which something was recorded. */
  readonly states: ReadonlyMap<string, ScheduleState>
  /** The last entry that was taken. */
  readonly head: () => Head
  /** Takes an entry that was read; false where it was taken already. */
  readonly take: (entry: Entry) => boolean
  /** Takes what was appended, up to its head. */
  readonly appended: (events: ReadonlyArray<Written>, head: Head) => void
}

/** As JSON has it; its form is this code's own. */
interface Kept {
  readonly head: Head
  readonly states: ReadonlyArray<readonly [string, ScheduleState]>
  readonly recent: ReadonlyArray<readonly [string, ReadonlyArray<ClosedTick>]>
  readonly ofTicks: ReadonlyArray<readonly [string, string]>
  readonly asked: ReadonlyArray<readonly [string, { readonly reason: string; readonly time: number }]>
}

/** The schedules of an environment before the first entry of their stream. */
export const make = (env: string): ScheduleFold => {
  const states = new Map<string, ScheduleState>()
  const recent = new Map<string, ReadonlyArray<ClosedTick>>()
  const ofTicks = new Map<string, string>()
  const asked = new Map<string, { readonly reason: string; readonly time: number }>()
  let head = genesis(StreamName.ofSchedules(env))
  const state = (pipeline: string) => states.get(pipeline) ?? initial

  const isNotCreated = ({ reason, run, tick }: Uncreated, time: number) => {
    if (tick === undefined) {
      asked.set(run, { reason, time })
      const [[oldest, old]] = asked
      if (old.time + notCreatedMillis < time) asked.delete(oldest)
    } else {
      ofTicks.set(run, reason)
      const [oldest] = ofTicks.keys()
      if (ofTicks.size > notCreatedRuns) ofTicks.delete(oldest)
    }
  }
  const add = (event: Written) => {
    const { pipeline } = event.data
    for (const uncreated of uncreatedBy(event, state(pipeline)).slice(0, ofOneBackfill)) {
      isNotCreated(uncreated, event.time)
    }
    states.set(pipeline, evolve(state(pipeline), event))
    if (event.type !== "dev.dandori.schedule.tick.closed.v1") return
    recent.set(pipeline, [...(recent.get(pipeline) ?? []).slice(1 - recentTicks), event])
  }

  return {
    state,
    states,
    recent: (pipeline) => recent.get(pipeline) ?? [],
    notCreated: (run) => ofTicks.get(run) ?? asked.get(run)?.reason,
    head: () => head,
    take: (entry) => {
      if (Number(entry.sequence) <= head.sequence) return false
      const event = written(entry)
      if (event !== undefined) add(event)
      head = { sequence: Number(entry.sequence), hash: entry.entryhash }
      return true
    },
    appended: (events, after) => {
      for (const event of events) add(event)
      head = after
    },
    name: `schedules-${env}`,
    toJson: () =>
      ({
        head,
        states: [...states],
        recent: [...recent],
        ofTicks: [...ofTicks],
        asked: [...asked],
      }) satisfies Kept,
    fromJson: (json) => {
      const kept = json as Kept
      for (const [id, found] of kept.states) states.set(id, found)
      for (const [id, found] of kept.recent) recent.set(id, found)
      for (const [id, found] of kept.ofTicks) ofTicks.set(id, found)
      for (const [id, found] of kept.asked) asked.set(id, found)
      head = kept.head
      return true
    },
  }
}
