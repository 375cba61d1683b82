import { basename, extname } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { compileFile } from "../compiler/compile-file.ts"
import { timeText } from "../domain/occurrence.ts"
import type { Schedule } from "../domain/schedule.ts"
import * as Occurrences from "../scheduler/occurrences.ts"
import { type ScheduleState, initial, isSame, pauseOf } from "../scheduler/schedule-state.ts"
import * as Compiling from "./compiling.ts"
import * as ExitCode from "./exit-code.ts"
import * as Hint from "./hint.ts"
import * as Output from "./output.ts"
import * as PipelineFiles from "./pipeline-files.ts"
import { shownPath } from "./pipeline-validate.ts"
import * as ProjectReaders from "./project-readers.ts"
import { table } from "./render/line.ts"
import * as Render from "./render/schedule.ts"
import * as ScheduleBook from "./schedule-book.ts"
import { who } from "./who.ts"

/** A schedule of a file; of what is deployed where no file has it any more. */
interface Row {
  readonly pipeline: string
  readonly schedule: Schedule
  readonly file?: string
}

/** Where schedules stand; none where that cannot be read, which is said: what the files say is shown all the same. */
const readStates = ScheduleBook.readStates.pipe(
  Effect.map((states): { readonly states: ReadonlyMap<string, ScheduleState>; readonly code: number } => ({
    states,
    code: 0,
  })),
  Effect.catch((error) =>
    Effect.as(Output.message(`What is paused or deployed cannot be read: ${error.message}`), {
      states: new Map<string, ScheduleState>(),
      code: ExitCode.ofError(error),
    }),
  ),
)

const pausedOf = (state: ScheduleState) => {
  const pause = pauseOf(state)
  if (pause === undefined) return {}
  return { paused: { since: new Date(pause.from).toISOString(), by: pause.by ?? who(), reason: pause.reason } }
}

const list = Effect.gen(function* () {
  const { flags, project } = yield* ProjectReaders.find
  const hint = yield* Hint.here
  const now = yield* Clock.currentTimeMillis
  const { states, ...reading } = yield* readStates
  let { code } = reading
  const found: Array<Row> = []
  for (const path of yield* PipelineFiles.list(project)) {
    const file = shownPath(path)
    const compiled = yield* Effect.result(compileFile(file))
    if (Result.isFailure(compiled)) {
      if (code === 0) code = ExitCode.ofError(compiled.failure)
      const goesOn = states.get(basename(path, extname(path)))?.deployed !== undefined
      const still = goesOn ? ", and what is deployed of it goes on" : ""
      yield* Output.message(
        `${file} is no pipeline as it stands${still}; to see why: ${hint.files(`validate '${file}'`)}`,
      )
      continue
    }
    const { id, schedule } = compiled.success.plan
    if (schedule !== undefined) found.push({ pipeline: id, schedule, file })
  }
  const inFiles = new Map(found.map(({ pipeline, schedule }) => [pipeline, schedule]))
  for (const [pipeline, { deployed }] of [...states].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (deployed === undefined) continue
    const { schedule } = deployed
    const own = inFiles.get(pipeline)
    if (own === undefined) found.push({ pipeline, schedule })
    else if (!isSame(own, schedule) && !flags.quiet)
      yield* Output.message(`${pipeline}: another schedule is deployed: ${schedule.cron} ${schedule.timezone}`)
  }
  const on = Output.colours(process.stdout)
  const rows: Array<ReadonlyArray<string>> = []
  for (const { file, pipeline, schedule } of found) {
    const state = states.get(pipeline) ?? initial
    const { cron, timezone } = schedule
    const next = Occurrences.following(schedule, Math.max(state.closedTo + 1, now), 1).at(0)
    const { paused } = pausedOf(state)
    if (flags.json) {
      const more = {
        ...(next === undefined ? {} : { next: Render.tickJson(next) }),
        ...(paused === undefined ? {} : { paused }),
      }
      const from = file === undefined ? {} : { file }
      yield* Output.json({ v: 1, kind: "schedule", pipeline, ...from, cron, timezone, ...more })
      continue
    }
    const times = next === undefined ? ["never", ""] : [Render.tickTime(next), timeText(next.at)]
    const marks = [file === undefined ? "as deployed" : "", paused === undefined ? "" : "paused"].filter(Boolean)
    rows.push([pipeline, cron, timezone, ...times, file ?? "", Output.yellow(marks.join(", "), on)])
  }
  if (flags.json) return yield* Output.exitWith(code)
  const head = ["pipeline", "cron", "timezone", "next tick", "UTC", "file", ""].map((word) => Output.dim(word, on))
  if (rows.length > 0) yield* Output.data(table([head, ...rows]).join("\n"))
  else if (!flags.quiet) yield* Output.message("No pipeline of pipelines/ has a schedule.")
  return yield* Output.exitWith(code)
})

/** Lists the pipelines that have a schedule, of `pipelines/` and of what is deployed, each with its next tick. */
export const listSchedules = Effect.flatMap(ProjectReaders.find, ({ env, project }) =>
  Effect.provide(list, Compiling.layer(project, env)),
)
