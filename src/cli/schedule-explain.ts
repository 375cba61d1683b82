import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { timeText } from "../domain/occurrence.ts"
import * as Explain from "../scheduler/explain.ts"
import * as Occurrences from "../scheduler/occurrences.ts"
import { evolve, initial, pauseOf } from "../scheduler/schedule-state.ts"
import * as Moment from "./moment.ts"
import * as Output from "./output.ts"
import { dateTime } from "./render/duration.ts"
import { clean, table } from "./render/line.ts"
import { root } from "./root.ts"
import * as ScheduleBook from "./schedule-book.ts"

const why = (verdict: Explain.Verdict): string => {
  if (verdict.is !== "ran") return clean(verdict.reason)
  return `run ${verdict.run} ${verdict.fate}${verdict.reason === undefined ? "" : `: ${clean(verdict.reason)}`}`
}

const json = ({ backfills, decided, tick, verdict }: Explain.Explanation) => ({
  v: 1,
  kind: "tick",
  tick: timeText(tick),
  ...verdict,
  ...(decided === undefined ? {} : { decided: new Date(decided).toISOString() }),
  ...(backfills.length === 0 ? {} : { backfills }),
})

/** Says why a tick did or did not run; without one, of the newest ticks, and where the schedule stands. */
export const explainSchedule = Effect.fnUntraced(function* (pipeline: string, at: string | undefined, last: number) {
  const { json: asJson, quiet } = yield* root
  const events = yield* ScheduleBook.readEvents(pipeline)
  const now = yield* Clock.currentTimeMillis
  const ticks = at === undefined ? Explain.latest(events, last).toReversed() : [yield* Moment.read(at)]
  const found = ticks.map((tick) => Explain.of(events, tick, now))
  if (asJson) return yield* Effect.forEach(found, (one) => Output.json(json(one)), { discard: true })
  const on = Output.colours(process.stdout)
  const head = ["tick", "outcome", "why", "decided"].map((word) => Output.dim(word, on))
  const rows = found.map(({ backfills, decided, tick, verdict }) => [
    timeText(tick),
    verdict.is === "ran" ? Output.green("ran", on) : Output.yellow(verdict.is, on),
    [why(verdict), ...backfills.map(({ run, status }) => `backfilled: run ${run} ${status}`)].join("; "),
    decided === undefined ? "" : dateTime(decided),
  ])
  if (rows.length > 0) yield* Output.data(table([head, ...rows]).join("\n"))
  if (quiet || at !== undefined) return undefined
  const state = events.reduce(evolve, initial)
  const pause = pauseOf(state)
  if (rows.length === 0) yield* Output.message("No tick has been closed yet.")
  if (pause !== undefined) yield* Output.message(`Paused since ${dateTime(pause.from)}: ${clean(pause.reason)}`)
  if (state.deployed === undefined) return yield* Output.message("Its schedule is not deployed any more.")
  const [next] = Occurrences.following(state.deployed.schedule, state.closedTo + 1, 1)
  return yield* Output.message(next === undefined ? "There is no tick to come." : `Next tick: ${timeText(next.at)}`)
})
