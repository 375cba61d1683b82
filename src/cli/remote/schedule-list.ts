import * as Effect from "effect/Effect"
import * as Occurrences from "../../scheduler/occurrences.ts"
import * as Output from "../output.ts"
import { table } from "../render/line.ts"
import * as Render from "../render/schedule.ts"
import * as Client from "./daemon-client.ts"

/** Lists the schedules that are deployed at a daemon, each with its next tick. */
export const listSchedules = Effect.gen(function* () {
  const { daemon, flags } = yield* Client.find
  const { schedules } = yield* daemon.ask((api) => api.schedules.list())
  const on = Output.colours(process.stdout)
  const rows: Array<ReadonlyArray<string>> = []
  for (const { next, paused, pipeline, schedule } of schedules) {
    const { cron, timezone } = schedule
    const [text] = next
    const tick = text === undefined ? undefined : Occurrences.following(schedule, Date.parse(text), 1).at(0)
    if (flags.json) {
      const more = {
        ...(tick === undefined ? {} : { next: Render.tickJson(tick) }),
        ...(paused === undefined ? {} : { paused }),
      }
      yield* Output.json({ v: 1, kind: "schedule", pipeline, cron, timezone, ...more })
      continue
    }
    const times = tick === undefined ? ["never", ""] : [Render.tickTime(tick), text ?? ""]
    rows.push([pipeline, cron, timezone, ...times, paused === undefined ? "" : Output.yellow("paused", on)])
  }
  if (flags.json) return
  const head = ["pipeline", "cron", "timezone", "next tick", "UTC", ""].map((word) => Output.dim(word, on))
  if (rows.length > 0) yield* Output.data(table([head, ...rows]).join("\n"))
  else if (!flags.quiet) yield* Output.message("The daemon has no pipeline with a schedule.")
})
