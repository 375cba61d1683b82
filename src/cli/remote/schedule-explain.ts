import * as Effect from "effect/Effect"
import { timeText } from "../../domain/occurrence.ts"
import * as Moment from "../moment.ts"
import * as Output from "../output.ts"
import { dateTime } from "../render/duration.ts"
import { clean } from "../render/line.ts"
import { present } from "../schedule-explain.ts"
import * as Client from "./daemon-client.ts"

/** Says why a tick of a daemon did or did not run; without one, of the newest ticks, and where the schedule stands. */
export const explainSchedule = Effect.fnUntraced(function* (pipeline: string, at: string | undefined, last: number) {
  const { daemon, flags } = yield* Client.find
  const params = { pipeline }
  const query = at === undefined ? { last } : { tick: timeText(yield* Moment.read(at)) }
  const { ticks } = yield* daemon.ask((api) => api.schedules.explain({ params, query }))
  yield* present(ticks, flags.json)
  if (flags.json || flags.quiet || at !== undefined) return undefined
  if (ticks.length === 0) yield* Output.message("No tick has been closed yet.")
  const view = yield* daemon
    .ask((api) => api.schedules.show({ params }))
    .pipe(Effect.catchTag("DaemonRefused", (error) => (error.status === 404 ? Effect.undefined : Effect.fail(error))))
  if (view === undefined) return yield* Output.message("Its schedule is not deployed any more.")
  const { next, paused } = view
  if (paused !== undefined) {
    yield* Output.message(`Paused since ${dateTime(Date.parse(paused.since))}: ${clean(paused.reason)}`)
  }
  const [first] = next
  return yield* Output.message(first === undefined ? "There is no tick to come." : `Next tick: ${first}`)
})
