import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import { taskType } from "../src/authoring/task-type.ts"
import * as Project from "../src/cli/project.ts"
import { Catalog } from "../src/domain/catalog.ts"
import type { EffectClass } from "../src/domain/effect-class.ts"
import type { Plan, PlanTask } from "../src/domain/plan.ts"
import type { AnyTaskType } from "../src/domain/task-type.ts"
import type { RunRequest } from "../src/engine/run.ts"
import * as SettingsFiles from "../src/services/settings-files.ts"
import { repository, withFolder } from "./place.ts"
import { type Shape, needs } from "./shape.ts"

const Nothing = Schema.Struct({})
const Number = Schema.Struct({ n: Schema.optionalKey(Schema.Int) })

const noop = (type: string, effects: EffectClass) =>
  taskType({
    type,
    version: 1,
    description: type,
    input: Number,
    output: Nothing,
    effects,
    run: () => Effect.succeed({}),
  })

const types = { pure: noop("pure-noop", "pure"), idempotent: noop("idempotent-noop", "idempotent") }

const numbers = taskType({
  type: "numbers",
  version: 1,
  description: "The numbers from 0 on",
  input: Schema.Struct({ count: Schema.Int }),
  output: Schema.Struct({ numbers: Schema.Array(Schema.Int) }),
  effects: "pure",
  run: ({ count }) => Effect.succeed({ numbers: Array.from({ length: count }, (_, n) => n) }),
})

/** The class of the tasks that do nothing. */
export type NoopClass = keyof typeof types

const catalogOf = (known: ReadonlyArray<AnyTaskType>) =>
  Catalog.of({
    names: known.map(({ type }) => type),
    load: (name) => Effect.succeed(known.find(({ type }) => type === name)),
  })

/** A plan of tasks that do nothing. */
export const plan = (count: number, shape: Shape, effects: NoopClass): Plan => ({
  format: 1,
  id: `bench-${shape}`,
  params: {},
  env: [],
  audit: "required",
  tasks: Array.from({ length: count }, (_, i): PlanTask => ({
    id: `t${i}`,
    type: types[effects].type,
    version: 1,
    effects,
    needs: needs(shape, i).map((n) => `t${n}`),
    with: {},
  })),
})

/** Opens a project in a folder, with all services of the embedded default and a catalog of tasks that do nothing. */
export const open = async (project: string) => {
  const configuration = await Effect.runPromise(SettingsFiles.load(repository, "dev"))
  const runtime = ManagedRuntime.make(Project.services({ project, home: join(project, ".dandori"), configuration }))
  const request = (of: Plan, durability: RunRequest["durability"]): RunRequest => ({
    plan: of,
    params: {},
    env: configuration.env,
    environment: {},
    config: SettingsFiles.resolved(configuration),
    capacity: Project.capacityOf(configuration),
    durability,
    who: "bench",
  })
  type Services = ManagedRuntime.ManagedRuntime.Services<typeof runtime>
  const runWith = <A, E>(known: ReadonlyArray<AnyTaskType>, effect: Effect.Effect<A, E, Services>): Promise<A> =>
    runtime.runPromise(Effect.provideService(effect, Catalog, catalogOf(known)))
  const run = <A, E>(effect: Effect.Effect<A, E, Services>): Promise<A> =>
    runWith([...Object.values(types), numbers], effect)
  return { project, request, run, runWith, dispose: () => runtime.dispose() }
}

/** A project whose catalog has the tasks that do nothing, and one that counts. */
export type BenchProject = Awaited<ReturnType<typeof open>>

/** Gives a new project on the checkout's disk, and removes it afterwards. */
export const withProject = <A>(use: (project: BenchProject) => Promise<A>): Promise<A> =>
  withFolder(async (folder) => {
    const project = await open(folder)
    try {
      return await use(project)
    } finally {
      await project.dispose()
    }
  })
