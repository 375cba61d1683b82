import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Resume from "../engine/resume.ts"
import * as Submit from "../engine/submit.ts"
import * as Orders from "../scheduler/schedule-orders.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import type { AskedRun } from "./asked-runs.ts"
import * as Hint from "./hint.ts"
import { Missing } from "./missing.ts"
import * as Output from "./output.ts"
import * as Project from "./project.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as RecordedRun from "../engine/recorded-run.ts"
import { dateTime } from "./render/duration.ts"
import * as RunChoice from "./run-choice.ts"
import * as ScheduleBook from "./schedule-book.ts"
import { who } from "./who.ts"

/** Has a run not begin that waits for that: recorded in the stream of the schedules, where the daemon that leads reads it. */
const callOff = Effect.fnUntraced(function* ({ env, pipeline, run, since }: AskedRun, reason: string) {
  const { env: own, flags } = yield* Project.find
  if (env !== own) {
    return yield* new Output.UsageError({ reason: `It was asked for in ${env}, this is ${own}: --env ${env}` })
  }
  const by = { authid: who(), authtype: "user" } as const
  const isAsked = yield* ScheduleBook.change(pipeline, (book) => Orders.cancelRun(book, run, reason, by))
  if (!isAsked) {
    const next = `Look: ${(yield* Hint.here).either(`runs show ${run}`)}`
    return yield* new Missing({ what: `Run ${run} does not wait to begin any more`, next })
  }
  if (flags.json) return yield* Output.json({ v: 1, kind: "cancelled", run, by: who() })
  return yield* Output.data(
    `${run} is called off: it waited to begin since ${dateTime(since)}. No daemon begins it any more.`,
  )
})

/** Asks a run to be cancelled: by its owner, or, where it has none, by an entry that its resume carries out. */
export const cancelRun = Effect.fnUntraced(function* (name: string, reason: string) {
  const { env, flags, home, project } = yield* Project.find
  const run = yield* RunChoice.choose(name).pipe(
    Effect.flatMap((id) => RecordedRun.read(home, id)),
    Effect.catchTag("RunNotBegun", ({ asked }) => Effect.as(callOff(asked, reason), undefined)),
    Effect.provide(ProjectReaders.ledger({ project, home, env })),
  )
  if (run === undefined) return undefined
  const configuration = yield* SettingsFiles.load(project, env)
  yield* Effect.gen(function* () {
    const recalled = yield* Resume.recall(run.id)
    const now = yield* Clock.currentTimeMillis
    yield* Submit.submit(run.id, recalled, { kind: "cancel", reason }, { by: who(), now, say: Output.message })
  }).pipe(Effect.provide(Project.services({ project, home, configuration })))
  if (flags.json) return yield* Output.json({ v: 1, kind: "cancelled", run: run.id, by: who() })
  const hint = yield* Hint.here
  const next = run.owned
    ? "Its tasks get their grace to stop."
    : `Nobody drives it now; onCancel and finally run with: ${hint.either(`runs resume ${run.id}`)}`
  return yield* Output.data(`${run.id} is being cancelled. ${next}`)
})
