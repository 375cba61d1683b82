import * as Effect from "effect/Effect"
import { timeText } from "../domain/occurrence.ts"
import * as Orders from "../scheduler/schedule-orders.ts"
import { confirm } from "./confirm.ts"
import * as Hint from "./hint.ts"
import * as Moment from "./moment.ts"
import * as Output from "./output.ts"
import { count } from "./plain-text.ts"
import { root } from "./root.ts"
import * as ScheduleBook from "./schedule-book.ts"

const shownTicks = 10

/** Says that a schedule was paused or resumed, or that it was so before. */
export const told = Effect.fnUntraced(function* (what: "pause" | "resume", pipeline: string, changed: boolean) {
  const { json, quiet } = yield* root
  const is = what === "pause" ? "paused" : "resumed"
  if (json) return yield* Output.json({ v: 1, kind: "schedule", pipeline, is, changed })
  if (!changed) return yield* Output.message(what === "pause" ? "It is paused already." : "It is not paused.")
  yield* Output.data(`${pipeline}  ${is}`)
  if (quiet) return undefined
  const hint = yield* Hint.here
  return yield* Output.message(
    what === "pause"
      ? `Its ticks are held until: ${hint.either(`schedule resume ${pipeline}`)}`
      : `What was held is not caught up; to run it: ${hint.either(`schedule backfill ${pipeline}`)}`,
  )
})

/** Pauses a pipeline's schedule, or lets it go on. */
export const pauseOrResume = Effect.fnUntraced(function* (what: "pause" | "resume", pipeline: string, reason: string) {
  const changed = yield* ScheduleBook.change(pipeline, (book) => Orders[what](book, pipeline, reason))
  yield* told(what, pipeline, changed)
})

/** What a person says of a backfill. */
export interface BackfillFlags {
  readonly from: string
  readonly to: string
  readonly definition: "today" | "then"
  readonly yes: boolean
  readonly dryRun: boolean
}

/** Says who runs a backfill, and how to call it off. */
export const toldHow = Effect.fnUntraced(function* (whoRuns: string, pipeline: string, backfill: string) {
  const cancel = (yield* Hint.here).either(`schedule backfill ${pipeline} --cancel ${backfill}`)
  yield* Output.message(`${whoRuns} runs them, oldest first. To leave out what is left: ${cancel}`)
})

/** Runs the ticks of a time once more, or for the first time. */
export const backfill = Effect.fnUntraced(function* (
  pipeline: string,
  { definition, dryRun, from, to, yes }: BackfillFlags,
) {
  const { json, noInput, quiet } = yield* root
  const request = { from: yield* Moment.read(from), to: yield* Moment.read(to), definition }
  const ticks = yield* ScheduleBook.change(pipeline, (book) => Orders.backfillTicks(book, pipeline, request))
  const texts = ticks.map(({ tick }) => timeText(tick))
  const some = texts.slice(0, shownTicks).join(", ")
  const more = texts.length > shownTicks ? `, … until ${texts.at(-1)}` : ""
  const what = `${pipeline}: ${count(texts.length, "tick", "ticks")} with the definition of ${definition}: ${some}${more}`
  if (dryRun) {
    if (json) for (const tick of texts) yield* Output.json({ v: 1, kind: "tick", tick })
    return yield* json ? Effect.void : Output.data(what)
  }
  if (!(yield* confirm({ yes, noInput, what, question: "Run them, one after the other?" }))) return undefined
  const asked = yield* ScheduleBook.change(pipeline, (book, env) => Orders.backfill(book, pipeline, env, request))
  if (json) {
    return yield* Output.json({ v: 1, kind: "backfill", pipeline, backfill: asked.backfill, ticks: asked.ticks.length })
  }
  yield* Output.data(`${asked.backfill}  ${count(asked.ticks.length, "tick", "ticks")} of ${pipeline}`)
  if (quiet) return undefined
  return yield* toldHow("A running daemon", pipeline, asked.backfill)
})

/** Why a backfill is cancelled: a command line has no other reason. */
export const cancelled = "a person cancelled it"

/** Says how many ticks of a backfill are left out. */
export const toldLeft = Effect.fnUntraced(function* (pipeline: string, id: string, left: number) {
  const { json } = yield* root
  if (json) return yield* Output.json({ v: 1, kind: "backfill", pipeline, backfill: id, left })
  const cancel = (yield* Hint.here).either("runs cancel RUN")
  return yield* Output.data(
    `${id}  ${count(left, "tick is", "ticks are")} left out; a run of it that goes on: ${cancel}`,
  )
})

/** Leaves out what a backfill has not run yet. */
export const cancelBackfill = Effect.fnUntraced(function* (pipeline: string, id: string) {
  const left = yield* ScheduleBook.change(pipeline, (book) => Orders.cancelBackfill(book, pipeline, id, cancelled))
  yield* toldLeft(pipeline, id, left)
})
