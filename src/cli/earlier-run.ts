import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CanonicalJson from "../domain/canonical-json.ts"
import type { Plan } from "../domain/plan.ts"
import * as Resume from "../engine/resume.ts"
import * as Takeover from "../engine/takeover.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as ArtifactsDirectory from "../services/artifacts-directory.ts"
import * as Output from "./output.ts"
import * as Params from "./params.ts"
import * as Project from "./project.ts"
import * as RecordedRun from "../engine/recorded-run.ts"
import * as RunChoice from "./run-choice.ts"

/** A run that a new one takes over from. */
export interface EarlierRun {
  readonly run: string
  readonly recalled: Resume.Recalled
}

const services = Effect.map(Project.find, ({ env, home, project }) =>
  Layer.mergeAll(Project.ledgerLayer({ project, home, env }), ArtifactsDirectory.layer(`${home}/artifacts`)),
)

/** The newest run of a pipeline that has ended. */
const newest = Effect.fnUntraced(function* (home: string, pipeline: string) {
  for (const id of (yield* (yield* Ledger).runs).toReversed()) {
    const run = yield* RecordedRun.read(home, id)
    if (run.data?.pipeline === pipeline && run.durationMillis !== undefined) return id
  }
  const reason = `No run of ${pipeline} has ended yet, so there is nothing to take over. Run it without --from and --only`
  return yield* new Output.UsageError({ reason })
})

/** The run that was named, or the newest of the pipeline that has ended. */
export const find = Effect.fnUntraced(function* (pipeline: string | undefined, name: string | undefined) {
  const { home } = yield* Project.find
  return yield* Effect.gen(function* () {
    const run = name === undefined ? yield* newest(home, pipeline ?? "") : yield* RunChoice.choose(name)
    const recalled = yield* Resume.recall(run)
    if (pipeline !== undefined && recalled.created.pipeline !== pipeline) {
      return yield* new Output.UsageError({
        reason: `Run ${run} is one of ${recalled.created.pipeline}, not of ${pipeline}`,
      })
    }
    return { run, recalled } satisfies EarlierRun
  }).pipe(Effect.provide(yield* services))
})

/** The params of the earlier run; others than those would not fit the results that are taken over. */
export const params = Effect.fnUntraced(function* (
  plan: Plan,
  { recalled, run }: EarlierRun,
  given: ReadonlyArray<string>,
) {
  const before = recalled.created.params
  const missing = Object.keys(plan.params).filter((name) => !given.some((text) => text.startsWith(`${name}=`)))
  const kept = missing.flatMap((name) => {
    const value = before[name]
    return value === undefined ? [] : [`${name}=${typeof value === "string" ? value : JSON.stringify(value)}`]
  })
  const values = yield* Params.resolve(plan, [...given, ...kept])
  const other = Object.keys(values).find(
    (name) => before[name] !== undefined && CanonicalJson.encode(values[name]) !== CanonicalJson.encode(before[name]),
  )
  if (other !== undefined) {
    const reason = `--param ${other}: run ${run} had ${JSON.stringify(before[other])}, and its results are to be taken over. Leave it out, or run the whole pipeline`
    return yield* new Output.UsageError({ reason })
  }
  return values
})

/** What a plan takes over from the run. */
export const takeover = Effect.fnUntraced(function* (plan: Plan, { recalled, run }: EarlierRun, asked: Takeover.Again) {
  return yield* Takeover.plan(run, recalled, plan, asked).pipe(Effect.provide(yield* services))
})
