import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { compileFile } from "../compiler/compile-file.ts"
import * as Resume from "../engine/resume.ts"
import * as Run from "../engine/run.ts"
import { runStatus } from "../engine/run-state.ts"
import * as Checkpoint from "../ledger/checkpoint.ts"
import * as Root from "../ledger/root.ts"
import * as MachineCode from "../services/machine-code.ts"
import { Observer } from "../services/observer.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as ArtifactsDirectory from "../services/artifacts-directory.ts"
import * as Durability from "../domain/durability.ts"
import type { Plan } from "../domain/plan.ts"
import type * as Takeover from "../engine/takeover.ts"
import * as Compiling from "./compiling.ts"
import * as EarlierRun from "./earlier-run.ts"
import * as ExitCode from "./exit-code.ts"
import * as Hint from "./hint.ts"
import * as Interrupts from "./interrupts.ts"
import * as Notifications from "./notifications.ts"
import * as Output from "./output.ts"
import * as Params from "./params.ts"
import * as SignalPass from "./signal-pass.ts"
import * as Project from "./project.ts"
import { locate } from "./pipeline-files.ts"
import { who } from "./who.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as RunChoice from "./run-choice.ts"
import * as RunView from "./render/run-view.ts"

const finish = Effect.fnUntraced(function* (
  view: RunView.RunView,
  result: Run.RunResult,
  place: Parameters<typeof Project.services>[0],
) {
  yield* view.finish(result)
  if (place.configuration.sections.exporters.exporters.length > 0) {
    const { afterRun } = yield* Effect.promise(() => import("./export-pass.ts"))
    yield* afterRun(place)
  }
  const { incomplete, state } = result
  yield* Output.exitWith(incomplete === undefined ? ExitCode.ofRun(runStatus(state)) : ExitCode.exitCodes.io)
})

/** Signs a head after a run. What a best-effort run cannot write there is told with its result. */
const signHead = (result: Run.RunResult) => {
  const signing = Effect.as(Checkpoint.make(), result)
  if (result.state.plan.plan.audit === "required") return signing
  return Effect.catchTag(signing, "LedgerFailed", ({ message }) =>
    Effect.succeed<Run.RunResult>({ ...result, incomplete: result.incomplete ?? { events: 0, reason: message } }),
  )
}

/**
 * What a run needs around it: the project's services, the view, and the ledger's books (root entries that a crash
 * swallowed before it, a signed head after it).
 */
const inProject =
  (options: Parameters<typeof Project.services>[0], view: RunView.RunView) =>
  <E, R>(run: Effect.Effect<Run.RunResult, E, R>) =>
    Effect.sync(MachineCode.usual).pipe(
      Effect.andThen(Root.reconcile()),
      Effect.andThen(run),
      Effect.flatMap(signHead),
      Effect.provideService(Observer, view.observer),
      Effect.provide(Project.services(options)),
      Effect.onInterrupt(() => view.left),
      Effect.ensuring(view.stop),
    )

/** What a new run is asked to do beside running its plan. */
export interface RunOptions {
  readonly wait: boolean
  readonly from: string | undefined
  readonly only: string | undefined
  /** The run to take over from; the newest of the pipeline that has ended where none is named. */
  readonly of: string | undefined
}

/** A pipeline's plan with the params that it is to run with. */
interface Asked {
  readonly plan: Plan
  readonly params: Readonly<Record<string, unknown>>
  readonly takeover?: Takeover.Takeover
}

/** Starts a new run and shows it live; ends with the run's exit code. */
export const startRun = Effect.fnUntraced(function* ({ params, plan, takeover }: Asked, wait: boolean) {
  const { project, home, env, flags } = yield* Project.find
  const environment = yield* Params.environment(plan, process.env)
  const configuration = yield* SettingsFiles.load(project, env)
  const view = yield* RunView.make({ plan, project, json: flags.json, quiet: flags.quiet, hint: yield* Hint.here })
  yield* WorkspaceFiles.makeHome(home)
  const durability = Durability.ofSection(configuration.sections.ledger)
  if (durability.durability === "batched" && !flags.json && !flags.quiet) {
    view.say(`durability ${Durability.text(durability)}`)
  }
  const result = yield* Run.start({
    plan,
    params,
    env: configuration.env,
    environment,
    config: SettingsFiles.resolved(configuration),
    capacity: Project.capacityOf(configuration),
    ...durability,
    who: who(),
    control: Interrupts.control(view.say),
    wait,
    ...(takeover === undefined ? {} : { takeover }),
  }).pipe(
    Effect.tap(SignalPass.afterRun),
    Effect.tap(Notifications.afterRun(takeover?.only)),
    inProject({ project, home, configuration }, view),
  )
  yield* finish(view, result, { project, home, configuration })
})

/** Compiles, then runs a pipeline once; with `from` or `only` it takes over what an earlier run of it has. */
export const runPipeline = Effect.fnUntraced(function* (
  name: string | undefined,
  given: ReadonlyArray<string>,
  options: RunOptions,
) {
  const { env, project } = yield* Project.find
  const file = yield* locate(project, name)
  const { plan } = yield* compileFile(file).pipe(Effect.provide(Compiling.layer(project, env)))
  const { from, of, only, wait } = options
  if (from === undefined && only === undefined) {
    return yield* startRun({ plan, params: yield* Params.resolve(plan, given) }, wait)
  }
  const earlier = yield* EarlierRun.find(plan.id, of)
  const params = yield* EarlierRun.params(plan, earlier, given)
  const takeover = yield* EarlierRun.takeover(plan, earlier, { from, only })
  yield* startRun({ plan, params, takeover }, wait)
}, Effect.scoped)

/** Runs the plan of a run that has ended again, but for what succeeded there. */
export const retryRun = Effect.fnUntraced(function* (
  name: string,
  { from, only, wait }: Pick<RunOptions, "from" | "only" | "wait">,
) {
  const earlier = yield* EarlierRun.find(undefined, name)
  const { created, plan } = earlier.recalled
  const takeover = yield* EarlierRun.takeover(plan, earlier, { from, only })
  yield* startRun({ plan, params: created.params, takeover }, wait)
}, Effect.scoped)

/** Goes on with an interrupted run, with the plan and the configuration that it started with. */
export const resumeRun = Effect.fnUntraced(function* (name: string, wait: boolean) {
  const { project, home, flags, env } = yield* Project.find
  const run = yield* RunChoice.choose(name).pipe(Effect.provide(ProjectReaders.ledger({ project, home, env })))
  const recalled = yield* Resume.recall(run).pipe(
    Effect.provide(
      Layer.mergeAll(Project.ledgerLayer({ project, home, env }), ArtifactsDirectory.layer(`${home}/artifacts`)),
    ),
  )
  const configuration = yield* SettingsFiles.fromResolved(JSON.parse(recalled.config))
  const view = yield* RunView.make({
    plan: recalled.plan,
    project,
    json: flags.json,
    quiet: flags.quiet,
    hint: yield* Hint.here,
  })
  const result = yield* Resume.resume(run, recalled, {
    capacity: Project.capacityOf(configuration),
    who: who(),
    now: yield* Clock.currentTimeMillis,
    control: Interrupts.control(view.say),
    wait,
  }).pipe(
    Effect.tap(SignalPass.afterRun),
    Effect.tap(Notifications.afterRun(recalled.created.only)),
    inProject({ project, home, configuration }, view),
  )
  yield* finish(view, result, { project, home, configuration })
}, Effect.scoped)
