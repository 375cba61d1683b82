import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { JsonSchema } from "../domain/json-schema.ts"
import type { Plan, PlanTask } from "../domain/plan.ts"
import type { Catalog, TaskTypeBroken } from "../domain/catalog.ts"
import type { Diagnostic } from "./diagnostic.ts"

/**
 * A pipeline that another one uses: its plan, the type of its outputs, and which pipeline says `audit: required` (it or
 * one that it uses); or why it cannot be used.
 */
export type SubPipeline =
  | {
      readonly _tag: "Compiled"
      readonly plan: Plan
      readonly outputs: JsonSchema
      readonly requires: string | undefined
    }
  | {
      readonly _tag: "Unusable"
      readonly reason: string
      readonly diagnostics: ReadonlyArray<Diagnostic>
      /** That it may be otherwise another time, though nothing changes. */
      readonly mayPass?: boolean
    }

/** The pipelines that a pipeline may use by `uses: pipeline/<id>`: those that lie beside it. */
export const SubPipelines = Context.Reference<{
  readonly load: (id: string) => Effect.Effect<SubPipeline, TaskTypeBroken, Catalog>
}>("dandori/compiler/SubPipelines", {
  defaultValue: () => ({
    load: (id) =>
      Effect.succeed({ _tag: "Unusable", reason: `There is no pipeline "${id}" beside this one.`, diagnostics: [] }),
  }),
})

/** The pipeline that `uses` names; undefined for a task type. */
export const idOf = (uses: string): string | undefined =>
  uses.startsWith("pipeline/") ? uses.slice("pipeline/".length) : undefined

/** What a task that uses the pipeline takes as `with`: its params, those without a default required. */
export const inputOf = (plan: Plan): JsonSchema => {
  const params = plan.params as Readonly<Record<string, JsonSchema>>
  return {
    type: "object",
    properties: params,
    required: Object.keys(params).filter((name) => params[name].default === undefined),
    additionalProperties: false,
  }
}

/** The tasks of a sub-pipeline as tasks of its parent: `<task>/<id>`. Their blocks are those of the sub-pipeline. */
export const placed = (task: PlanTask, { tasks }: Plan): ReadonlyArray<PlanTask> =>
  tasks.map((inner) => ({
    ...inner,
    id: `${task.id}/${inner.id}`,
    needs: inner.needs.map((need) => `${task.id}/${need}`),
  }))
