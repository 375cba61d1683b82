import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Artifacts } from "../services/artifacts.ts"
import * as ArtifactsDirectory from "../services/artifacts-directory.ts"
import * as Hint from "./hint.ts"
import { Missing } from "./missing.ts"
import * as Output from "./output.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as RecordedRun from "../engine/recorded-run.ts"
import * as RunChoice from "./run-choice.ts"
import * as RunDiff from "./run-diff.ts"
import { loadLarge } from "./render/large-outputs.ts"
import * as Render from "./render/run-diff.ts"

const configOf = Effect.fnUntraced(function* ({ data, id }: RecordedRun.RecordedRun) {
  const artifacts = yield* Artifacts
  if (data === undefined) return undefined
  const bytes = yield* artifacts.get(data.config.sha256)
  const hint = yield* Hint.here
  return yield* Effect.try({
    try: () => (JSON.parse(new TextDecoder().decode(bytes)) as { readonly sections?: unknown }).sections,
    catch: () =>
      new Missing({
        what: `The configuration of run ${id} cannot be read`,
        next: `Its events are still there: ${hint.files(`ledger show ${id}`)}`,
      }),
  })
})

const compared = Effect.fnUntraced(function* (name: string) {
  const { home } = yield* ProjectReaders.find
  const run = yield* RunChoice.choose(name).pipe(Effect.flatMap((id) => RecordedRun.read(home, id)))
  const plan = yield* RecordedRun.planOf(home, run)
  const facts = RecordedRun.factsOf(plan, run)
  const now = run.owned ? yield* Clock.currentTimeMillis : Date.parse(run.entries.at(-1)?.time ?? "")
  const large = yield* loadLarge(home, facts)
  return { run, plan, config: yield* configOf(run), facts, large, now } satisfies RunDiff.ComparedRun
})

/** Shows what differs between two runs: what they were started with, and what came of it. */
export const diffRuns = Effect.fnUntraced(function* (old: string, next: string) {
  const { env, flags, home, project } = yield* ProjectReaders.find
  const diff = yield* Effect.map(Effect.all([compared(old), compared(next)]), ([was, is]) =>
    RunDiff.compare(was, is),
  ).pipe(
    Effect.provide(
      Layer.mergeAll(ProjectReaders.ledger({ project, home, env }), ArtifactsDirectory.layer(`${home}/artifacts`)),
    ),
  )
  if (flags.json) return yield* Output.json({ v: 1, kind: "run-diff", ...diff })
  yield* Output.data(Render.lines(diff, Output.colours(process.stdout)).join("\n"))
})
