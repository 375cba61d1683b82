import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Resume from "../engine/resume.ts"
import * as Submit from "../engine/submit.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Hint from "./hint.ts"
import * as Output from "./output.ts"
import * as Project from "./project.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as RecordedRun from "../engine/recorded-run.ts"
import * as RunChoice from "./run-choice.ts"
import { who } from "./who.ts"

/** Asks a run to be cancelled: by its owner, or, where it has none, by an entry that its resume carries out. */
export const cancelRun = Effect.fnUntraced(function* (name: string, reason: string) {
  const { env, flags, home, project } = yield* Project.find
  const run = yield* RunChoice.choose(name).pipe(
    Effect.flatMap((id) => RecordedRun.read(home, id)),
    Effect.provide(ProjectReaders.ledger({ project, home, env })),
  )
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
  yield* Output.data(`${run.id} is being cancelled. ${next}`)
})
