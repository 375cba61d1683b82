import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as Resolve from "../engine/resolve.ts"
import * as Resume from "../engine/resume.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Hint from "./hint.ts"
import * as Output from "./output.ts"
import * as Project from "./project.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as RunChoice from "./run-choice.ts"
import { who } from "./who.ts"

/** What was asked on the command line. */
export interface ResolveRequest {
  readonly run: string
  readonly task: string
  readonly as: "succeeded" | "failed"
  readonly reason: string
  readonly output: string | undefined
}

const Text = Schema.fromJsonString(Schema.Unknown)

/** The JSON of a file that a person gives as a task's output. */
export const readOutput = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.readFileString(file).pipe(
    Effect.flatMap(Schema.decodeEffect(Text)),
    Effect.mapError((error) => new Output.UsageError({ reason: `--output ${file}: ${error.message}` })),
  )
})

/** Records what a person says became of a task whose outcome nobody knows. */
export const resolveTask = Effect.fnUntraced(function* (request: ResolveRequest) {
  const { project, home, flags, env } = yield* Project.find
  if (request.as === "succeeded" && request.output === undefined) {
    return yield* new Output.UsageError({
      reason: "--as succeeded needs --output FILE: the task's output as JSON, which other tasks read",
    })
  }
  const run = yield* RunChoice.choose(request.run).pipe(Effect.provide(ProjectReaders.ledger({ project, home, env })))
  const output = request.output === undefined ? undefined : yield* readOutput(request.output)
  const configuration = yield* SettingsFiles.load(project, env)
  const isDriven = yield* Effect.gen(function* () {
    const driven = yield* (yield* Ledger).owned(StreamName.ofRun(run))
    const recalled = yield* Resume.recall(run)
    const now = yield* Clock.currentTimeMillis
    const { as, reason, task } = request
    yield* Resolve.resolve(run, recalled, { task, as, reason, output, now, by: who(), say: Output.message })
    return driven
  }).pipe(Effect.provide(Project.services({ project, home, configuration })))
  if (flags.json) return yield* Output.json({ v: 1, kind: "resolved", run, task: request.task, as: request.as })
  const next = isDriven ? "Its run goes on." : `Go on: ${(yield* Hint.here).either(`runs resume ${run}`)}`
  yield* Output.data(`${request.task} is ${request.as} now. ${next}`)
})
