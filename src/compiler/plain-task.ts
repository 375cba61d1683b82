import type { EffectClass } from "../domain/effect-class.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import type { PlanTask } from "../domain/plan.ts"
import type { AnyTaskType } from "../domain/task-type.ts"
import type { TaskDefinition } from "./definition.ts"
import * as InputCheck from "./input-check.ts"
import { jsonOf } from "./located.ts"
import { isPlain } from "./plain-value.ts"

/** A task of the plan, to which its settings are added one by one: copying them costs a large pipeline much. */
export type Draft = { -readonly [Key in keyof PlanTask]: PlanTask[Key] }

/** What a task does to the world: some types leave it to the task. */
export const effectsOf = (type: AnyTaskType, given: Readonly<Record<string, unknown>>): EffectClass => {
  const stated = type.type === "command" || type.type === "http" ? given.effects : undefined
  return stated === "pure" || stated === "idempotent" || stated === "once" ? stated : type.effects
}

const none: ReadonlyArray<string> = []

/** Needs as a plan has them: each once, in order. */
export const inOrder = (needs: ReadonlyArray<string>): ReadonlyArray<string> =>
  needs.length === 0 ? none : needs.length === 1 ? needs : [...new Set(needs)].toSorted()

/** Adds what a task says of how its attempts are made. */
export const settle = (made: Draft, task: TaskDefinition): void => {
  if (task.retry !== undefined) made.retry = task.retry
  if (task.timeout !== undefined) made.timeout = task.timeout
  if (task.heartbeat !== undefined) made.heartbeat = task.heartbeat
  if (task.cache?.value === true) made.cache = true
  if (task.resources !== undefined) made.resources = task.resources
}

/** Adds what a task says of when and where it starts. */
export const place = (made: Draft, task: TaskDefinition): void => {
  if (task.approval !== undefined) made.approval = task.approval
  if (task.labels.length > 0) made.labels = task.labels
  if (task.priority !== undefined && task.priority !== 0) made.priority = task.priority
}

/** The needs of a task that are in order: tasks of its own block. */
const needsOf = (
  task: TaskDefinition,
  byId: ReadonlyMap<string, TaskDefinition>,
): ReadonlyArray<string> | undefined => {
  if (task.needs.length === 0) return none
  const needs: Array<string> = []
  for (const { text } of task.needs) {
    if (byId.get(text)?.block !== task.block) return undefined
    needs.push(text)
  }
  return inOrder(needs)
}

/**
 * The node of the plan of a task in which there is nothing to look into: no expression, nothing wrong. Most tasks of a
 * generated pipeline are such. Undefined for every other one.
 */
export const make = (
  task: TaskDefinition,
  type: AnyTaskType,
  input: JsonSchema,
  byId: ReadonlyMap<string, TaskDefinition>,
): PlanTask | undefined => {
  if (task.if !== undefined || task.matrix !== undefined || task.cache !== undefined) return undefined
  const given = task.with === undefined ? undefined : jsonOf(task.with)
  if (task.pauseUntil !== undefined || given === undefined || !isPlain(given, input)) return undefined
  const needs = needsOf(task, byId)
  if (needs === undefined || !InputCheck.isFaultless(type, given)) return undefined
  const inputs = given as Readonly<Record<string, unknown>>
  const effects = effectsOf(type, inputs)
  const made: Draft = { id: task.id, type: type.type, version: type.version, effects, needs, with: inputs }
  if (task.block !== "tasks") made.block = task.block
  if (task.continueOnError === true) made.continueOnError = true
  settle(made, task)
  place(made, task)
  return made
}
