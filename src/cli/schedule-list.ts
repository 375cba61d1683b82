import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { compileFile } from "../compiler/compile-file.ts"
import * as Catalog from "../../tasks/catalog.ts"
import { timeText } from "../domain/occurrence.ts"
import * as Occurrences from "../scheduler/occurrences.ts"
import * as ExitCode from "./exit-code.ts"
import * as Output from "./output.ts"
import * as PipelineFiles from "./pipeline-files.ts"
import { shownPath } from "./pipeline-validate.ts"
import * as ProjectReaders from "./project-readers.ts"
import { table } from "./render/line.ts"
import * as Render from "./render/schedule.ts"

const list = Effect.gen(function* () {
  const { flags, project } = yield* ProjectReaders.find
  const now = yield* Clock.currentTimeMillis
  const rows: Array<ReadonlyArray<string>> = []
  let code = 0
  for (const path of yield* PipelineFiles.list(project)) {
    const file = shownPath(path)
    const compiled = yield* Effect.result(compileFile(file))
    if (Result.isFailure(compiled)) {
      code = ExitCode.ofError(compiled.failure)
      yield* Output.message(`${file} is no pipeline as it stands; to see why: dandori validate '${file}'`)
      continue
    }
    const { id, schedule } = compiled.success.plan
    if (schedule === undefined) continue
    const next = Occurrences.following(schedule, now, 1).at(0)
    if (flags.json) {
      const { cron, timezone } = schedule
      const tick = next === undefined ? {} : { next: Render.tickJson(next) }
      yield* Output.json({ v: 1, kind: "schedule", pipeline: id, file, cron, timezone, ...tick })
      continue
    }
    const times = next === undefined ? ["never", ""] : [Render.tickTime(next), timeText(next.at)]
    rows.push([id, schedule.cron, schedule.timezone, ...times, file])
  }
  if (flags.json) return yield* Output.exitWith(code)
  const on = Output.colours(process.stdout)
  const head = ["pipeline", "cron", "timezone", "next tick", "UTC", "file"].map((word) => Output.dim(word, on))
  if (rows.length > 0) yield* Output.data(table([head, ...rows]).join("\n"))
  else if (!flags.quiet) yield* Output.message("No pipeline of pipelines/ has a schedule.")
  return yield* Output.exitWith(code)
})

/** Lists the pipelines of `pipelines/` that have a schedule, each with its next tick. */
export const listSchedules = Effect.flatMap(ProjectReaders.find, ({ project }) =>
  Effect.provide(list, Catalog.layer(project)),
)
