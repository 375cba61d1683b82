import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { PlanScopes } from "../domain/expression/plan-scopes.ts"
import * as JsonSchemas from "../domain/json-schema.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import type { Plan } from "../domain/plan.ts"
import type { Sha256 } from "../domain/sha256.ts"
import type { AnyTaskType } from "../domain/task-type.ts"
import { Catalog } from "../domain/catalog.ts"
import { type CompiledPlan, compilePlan } from "./compiled-plan.ts"

/** The plan names a task type that this program does not have, or another version of it. */
export class TaskTypeMismatch extends Schema.TaggedError<TaskTypeMismatch>()("TaskTypeMismatch", {
  task: Schema.String,
  type: Schema.String,
  planned: Schema.Int,
  available: Schema.optionalKey(Schema.Int),
}) {
  override get message() {
    const there = this.available === undefined ? "is not there" : `has version ${this.available}`
    return `Task ${this.task} was planned with ${this.type} version ${this.planned}; this program's ${this.type} ${there}. Compile the pipeline again, or go on with the program that started the run`
  }
}

/** A task type with the JSON Schemas of its sides, made once. */
export interface PreparedType {
  readonly type: AnyTaskType
  /** Digest of its sources where they are not part of the program. */
  readonly sources: Sha256 | undefined
  readonly input: JsonSchema
  readonly output: JsonSchema
  readonly decodeInput: (value: unknown) => import("effect/Exit").Exit<unknown, Schema.SchemaError>
  readonly encodeOutput: (value: unknown) => import("effect/Exit").Exit<unknown, Schema.SchemaError>
  readonly decodeOutput: (value: unknown) => import("effect/Exit").Exit<unknown, Schema.SchemaError>
}

/** A plan with its task types loaded and the types of its expressions known: all that an execution looks up. */
export interface Prepared {
  readonly plan: CompiledPlan
  readonly types: ReadonlyMap<string, PreparedType>
  readonly scopes: PlanScopes
}

const sidesOf = (type: AnyTaskType): Omit<PreparedType, "sources"> => ({
  type,
  input: JsonSchemas.ofSchema(type.input),
  output: JsonSchemas.ofSchema(type.output),
  decodeInput: Schema.decodeUnknownExit(type.input, { errors: "all", onExcessProperty: "error" }),
  encodeOutput: Schema.encodeUnknownExit(type.output),
  decodeOutput: Schema.decodeUnknownExit(type.output),
})

const sides = new WeakMap<AnyTaskType, Omit<PreparedType, "sources">>()

/** A task type made ready, with the digest of its sources where they are not part of the program. */
export const prepareType = (type: AnyTaskType, sources: Sha256 | undefined): PreparedType => {
  const known = sides.get(type) ?? sidesOf(type)
  sides.set(type, known)
  return { ...known, sources }
}

/** Loads the task types that a plan names. */
export const prepare = Effect.fnUntraced(function* (plan: Plan) {
  const catalog = yield* Catalog
  const types = new Map<string, PreparedType>()
  for (const task of plan.tasks) {
    if (task.pipeline !== undefined) continue
    const known = types.get(task.type)?.type ?? (yield* catalog.load(task.type))
    if (known === undefined || known.version !== task.version) {
      return yield* new TaskTypeMismatch({
        task: task.id,
        type: task.type,
        planned: task.version,
        ...(known === undefined ? {} : { available: known.version }),
      })
    }
    if (!types.has(task.type)) types.set(task.type, prepareType(known, catalog.sources?.(task.type)))
  }
  const prepared: Prepared = {
    plan: compilePlan(plan),
    types,
    scopes: new PlanScopes(plan, (type) => types.get(type)?.output ?? {}),
  }
  return prepared
})
