import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { Dataset } from "../../src/domain/dataset.ts"
import type { Entry, Event } from "../../src/domain/event.ts"
import { GateResult } from "../../src/domain/gate.ts"
import type { PlanTask } from "../../src/domain/plan.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import type { AnyTaskType } from "../../src/domain/task-type.ts"
import * as Resolve from "../../src/engine/resolve.ts"
import * as Resume from "../../src/engine/resume.ts"
import * as Run from "../../src/engine/run.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Observer } from "../../src/services/observer.ts"
import { Broken, Busy, Flaky, echo, plan, quick, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const partition = (symbol: string, month: string) => ({
  symbol,
  month,
  path: `canonical/1h/${symbol}/${month}/canonical.parquet`,
  sha256: Sha256.of(`${symbol} ${month}`),
  bytes: 1_000,
  rows: 500,
  firstTimestamp: `${month}-01T00:00:00.000Z`,
  lastTimestamp: `${month}-28T23:00:00.000Z`,
})

const dataset: Dataset = Dataset.make({
  timeframe: "1h",
  symbols: ["EURUSD", "GBPUSD"],
  format: "parquet",
  partitions: [partition("EURUSD", "2025-01"), partition("EURUSD", "2025-02"), partition("GBPUSD", "2025-01")],
  rows: 1_500,
  synthetic: true,
  source: "test",
  digest: Sha256.of("dataset"),
})

const make = taskType({
  type: "make",
  version: 1,
  description: "Makes a dataset",
  input: Schema.Struct({}),
  output: Schema.Struct({ dataset: Dataset }),
  effects: "pure",
  run: () => Effect.succeed({ dataset }),
})

const Check = Schema.Struct({
  name: Schema.String,
  severity: Schema.String,
  passed: Schema.Boolean,
  observed: Schema.String,
  threshold: Schema.String,
})

const judge = taskType({
  type: "judge",
  version: 1,
  description: "A gate over a dataset",
  input: Schema.Struct({ dataset: Dataset, passes: Schema.Boolean }),
  output: Schema.Struct({ dataset: Dataset, checks: Schema.Array(Check), gate: GateResult }),
  effects: "pure",
  gate: ({ gate }) => gate,
  run: (input) =>
    Effect.succeed({
      dataset: input.dataset,
      checks: [{ name: "min_rows", severity: "error", passed: input.passes, observed: "1500", threshold: "100" }],
      gate: {
        verdict: input.passes ? ("PASSED" as const) : ("FAILED" as const),
        subjects: input.dataset.partitions.map(({ path, sha256 }) => ({ name: path, sha256 })),
        policy: { name: "expectations.yaml", sha256: Sha256.of("expectations") },
        reasons: input.passes ? [] : ["min_rows: 1500"],
        reports: [],
      },
    }),
})

const flaky = typeOf("flaky", "pure", () =>
  Effect.flatMap(Attempt, ({ attempt }): Effect.Effect<{ value: number }, Busy> => {
    return attempt < 3 ? Effect.fail(new Busy()) : Effect.succeed({ value: attempt })
  }),
)
const broken = typeOf("broken", "pure", () => Effect.fail(new Broken({ text: "it is broken" })))
const hanging = typeOf("hanging", "pure", () => Effect.never)
const unsure = typeOf("unsure", "once", () => Effect.fail(new Flaky()))

/** The task types of these runs. */
export const types: ReadonlyArray<AnyTaskType> = [make, judge, flaky, broken, hanging, unsure, echo]

const gated = (passes: boolean): ReadonlyArray<PlanTask> => [
  task("make", make),
  task("judge", judge, { needs: ["make"], with: { dataset: "${{ tasks.make.dataset }}", passes } }),
]

/** Plans by what becomes of their runs. */
export const plans = {
  succeeded: plan(gated(true), { id: "good" }),
  failed: plan([...gated(false), task("after", echo, { needs: ["judge"] })], { id: "bad" }),
  broken: plan([task("broken", broken)], { id: "broken" }),
  retried: plan([task("flaky", flaky, { retry: quick(3) })], { id: "retried" }),
  late: plan([task("hanging", hanging, { timeout: 20 })], { id: "late" }),
  cancelled: plan([task("hanging", hanging), task("after", echo, { needs: ["hanging"] })], { id: "stopped" }),
  wrong: plan([task("judge", judge, { with: { passes: true } })], { id: "wrong" }),
  unsure: plan(
    [task("first", echo), task("unsure", unsure, { needs: ["first"] }), task("after", echo, { needs: ["unsure"] })],
    { id: "unsure" },
  ),
}

/** A run and its entries. */
export interface Exported {
  readonly run: string
  readonly entries: ReadonlyArray<Entry>
}

const cancelling = () => {
  const asked: Array<(reason: string) => void> = []
  return {
    control: { onCancel: (cancel: (reason: string) => void) => (asked.push(cancel), () => {}) },
    observer: {
      onEvent: (event: Event) => {
        if (event.type === "dev.dandori.attempt.started.v1") for (const cancel of asked) cancel("enough")
      },
      onProgress: () => {},
      onLog: () => {},
      onWaiting: () => {},
    },
  }
}

/** Runs a plan to its end in the project that is provided. */
export const start = Effect.fnUntraced(function* (name: keyof typeof plans) {
  const { control, observer } = cancelling()
  const { run } = yield* Run.start(Project.request(plans[name], name === "cancelled" ? { control } : {})).pipe(
    name === "cancelled" ? Effect.provideService(Observer, observer) : (effect) => effect,
  )
  const exported: Exported = { run, entries: yield* Project.entriesOf(run) }
  return exported
})

/** Says what became of the task of unknown outcome, and goes on with its run. */
export const resolve = Effect.fnUntraced(function* (run: string) {
  const recalled = yield* Resume.recall(run)
  const now = yield* Clock.currentTimeMillis
  const request = { task: "unsure", as: "succeeded", reason: "the bank says so", output: { value: 1 }, now } as const
  yield* Resolve.resolve(run, recalled, request)
  yield* Project.resume(run)
  return { run, entries: yield* Project.entriesOf(run) } satisfies Exported
})

/** Uses a project of its own that knows the task types. */
export const inProject = <A, E, R>(use: (place: Project.Project) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Project.temporary, (place) => use(place).pipe(Effect.provide(Project.services(place, { types }))))

/** Runs a plan once in a project of its own. */
export const alone = (name: keyof typeof plans) => Effect.scoped(inProject(() => start(name)))
