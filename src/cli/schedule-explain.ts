import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { timeText } from "../domain/occurrence.ts"
import * as Explain from "../scheduler/explain.ts"
import * as Occurrences from "../scheduler/occurrences.ts"
import { type TickView, viewOf } from "../scheduler/tick-view.ts"
import { evolve, initial, pauseOf } from "../scheduler/schedule-state.ts"
import * as Moment from "./moment.ts"
import * as Output from "./output.ts"
import { dateTime } from "./render/duration.ts"
import { clean, table } from "./render/line.ts"
import { root } from "./root.ts"
import * as ScheduleBook from "./schedule-book.ts"

const why = ({ backfills = [], fate, is, reason, run }: TickView): string => {
  const verdict =
    is === "ran" ? `run ${run} ${fate}${reason === undefined ? "" : `: ${clean(reason)}`}` : clean(reason ?? "")
  const others = backfills.filter((one) => one.run !== run)
  return [verdict, ...others.map((one) => `backfilled: run ${one.run} ${one.status}`)].join("; ")
}

/** Shows what became of ticks: a line of JSON for each, or a table. */
export const present = (ticks: ReadonlyArray<TickView>, asJson: boolean) => {
  if (asJson) return Effect.forEach(ticks, (one) => Output.json({ v: 1, kind: "tick", ...one }), { discard: true })
  if (ticks.length === 0) return Effect.void
  const on = Output.colours(process.stdout)
  const head = ["tick", "outcome", "why", "decided"].map((word) => Output.dim(word, on))
  const rows = ticks.map((one) => [
    one.tick,
    one.is === "ran" ? Output.green("ran", on) : Output.yellow(one.is, on),
    why(one),
    one.decided === undefined ? "" : dateTime(Date.parse(one.decided)),
  ])
  return Output.data(table([head, ...rows]).join("\n"))
}

/** Says why a tick did or did not run; without one, of the newest ticks, and where the schedule stands. */
export const explainSchedule = Effect.fnUntraced(function* (pipeline: string, at: string | undefined, last: number) {
  const { json: asJson, quiet } = yield* root
  const events = yield* ScheduleBook.readEvents(pipeline)
  const now = yield* Clock.currentTimeMillis
  const ticks = at === undefined ? Explain.latest(events, last).toReversed() : [yield* Moment.read(at)]
  const found = ticks.map((tick) => viewOf(Explain.of(events, tick, now)))
  yield* present(found, asJson)
  if (asJson || quiet || at !== undefined) return undefined
  const state = events.reduce(evolve, initial)
  const pause = pauseOf(state)
  if (found.length === 0) yield* Output.message("No tick has been closed yet.")
  if (pause !== undefined) yield* Output.message(`Paused since ${dateTime(pause.from)}: ${clean(pause.reason)}`)
  if (state.deployed === undefined) return yield* Output.message("Its schedule is not deployed any more.")
  const [next] = Occurrences.following(state.deployed.schedule, state.closedTo + 1, 1)
  return yield* Output.message(next === undefined ? "There is no tick to come." : `Next tick: ${timeText(next.at)}`)
})
