import * as Effect from "effect/Effect"
import { timeText } from "../../domain/occurrence.ts"
import { confirm } from "../confirm.ts"
import * as Moment from "../moment.ts"
import * as Output from "../output.ts"
import { count } from "../plain-text.ts"
import { type BackfillFlags, cancelled, told, toldHow, toldLeft } from "../schedule-orders.ts"
import * as Client from "./daemon-client.ts"

/** Pauses a schedule of a daemon, or lets it go on; gives whether that changed anything. */
const steer = Effect.fnUntraced(function* (
  daemon: Client.DaemonClient,
  what: "pause" | "resume",
  pipeline: string,
  reason: string,
) {
  const params = { pipeline }
  const before = yield* daemon.ask((api) => api.schedules.show({ params }))
  yield* daemon.ask((api) => api.schedules[what]({ params, payload: { reason } }))
  return (before.paused === undefined) === (what === "pause")
})

/** Pauses a schedule of a daemon, or lets it go on. */
export const pauseOrResume = Effect.fnUntraced(function* (what: "pause" | "resume", pipeline: string, reason: string) {
  const { daemon } = yield* Client.find
  yield* told(what, pipeline, yield* steer(daemon, what, pipeline, reason))
})

/** `now` has milliseconds, which no tick has: as far as the last whole second. */
const whole = (millis: number): number => Math.floor(millis / 1_000) * 1_000

/** Runs the ticks of a time by a daemon once more, or for the first time. */
export const backfill = Effect.fnUntraced(function* (
  pipeline: string,
  { definition, dryRun, from, to, yes }: BackfillFlags,
) {
  if (dryRun) {
    return yield* new Output.UsageError({
      reason: "A daemon tells no ticks ahead: leave out --dry-run, or call dandori schedule backfill in the project",
    })
  }
  const { daemon, flags } = yield* Client.find
  const range = { from: timeText(whole(yield* Moment.read(from))), to: timeText(whole(yield* Moment.read(to))) }
  const what = `${pipeline}: the ticks from ${range.from} to before ${range.to} with the definition of ${definition}`
  const sure = { yes, noInput: flags.noInput, what, question: "Run them, one after the other?" }
  if (!(yield* confirm(sure))) return undefined
  const { backfill: id, runs } = yield* daemon.ask((api) =>
    api.schedules.backfill({ params: { pipeline }, payload: { ...range, definition } }),
  )
  if (flags.json)
    return yield* Output.json({ v: 1, kind: "backfill", pipeline, backfill: id, ticks: runs.length, runs })
  yield* Output.data(`${id}  ${count(runs.length, "tick", "ticks")} of ${pipeline}`)
  if (flags.quiet) return undefined
  return yield* toldHow("The daemon", pipeline, id)
})

/** Leaves out what a backfill of a daemon has not run yet. */
export const cancelBackfill = Effect.fnUntraced(function* (pipeline: string, id: string) {
  const { daemon } = yield* Client.find
  const params = { pipeline, backfill: id }
  const { left } = yield* daemon.ask((api) => api.schedules.cancelBackfill({ params, payload: { reason: cancelled } }))
  yield* toldLeft(pipeline, id, left)
})
