import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cel from "../domain/expression/cel.ts"
import * as Template from "../domain/expression/template.ts"
import type { EnvironmentName } from "../domain/names.ts"
import { type Plan, type PlanTask, digest } from "../domain/plan.ts"
import { of } from "../domain/sha256.ts"
import { Attempt } from "../services/attempt.ts"
import { Progress } from "../services/progress.ts"
import type { Event } from "../domain/event.ts"
import { evolve } from "./evolve.ts"
import * as Errors from "./errors.ts"
import * as Inputs from "./inputs.ts"
import * as Prepared from "./prepared.ts"
import { initial } from "./run-state.ts"
import type { TaskServices } from "./task-services.ts"

const dryRunId = "dry-run"

/** What a task would do, as far as that is known without running what stands before it. */
export type Forecast =
  /** The task type's own dry run says it. */
  | { readonly _tag: "Would"; readonly task: string; readonly text: string }
  /** It computes and changes nothing outside. */
  | { readonly _tag: "Pure"; readonly task: string }
  /** Its input is known only in a run. */
  | { readonly _tag: "Later"; readonly task: string; readonly reads: ReadonlyArray<string> }
  /** Its task type has no dry run. */
  | { readonly _tag: "Cannot"; readonly task: string; readonly effects: string }
  /** Its input is wrong, or its dry run refuses. */
  | { readonly _tag: "Fails"; readonly task: string; readonly reason: string }

/** What of a value the run must give first: outputs of tasks, values of a matrix. */
const readsOf = (value: unknown, scope: Cel.Scope): ReadonlyArray<string> => {
  if (Array.isArray(value)) return value.flatMap((item) => readsOf(item, scope))
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap((item) => readsOf(item, scope))
  if (typeof value !== "string" || !Template.hasExpression(value)) return []
  const parts = Template.parse(value)
  if ("unclosedAt" in parts) return []
  return parts.flatMap((part) => {
    if (part._tag === "Text") return []
    const compiled = Cel.compile(part.source, scope)
    if (Cel.isExpressionFault(compiled)) return []
    return compiled.references.filter(([root]) => root === "tasks" || root === "matrix").map((path) => path.join("."))
  })
}

/** Asks each task of a plan what it would do with the given params, in the order of the plan. Changes nothing. */
export const forecast = Effect.fn("DryRun.forecast")(function* (
  plan: Plan,
  run: Omit<Inputs.RunFacts, "id" | "env"> & { readonly env: EnvironmentName },
  created: Event & { readonly time: number },
  who: string,
) {
  const prepared = yield* Prepared.prepare(plan)
  const state = evolve(initial(prepared.plan), created)
  const inputs = Inputs.make(prepared, { ...run, id: dryRunId }, () => undefined)
  /** What stands for the attempt that there is none of: nothing is logged, and there is no folder to write into. */
  const attemptOf = (task: string): Attempt["Service"] => ({
    run: dryRunId,
    pipeline: plan.id,
    task,
    attempt: 1,
    plan: digest(plan),
    env: run.env,
    idempotencyKey: `${dryRunId}/${task}`,
    intent: of(""),
    runCreated: created.time,
    who,
    requester: who,
    approvedBy: [],
    get scratch(): string {
      throw new Error("a dry run has no scratch folder")
    },
    log: () => Effect.void,
    note: () => Effect.void,
  })
  const ask = Effect.fnUntraced(function* (task: PlanTask, index: number) {
    const { id: name, effects } = task
    const inner = name.includes("/") ? ["the params of its sub-pipeline"] : []
    const reads = [...new Set([...inner, ...readsOf(task.with, prepared.scopes.within(task))])]
    const type = prepared.types.get(task.type)
    if (reads.length > 0) return { _tag: "Later", task: name, reads } satisfies Forecast
    const fails = (reason: string): Forecast => ({ _tag: "Fails", task: name, reason })
    const input = inputs.input(state, index)
    if ("tag" in input) return fails(input.message)
    if (type === undefined) return { _tag: "Pure", task: name } satisfies Forecast
    const decoded = type.decodeInput(input.value)
    if (Exit.isFailure(decoded)) return fails(Errors.decodeFailure("InputInvalid", "its input", decoded).message)
    const { dryRun } = type.type
    if (dryRun === undefined) {
      return effects === "pure"
        ? ({ _tag: "Pure", task: name } satisfies Forecast)
        : ({ _tag: "Cannot", task: name, effects } satisfies Forecast)
    }
    const asked = dryRun(decoded.value) as Effect.Effect<string, unknown, TaskServices | Attempt | Progress>
    const said = yield* Effect.scoped(asked).pipe(
      Effect.provideService(Attempt, attemptOf(name)),
      Effect.provideService(Progress, { report: () => Effect.void }),
      Effect.exit,
    )
    if (Exit.isSuccess(said)) return { _tag: "Would", task: name, text: said.value } satisfies Forecast
    return Cause.hasInterruptsOnly(said.cause) ? yield* Effect.interrupt : fails(Errors.ofCause(said.cause).message)
  })
  return yield* Effect.forEach(prepared.plan.tasks, ask)
})
