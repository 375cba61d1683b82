import * as Effect from "effect/Effect"
import { timeText } from "../domain/occurrence.ts"
import * as Occurrences from "../scheduler/occurrences.ts"
import * as TickParams from "../scheduler/tick-params.ts"
import { exitCodes } from "./exit-code.ts"
import { Missing } from "./missing.ts"
import * as Moment from "./moment.ts"
import * as Output from "./output.ts"
import { planOf } from "./pipeline-plan.ts"
import { table } from "./render/line.ts"
import * as Render from "./render/schedule.ts"
import { root } from "./root.ts"

const year = 366 * 86_400_000

/**
 * Shows the next ticks of a pipeline's schedule, with the params that each gets, and what becomes of its ticks on each
 * date of the year from then on on which the zone's clocks jump. A tick whose params do not fit ends the command with 65.
 */
export const previewSchedule = Effect.fnUntraced(function* (name: string, count: number, from: string) {
  const { json, quiet } = yield* root
  const start = yield* Moment.read(from)
  const plan = yield* planOf(name)
  const { schedule } = plan
  if (schedule === undefined) {
    const next = "Give it one: schedule: { cron: '0 3 * * *', timezone: Asia/Tokyo }"
    return yield* new Missing({ what: `The pipeline ${plan.id} has no schedule`, next })
  }
  const ticks = Occurrences.following(schedule, start, count).map((tick) => ({
    tick,
    params: TickParams.at(plan, schedule, tick.at),
  }))
  const dates = Occurrences.dstDates(schedule, start, start + year)
  const refused = ticks.some(({ params }) => params.faults.length > 0)
  const code = refused ? exitCodes.badData : exitCodes.ok
  if (json) {
    yield* Output.json({ v: 1, kind: "schedule", pipeline: plan.id, ...schedule })
    for (const { params, tick } of ticks) {
      const faults = params.faults.length === 0 ? {} : { faults: params.faults }
      yield* Output.json({ v: 1, kind: "tick", ...Render.tickJson(tick), params: params.values, ...faults })
    }
    for (const { at, end, kind, matches, start: first, ticks: made } of dates) {
      const range = { from: Render.localText(first), to: Render.localText(end) }
      const becomes = { matches: matches.map(Render.localText), ticks: made.map(Render.tickJson) }
      yield* Output.json({ v: 1, kind: "dst-date", jump: kind, time: timeText(at), ...range, ...becomes })
    }
    return yield* Output.exitWith(code)
  }
  const on = Output.colours(process.stdout)
  const head = [schedule.timezone, "UTC", "params", ""].map((word) => Output.dim(word, on))
  const rows = ticks.map(({ params, tick }) => [
    Render.tickTime(tick),
    timeText(tick.at),
    params.faults.length === 0
      ? Render.paramsText(params.values)
      : Output.red(`does not fit: ${params.faults.join("; ")}`, on),
    Output.yellow(Render.tickMark(tick), on),
  ])
  if (!quiet) yield* Output.message(`${plan.id}  ${Render.scheduleLine(schedule)}`)
  yield* Output.data(table([head, ...rows]).join("\n"))
  if (ticks.length < count) yield* Output.message("There are no more ticks in the next hundred years.")
  const until = new Date(start + year).toISOString().slice(0, 10)
  if (dates.length > 0) {
    const lines = dates.map((date) => `  ${Render.dstLine(schedule, date)}`)
    yield* Output.data(`\nDates until ${until} on which the clocks jump over or repeat a tick\n${lines.join("\n")}`)
  } else if (!quiet) yield* Output.message(`Until ${until} no jump of the clocks meets a tick.`)
  return yield* Output.exitWith(code)
})
