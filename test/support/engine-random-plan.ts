import * as FastCheck from "fast-check"
import type { Capacity } from "../../src/domain/event.ts"
import type { Plan, PlanTask, Resources } from "../../src/domain/plan.ts"
import { plan } from "./engine-plan.ts"

/** What the random plans run on. All resources are multiples of a tenth, so that a model can count in integers. */
export const capacity: Capacity = { cpu: 1.3, memory: 3, gpu: 1, pools: { p: 2, q: 1 }, attempts: 4 }

/** Tags of errors that the interpreter gives; `retry.on` draws from them. */
export const tags = ["Alpha", "Beta", "TimedOut", "InputInvalid", "GateFailed"] as const

const optional = <A>(key: string, values: FastCheck.Arbitrary<A>) =>
  FastCheck.option(values, { nil: undefined }).map((value) => (value === undefined ? {} : { [key]: value }))

const rarely = <A>(key: string, values: FastCheck.Arbitrary<A>) =>
  FastCheck.oneof(
    { weight: 4, arbitrary: FastCheck.constant({}) },
    { weight: 1, arbitrary: values.map((value) => ({ [key]: value })) },
  )

const resources: FastCheck.Arbitrary<Resources> = FastCheck.tuple(
  optional("cpu", FastCheck.constantFrom(0.1, 0.2, 0.3, 0.7, 1, 1.3)),
  optional("memory", FastCheck.constantFrom(1, 2, 3)),
  optional("gpu", FastCheck.constant(1)),
  optional("pools", FastCheck.constantFrom({ p: 1 }, { p: 2 }, { p: 1, q: 1 })),
  optional("locks", FastCheck.subarray(["a", "b"], { minLength: 1 })),
).map((parts) => Object.assign({}, ...parts) as Resources)

const retry: FastCheck.Arbitrary<NonNullable<PlanTask["retry"]>> = FastCheck.tuple(
  FastCheck.integer({ min: 1, max: 4 }),
  optional("on", FastCheck.subarray([...tags])),
  optional(
    "backoff",
    FastCheck.record({
      initial: FastCheck.constantFrom(0, 10, 1_000),
      factor: FastCheck.constantFrom(1, 2, 1.5),
      max: FastCheck.constantFrom(50, 5_000),
      jitter: FastCheck.constantFrom("full" as const, "none" as const),
    }),
  ),
).map(([attempts, ...rest]) => Object.assign({ attempts }, ...rest))

const matrix: FastCheck.Arbitrary<NonNullable<PlanTask["matrix"]>> = FastCheck.tuple(
  FastCheck.integer({ min: 0, max: 4 }),
  optional("failFast", FastCheck.constant(false)),
  optional("maxParallel", FastCheck.integer({ min: 1, max: 2 })),
).map(([count, ...rest]) => Object.assign({ values: { n: Array.from({ length: count }, (_, n) => n) } }, ...rest))

const approval: FastCheck.Arbitrary<NonNullable<PlanTask["approval"]>> = FastCheck.tuple(
  FastCheck.integer({ min: 1, max: 2 }),
  optional("timeout", FastCheck.constantFrom(5, 100)),
  optional("onTimeout", FastCheck.constant("skip")),
).map(([approvers, ...rest]) => Object.assign({ approvers }, ...rest))

interface Draft {
  /** How deep in sub-pipelines it stands; cut to what there is. */
  readonly depth: number
  readonly isPipeline: boolean
  readonly block: NonNullable<PlanTask["block"]>
  readonly needs: ReadonlyArray<number>
  readonly settings: Partial<PlanTask>
}

const draft: FastCheck.Arbitrary<Draft> = FastCheck.record({
  depth: FastCheck.constantFrom(0, 0, 1, 2),
  isPipeline: FastCheck.integer({ min: 0, max: 5 }).map((value) => value === 0),
  block: FastCheck.oneof(
    { weight: 5, arbitrary: FastCheck.constant("tasks" as const) },
    { weight: 1, arbitrary: FastCheck.constant("onFailure" as const) },
    { weight: 1, arbitrary: FastCheck.constant("onCancel" as const) },
    { weight: 2, arbitrary: FastCheck.constant("finally" as const) },
  ),
  needs: FastCheck.array(FastCheck.integer({ min: 1, max: 5 }), { maxLength: 3 }),
  settings: FastCheck.tuple(
    FastCheck.constantFrom("pure", "idempotent", "once", "irreversible").map((effects) => ({ effects })),
    optional("if", FastCheck.constant("true")),
    optional("retry", retry),
    optional("continueOnError", FastCheck.constant(true)),
    optional("resources", resources),
    rarely("matrix", matrix),
    rarely("approval", approval),
    rarely("pauseUntil", FastCheck.constant({ reason: "", until: "" })),
    rarely("priority", FastCheck.integer({ min: -1, max: 1 })),
    rarely("timeout", FastCheck.constantFrom(20, 2_000, 60_000)),
  ).map((parts) => Object.assign({}, ...parts) as Partial<PlanTask>),
})

/** Plans of `least` to `size` tasks; each may need up to three of the five tasks of its block before it. */
export const randomPlan = (size: number, least = 0): FastCheck.Arbitrary<Plan> =>
  FastCheck.array(draft, { minLength: least, maxLength: size }).map((drafts) => {
    const before: Record<string, Array<string>> = {}
    let open: ReadonlyArray<string> = []
    const tasks = drafts.map(({ block, depth, isPipeline, needs, settings }, index): PlanTask => {
      const around = open.slice(0, depth)
      const id = [...around, `t${index}`].join("/")
      if (isPipeline) open = [...around, `t${index}`]
      const earlier = (before[`${block} ${around.join("/")}`] ??= [])
      const named = needs.flatMap((back) => earlier.at(-back) ?? [])
      earlier.push(id)
      const { approval: asked, matrix: many, ...others } = settings
      return {
        id,
        type: "any",
        version: 1,
        effects: "pure",
        needs: [...new Set(named)].toSorted(),
        with: {},
        ...(block === "tasks" ? {} : { block }),
        ...others,
        ...(isPipeline
          ? {
              pipeline: {
                params: {},
                outputs: {},
                ...(others.timeout === undefined ? {} : { timeout: others.timeout }),
              },
            }
          : many === undefined
            ? {}
            : { matrix: many }),
        ...(asked !== undefined && (isPipeline || many === undefined) ? { approval: asked } : {}),
      }
    })
    // A sub-pipeline without a task of its own is none, and has no handlers.
    const parentOf = (id: string) => id.slice(0, Math.max(0, id.lastIndexOf("/")))
    const full = new Set(tasks.flatMap(({ id, block }) => (block === undefined ? [parentOf(id)] : [])))
    const isPlaced = (id: string): boolean => id === "" || (full.has(id) && isPlaced(parentOf(id)))
    return plan(
      tasks
        .filter(({ id }) => isPlaced(parentOf(id)))
        .map((task) => {
          const { pipeline, ...rest } = task
          return pipeline === undefined || full.has(task.id) ? task : rest
        }),
    )
  })
