import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Actor } from "../domain/actor.ts"
import * as CanonicalJson from "../domain/canonical-json.ts"
import type { Event } from "../domain/event.ts"
import type { EnvironmentName } from "../domain/names.ts"
import { timeText } from "../domain/occurrence.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import type { ApprovalAnswer } from "../domain/request.ts"
import { Ids } from "../services/ids.ts"
import { mostTicks, ticksOf } from "./backfill-ticks.ts"
import type { ScheduleBook } from "./schedule-book.ts"
import { type Answered, type ScheduleState, isAsked, pauseOf } from "./schedule-state.ts"

/** No schedule of this pipeline is deployed. */
export class ScheduleMissing extends Schema.TaggedError<ScheduleMissing>()("ScheduleMissing", {
  pipeline: Schema.String,
  env: Schema.String,
}) {
  /** As of any input that is not there. */
  readonly exitCode = 66
  override get message() {
    return `No schedule of ${this.pipeline} is deployed in ${this.env}: a running daemon deploys what is in pipelines/. See what there is: dandori schedule list`
  }
}

/** A backfill that makes no sense, or is too large. */
export class BackfillRefused extends Schema.TaggedError<BackfillRefused>()("BackfillRefused", {
  reason: Schema.String,
}) {
  readonly exitCode = 64
  override get message() {
    return this.reason
  }
}

const deployed = (book: ScheduleBook, pipeline: string) =>
  book.state(pipeline).deployed === undefined
    ? Effect.fail(new ScheduleMissing({ pipeline, env: book.env }))
    : Effect.void

/** Pauses a schedule: from now on its ticks are held. False where it is paused already. */
export const pause = Effect.fn("ScheduleOrders.pause")(function* (
  book: ScheduleBook,
  pipeline: string,
  reason: string,
) {
  yield* deployed(book, pipeline)
  const events = yield* book.record(pipeline, (state) =>
    pauseOf(state) === undefined ? [{ type: "dev.dandori.schedule.paused.v1", data: { pipeline, reason } }] : [],
  )
  return events.length > 0
})

/** Lets a paused schedule go on; what was held is not caught up. False where it is not paused. */
export const resume = Effect.fn("ScheduleOrders.resume")(function* (
  book: ScheduleBook,
  pipeline: string,
  reason: string,
) {
  yield* deployed(book, pipeline)
  const events = yield* book.record(pipeline, (state) =>
    pauseOf(state) === undefined ? [] : [{ type: "dev.dandori.schedule.resumed.v1", data: { pipeline, reason } }],
  )
  return events.length > 0
})

/** What a backfill is to run: ticks from `from` on and before `to`, milliseconds since the epoch. */
export interface BackfillRequest {
  readonly from: number
  readonly to: number
  readonly definition: "today" | "then"
}

const rangeOf = ({ definition, from, to }: BackfillRequest) => ({
  // A tick is a whole second.
  from: timeText(Math.ceil(from / 1_000) * 1_000),
  to: timeText(Math.ceil(to / 1_000) * 1_000),
  definition,
})

/** Why so many more ticks are too many; undefined where they are not. */
const tooMany = ({ backfills }: ScheduleState, more: number): BackfillRefused | undefined => {
  const left = backfills.reduce((sum, { ticks }) => sum + ticks.length, 0)
  if (left + more <= mostTicks) return undefined
  const reason = `Of backfills that go on ${left} ticks wait, and at most ${mostTicks} may: wait for them, or cancel one`
  return new BackfillRefused({ reason })
}

/** The ticks that a backfill would run. */
export const backfillTicks = Effect.fnUntraced(function* (
  book: ScheduleBook,
  pipeline: string,
  request: BackfillRequest,
) {
  yield* deployed(book, pipeline)
  const { from, to } = request
  if (to > (yield* Clock.currentTimeMillis)) {
    return yield* new BackfillRefused({ reason: "A backfill ends in the past: ticks to come are the schedule's own" })
  }
  if (from >= to) return yield* new BackfillRefused({ reason: "A backfill ends after it begins" })
  const ticks = ticksOf(book.state(pipeline).definitions, rangeOf(request))
  if (ticks.length === 0) {
    const hint = request.definition === "then" ? "; the definition of today may have some" : ""
    return yield* new BackfillRefused({ reason: `The schedule has no tick in that time${hint}` })
  }
  if (ticks.length > mostTicks) {
    const reason = `More than ${mostTicks} ticks are in that time: backfill it in parts`
    return yield* new BackfillRefused({ reason })
  }
  const refused = tooMany(book.state(pipeline), ticks.length)
  if (refused !== undefined) return yield* refused
  return ticks
})

/** Asks for a backfill; gives its id. Its ticks run one after the other, oldest first, beside those of the schedule. */
export const backfill = Effect.fn("ScheduleOrders.backfill")(function* (
  book: ScheduleBook,
  pipeline: string,
  env: EnvironmentName,
  request: BackfillRequest,
) {
  const ticks = yield* backfillTicks(book, pipeline, request)
  const { uuid } = yield* Ids
  const id = uuid()
  const data = { backfill: id, env, pipeline, ...rangeOf(request), ticks: ticks.length }
  let refused: BackfillRefused | undefined
  yield* book.record(pipeline, (state) => {
    refused = tooMany(state, ticks.length)
    return refused === undefined ? [{ type: "dev.dandori.schedule.backfill.requested.v1", data }] : []
  })
  if (refused !== undefined) return yield* refused
  return { backfill: id, ticks }
})

/** Whether a run has begun. */
export const isCreated = Effect.fnUntraced(function* (run: string) {
  const ledger = yield* Ledger
  return yield* ledger.bytes(StreamName.ofRun(run), 0, 1).pipe(
    Effect.as(true),
    Effect.catchTag("StreamMissing", () => Effect.succeed(false)),
  )
})

/** Leaves out what a backfill has not run yet; gives how many ticks that are. The run that goes on is not touched. */
export const cancelBackfill = Effect.fn("ScheduleOrders.cancelBackfill")(function* (
  book: ScheduleBook,
  pipeline: string,
  id: string,
  reason: string,
) {
  // Another process may have been asked for it just now.
  const here = () => book.state(pipeline).backfills.find((one) => one.id === id)
  if (here() === undefined) yield* book.readOn
  const first = here()?.ticks[0]?.run
  const goesOn = first !== undefined && (yield* isCreated(first)) ? first : undefined
  let left = 0
  const events = yield* book.record(pipeline, ({ backfills }) => {
    const found = backfills.find((one) => one.id === id)
    left = found?.ticks.filter(({ run }) => run !== goesOn).length ?? 0
    return found === undefined
      ? []
      : [{ type: "dev.dandori.schedule.backfill.cancelled.v1", data: { pipeline, backfill: id, reason, ticks: left } }]
  })
  if (events.length === 0) {
    return yield* new BackfillRefused({ reason: `The schedule has no backfill ${id} that goes on` })
  }
  return left
})

/** Records something about a run that is asked for, and not what is said already; false where no such run is asked for. */
const sayOf = Effect.fnUntraced(function* (
  book: ScheduleBook,
  run: string,
  word: (pipeline: string, state: ScheduleState) => ReadonlyArray<Event>,
) {
  const pipelineOf = () => [...book.pipelines()].find((id) => isAsked(book.state(id), run))
  // Another process may have been asked for it just now.
  if (pipelineOf() === undefined) yield* book.readOn
  const pipeline = pipelineOf()
  if (pipeline === undefined) return false
  let isThere = false
  yield* book.record(pipeline, (state) => {
    isThere = isAsked(state, run)
    return isThere ? word(pipeline, state) : []
  })
  return isThere
})

/**
 * Asks a run to be cancelled that a schedule, or somebody, has asked for: one that is not created never is, one that goes on
 * is asked to end. False where no such run is asked for; asking again changes nothing.
 */
export const cancelRun = Effect.fn("ScheduleOrders.cancelRun")(function* (
  book: ScheduleBook,
  run: string,
  reason: string,
  by: Actor,
) {
  return yield* sayOf(book, run, (pipeline, state) =>
    state.cancels.some((one) => one.run === run)
      ? []
      : [{ type: "dev.dandori.schedule.run.cancel.requested.v1", data: { pipeline, run, reason, by } }],
  )
})

/** Passes an answer to an approval on to the process that drives a run. False where no such run is asked for. */
export const answerRun = Effect.fn("ScheduleOrders.answerRun")(function* (
  book: ScheduleBook,
  run: string,
  answer: ApprovalAnswer,
  by: Actor,
) {
  const isSaid = (one: Answered) =>
    one.run === run && one.by.authid === by.authid && CanonicalJson.encode(one.answer) === CanonicalJson.encode(answer)
  return yield* sayOf(book, run, (pipeline, state) =>
    state.answers.some(isSaid)
      ? []
      : [{ type: "dev.dandori.schedule.run.answered.v1", data: { pipeline, run, answer, by } }],
  )
})
