import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import type { Pipeline } from "../authoring/pipeline.ts"
import { compileDocument } from "../compiler/compile.ts"
import { compileFile } from "../compiler/compile-file.ts"
import * as Located from "../compiler/located.ts"
import * as Source from "../compiler/source.ts"
import { ConfiguredSchedules, ofSection } from "../domain/configured-schedules.ts"
import { Catalog } from "../domain/catalog.ts"
import type { Entry, ErrorData, Event } from "../domain/event.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import { validate } from "../domain/json-value.ts"
import type { Plan } from "../domain/plan.ts"
import * as Run from "../engine/run.ts"
import { type RunState, type TaskStatus, runStatus, taskOf } from "../engine/run-state.ts"
import type { TaskServices } from "../engine/task-services.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { Artifacts } from "../services/artifacts.ts"
import type { Message } from "../services/notifier.ts"
import { Observer } from "../services/observer.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as ProjectCatalog from "../../tasks/catalog.ts"
import * as Casting from "./casting.ts"
import * as Place from "./place.ts"
import * as VirtualClock from "./virtual-clock.ts"

/** Params or variables of a test that do not fit the pipeline: all of them at once. */
export class OptionsRefused extends Schema.TaggedError<OptionsRefused>()("OptionsRefused", {
  pipeline: Schema.String,
  problems: Schema.Array(Schema.String),
}) {
  override get message() {
    return `What this test gives does not fit the pipeline ${this.pipeline}: ${this.problems.join("; ")}`
  }
}

/** What a test says of a run. */
export interface RunOptions<A, E> {
  /** Values of the params; those left out have their defaults. */
  readonly params?: Readonly<Record<string, unknown>>
  /** Task types in place of others, by task id or by type: `{ train: fake(train, (input) => …) }`. */
  readonly tasks?: Casting.Cast
  /** Services in place of the embedded ones; they may use those. */
  readonly layers?: Layer.Layer<A, E, TaskServices>
  /** Variables of the environment; a pipeline sees those that it declares. */
  readonly environment?: Readonly<Record<string, string>>
  /** The project's folder; default: the nearest one, from the working folder upwards. */
  readonly project?: string
}

/** How a run ended, and what it left. */
export interface TestRun {
  readonly run: string
  /** `waiting` when a task is unknown and a person would be asked. */
  readonly status: ReturnType<typeof runStatus>
  readonly tasks: Readonly<Record<string, TaskStatus>>
  /** Outputs as JSON, of the tasks that have one. */
  readonly outputs: Readonly<Record<string, unknown>>
  /** The last error of each task that has one. */
  readonly errors: Readonly<Record<string, ErrorData>>
  /** The messages that were sent, in order. */
  readonly messages: ReadonlyArray<Message>
  /** What happened, in order; `time` in milliseconds since the epoch, and the test begins at `2025-01-01T00:00Z`. */
  readonly events: ReadonlyArray<Event & { readonly time: number }>
  /** The same as the ledger holds it, sealed. The same run gives the same bytes. */
  readonly entries: ReadonlyArray<Entry>
  readonly plan: Plan
}

type Values = Readonly<Record<string, unknown>>

const compile = Effect.fnUntraced(function* (pipeline: Pipeline | string, project: string) {
  const path = yield* Path.Path
  if (typeof pipeline === "string") return yield* compileFile(path.resolve(project, pipeline))
  const id = String(pipeline.document.id)
  return yield* compileDocument(Source.make(id, ""), Located.fromJson(pipeline.document))
})

/** The params, those left out by default, and the variables that the plan declares. */
const given = Effect.fnUntraced(function* (plan: Plan, params: Values, environment: Readonly<Record<string, string>>) {
  const schemas = Object.entries(plan.params as Readonly<Record<string, JsonSchema>>)
  const values: Record<string, unknown> = { ...params }
  for (const [name, schema] of schemas) if (!(name in params) && "default" in schema) values[name] = schema.default
  const known = new Set(schemas.map(([name]) => name))
  const problems = [
    ...Object.keys(params).flatMap((name) => (known.has(name) ? [] : [`there is no param ${name}`])),
    ...schemas.flatMap(([name, schema]) =>
      name in values
        ? validate(values[name], schema).map((fault) => `param ${name}: ${fault}`)
        : [`param ${name} is missing and has no default`],
    ),
    ...plan.env.flatMap((name) => (name in environment ? [] : [`environment lacks ${name}`])),
  ]
  if (problems.length > 0) return yield* new OptionsRefused({ pipeline: plan.id, problems })
  return { params: values, environment: Object.fromEntries(plan.env.map((name) => [name, environment[name] ?? ""])) }
})

/** The outputs of a state's tasks, those that were too large for their events read back. */
const outputsOf = Effect.fnUntraced(function* (plan: Plan, state: RunState) {
  const artifacts = yield* Artifacts
  const outputs: Record<string, unknown> = {}
  for (const { id } of plan.tasks) {
    const { output, outputArtifact } = taskOf(state, id)
    if (output !== undefined) outputs[id] = output
    if (outputArtifact === undefined) continue
    outputs[id] = JSON.parse(new TextDecoder().decode(yield* artifacts.get(outputArtifact.sha256)))
  }
  return outputs
})

/** What a run left, from its state and its stream. */
export const resultOf = Effect.fnUntraced(function* (plan: Plan, { run, state }: Run.RunResult, place: Place.Place) {
  const { entries } = yield* (yield* Ledger).read(StreamName.ofRun(run))
  const each = <V>(of: (id: string) => V | undefined): Record<string, V> =>
    Object.fromEntries(
      plan.tasks.flatMap(({ id }): ReadonlyArray<readonly [string, V]> => {
        const value = of(id)
        return value === undefined ? [] : [[id, value]]
      }),
    )
  const result: TestRun = {
    run,
    status: runStatus(state),
    tasks: each((id) => taskOf(state, id).status),
    outputs: yield* outputsOf(plan, state),
    errors: each((id) => taskOf(state, id).error),
    messages: [...place.messages],
    events: entries.map(
      ({ type, data, time }) => ({ type, data, time: Date.parse(time) }) as TestRun["events"][number],
    ),
    entries,
    plan,
  }
  return result
})

/** Runs an effect in a place: on its clock, its engine's events holding that. */
export const inPlace =
  ({ clock, turns }: Place.Place) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    const observer = {
      onEvent: Casting.onEvent(clock, turns),
      onProgress: () => {},
      onLog: () => {},
      onWaiting: () => {},
    }
    return effect.pipe(Effect.provideService(Observer, observer), VirtualClock.provide(clock))
  }

/** A request to run a plan in a place. */
export const request = (
  plan: Plan,
  { configuration }: Place.Place,
  changed: Partial<Run.RunRequest> = {},
): Run.RunRequest => ({
  plan,
  params: {},
  env: configuration.env,
  environment: {},
  config: SettingsFiles.resolved(configuration),
  capacity: Place.capacity,
  durability: "fsync",
  who: "tester",
  ...changed,
})

/**
 * Runs a pipeline (a value, or a file of the project) with the real compiler and the real engine on virtual time: it
 * starts at 2025-01-01 00:00 UTC, and waiting, be it a retry's backoff of hours or a timeout, takes none. Ids are fixed,
 * so that the same run leaves the same ledger. The run's home is a temporary folder; the project's own `.dandori` is not
 * touched. Time stands still while a real task type works, and goes on while a fake waits: one that waits for
 * ever wants a timeout. A run that fails is a result;
 * a pipeline that does not compile, or a test that does not fit it, is an error.
 *
 * @example
 * const result = await Effect.runPromise(
 *   runPipeline("pipelines/hello.yaml", { tasks: { greet: fake(command, () => Effect.succeed(…)) } }),
 * )
 */
export const runPipeline = <A = never, E = never>(pipeline: Pipeline | string, options: RunOptions<A, E> = {}) =>
  Effect.gen(function* () {
    const place = yield* Place.make(options.project)
    const cast = options.tasks ?? {}
    const catalog = ProjectCatalog.layer(place.project)
    const real = yield* Effect.provide(Catalog, catalog)
    const schedules = Effect.succeed(ofSection(place.configuration.sections.schedules))
    const { plan } = yield* compile(pipeline, place.project).pipe(
      Effect.provideService(Catalog, Casting.catalog(real, cast, place.clock, place.turns)),
      Effect.provideService(ConfiguredSchedules, schedules),
    )
    yield* Casting.check(plan, cast)
    const values = yield* given(plan, options.params ?? {}, options.environment ?? {})
    return yield* Run.start(request(plan, place, values)).pipe(
      Effect.flatMap((result) => resultOf(plan, result, place)),
      Effect.provide(Place.services(place, catalog, options)),
      inPlace(place),
    )
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
