import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { EnvironmentName } from "../domain/names.ts"
import { timeText } from "../domain/occurrence.ts"
import { Sha256 } from "../domain/sha256.ts"
import * as AskedRuns from "../daemon/asked-run.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as StreamTail from "../ledger/stream-tail.ts"
import * as ScheduleBook from "../scheduler/schedule-book.ts"
import * as ScheduleFold from "../scheduler/schedule-fold.ts"
import type { ScheduleState } from "../scheduler/schedule-state.ts"
import { exitCodes } from "./exit-code.ts"
import { plain } from "./plain-text.ts"
import { dateTime } from "./render/duration.ts"

/** A run that a schedule, or somebody, has asked for: as the stream of the schedules tells it, before it is created. */
export const AskedRun = Schema.Struct({
  run: Schema.String,
  pipeline: Schema.String,
  env: EnvironmentName,
  plan: Sha256,
  /** When it was asked for, milliseconds since the epoch. */
  since: Schema.Finite,
  who: Schema.String,
  /** Its nominal time (RFC 3339), where it is the run of a tick. */
  tick: Schema.optionalKey(Schema.String),
  params: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
  /** That it is not to begin, where somebody has said so. */
  calledOff: Schema.optionalKey(Schema.Struct({ by: Schema.String, reason: Schema.String })),
})
export type AskedRun = typeof AskedRun.Type

/** The run that was named waits to begin: nothing of it is recorded but that it was asked for. */
export class RunNotBegun extends Schema.TaggedError<RunNotBegun>()("RunNotBegun", {
  asked: AskedRun,
  /** The command that calls it off. */
  cancel: Schema.String,
}) {
  readonly exitCode = exitCodes.temporary
  override get message() {
    const { pipeline, run, since, who } = this.asked
    return `Run ${run} of ${pipeline} waits to begin since ${dateTime(since)}, asked for by ${plain(who)}. A daemon begins it when there is room; to call it off: ${this.cancel}`
  }
}

/** What a stream of schedules tells of runs that are not there: those that wait, and why others were not created. */
const inStream = Effect.fnUntraced(function* (stream: string, env: EnvironmentName) {
  const fold = ScheduleFold.make(env)
  /** When, and by whom, a run or a backfill was asked for. */
  const asked = new Map<string, { readonly since: number; readonly who: string }>()
  const notCreated = new Map<string, string>()
  yield* StreamTail.whole(yield* Ledger, stream, (entry) => {
    const event = ScheduleFold.written(entry)
    if (event === undefined) return
    const { data, time, type } = event
    for (const { reason, run } of ScheduleFold.uncreatedBy(event, fold.state(data.pipeline)))
      notCreated.set(run, reason)
    fold.take(entry)
    const at = { since: time, who: entry.authid }
    if (type === "dev.dandori.schedule.run.requested.v1") asked.set(data.run, at)
    if (type === "dev.dandori.schedule.backfill.requested.v1") asked.set(data.backfill, at)
    if (type === "dev.dandori.schedule.tick.closed.v1" && data.outcome.is === "ran") asked.set(data.outcome.run, at)
  })
  const waiting = [...fold.states].flatMap(([pipeline, state]) => {
    const backfillOf = (run: string) => state.backfills.find(({ ticks }) => ticks.some((one) => one.run === run))?.id
    return AskedRuns.all(state).map((own): AskedRun => {
      const { plan, run } = own
      const at = asked.get(own.trigger === "backfill" ? (backfillOf(run) ?? run) : run)
      const cancel = state.cancels.find((one) => one.run === run)
      return {
        run,
        pipeline,
        env,
        plan,
        since: at?.since ?? StreamName.createdAt(run),
        who: own.tick === undefined ? own.by.authid : (at?.who ?? ""),
        ...(own.tick === undefined ? { params: own.params } : { tick: timeText(own.tick) }),
        ...(cancel === undefined ? {} : { calledOff: { by: cancel.by.authid, reason: cancel.reason } }),
      }
    })
  })
  return { waiting, notCreated }
})

/** Least number of characters by which a run is found. */
const shortest = 4

/**
 * The one run with such a beginning or ending that was asked for: as it waits, or why it was not created. Only for one that the
 * ledger does not have: one that goes on is asked for as well.
 */
export const find = Effect.fnUntraced(function* (part: string) {
  if (part.length < shortest) return {}
  const waiting: Array<AskedRun> = []
  const notCreated: Array<readonly [run: string, reason: string]> = []
  const ledger = yield* Ledger
  const there = new Set(yield* ledger.runs)
  const isMeant = (run: string) => (run.startsWith(part) || run.endsWith(part)) && !there.has(run)
  for (const stream of yield* ledger.schedules) {
    const env = StreamName.schedulesOf(stream)
    if (env === undefined) continue
    const found = yield* inStream(stream, env)
    waiting.push(...found.waiting.filter(({ run }) => isMeant(run)))
    notCreated.push(...[...found.notCreated].filter(([run]) => isMeant(run)))
  }
  const [asked] = waiting
  if (asked !== undefined && waiting.length === 1) return { asked }
  const [[run, reason] = []] = notCreated
  return run === undefined || reason === undefined || notCreated.length + waiting.length > 1
    ? {}
    : { notCreated: `Run ${run} was not created: ${plain(reason)}` }
})

/** The runs that were asked for and are not created yet, newest first; none of schedules whose stream does not verify. */
export const waiting = Effect.gen(function* () {
  const ledger = yield* Ledger
  const there = new Set(yield* ledger.runs)
  const found: Array<{
    readonly id: string
    readonly pipeline: string
    readonly env: string
    readonly created: number
  }> = []
  for (const stream of yield* ledger.schedules) {
    const env = StreamName.schedulesOf(stream)
    if (env === undefined) continue
    const states = yield* Effect.catchTag(ScheduleBook.statesOf(env), "StreamDamaged", () =>
      Effect.succeed(new Map<string, ScheduleState>()),
    )
    for (const [pipeline, state] of states) {
      for (const { run } of AskedRuns.all(state)) {
        if (!there.has(run)) found.push({ id: run, pipeline, env, created: StreamName.createdAt(run) })
      }
    }
  }
  return found.toSorted((a, b) => b.created - a.created)
})
