import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Explain from "../../scheduler/explain.ts"
import * as ScheduleBook from "../../scheduler/schedule-book.ts"
import { viewOf } from "../../scheduler/tick-view.ts"
import { Settings } from "../../services/settings.ts"
import * as Problems from "./problems.ts"
import * as RunReading from "./run-reading.ts"

const usualLast = 10

/** Says of one nominal time, or of the newest ticks, why they did or did not run. */
export const explain = Effect.fnUntraced(function* (
  pipeline: string,
  { last = usualLast, tick }: { readonly tick?: string; readonly last?: number },
) {
  const { env } = yield* Settings
  const events = yield* Effect.mapError(ScheduleBook.eventsOf(env, pipeline), RunReading.unreadable)
  if (events.length === 0) {
    const detail = `No schedule of ${pipeline} was ever deployed`
    return yield* new Problems.NotFound({ code: "ScheduleMissing", detail })
  }
  const now = yield* Clock.currentTimeMillis
  const ticks = tick === undefined ? Explain.latest(events, last).toReversed() : [Date.parse(tick)]
  return { ticks: ticks.map((at) => viewOf(Explain.of(events, at, now))) }
})
