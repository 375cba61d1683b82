import type { EffectClass } from "../domain/effect-class.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import type { Matrix, PauseUntil, PlanTask } from "../domain/plan.ts"
import type { AnyTaskType } from "../domain/task-type.ts"
import type { TaskDefinition, TaskSettings } from "./task-definition.ts"
import * as InputCheck from "./input-check.ts"
import { jsonOf } from "./located.ts"
import { isPlain } from "./plain-value.ts"
import { QuietTask } from "./quiet-task.ts"

/** Methods that ask and change nothing (RFC 9110, section 9.2.1). */
const asking = ["GET", "HEAD"]

/** What a task does to the world: some types leave it to the task. */
export const effectsOf = (type: AnyTaskType, given: Readonly<Record<string, unknown>>): EffectClass => {
  const stated = type.type === "command" || type.type === "http" ? given.effects : undefined
  if (stated === "pure" || stated === "idempotent" || stated === "once") return stated
  return type.type === "http" && asking.includes(String(given.method)) ? "idempotent" : type.effects
}

const none: ReadonlyArray<string> = []

/** Needs as a plan has them: each once, in order. */
export const inOrder = (needs: ReadonlyArray<string>): ReadonlyArray<string> =>
  needs.length === 0 ? none : needs.length === 1 ? needs : [...new Set(needs)].toSorted()

/** What is worked out of a task, beside its settings. */
interface Worked {
  readonly type: string
  readonly version: number
  readonly effects: EffectClass
  readonly needs: ReadonlyArray<string>
  readonly with: Readonly<Record<string, unknown>>
  readonly if?: string | undefined
  readonly matrix?: Matrix | undefined
  readonly pauseUntil?: PauseUntil | undefined
}

/** A task's node of the plan: its keys in the order of the canonical text, so that writing that of a large plan copies nothing. */
export const node = ({ block, id }: TaskDefinition, settings: TaskSettings, worked: Worked): PlanTask => {
  const made = {} as { -readonly [Key in keyof PlanTask]: PlanTask[Key] }
  if (settings.approval !== undefined) made.approval = settings.approval
  if (block !== "tasks") made.block = block
  if (settings.cache?.value === true) made.cache = true
  if (settings.continueOnError === true) made.continueOnError = true
  made.effects = worked.effects
  if (settings.heartbeat !== undefined) made.heartbeat = settings.heartbeat
  made.id = id
  if (worked.if !== undefined) made.if = worked.if
  if (settings.labels.length > 0) made.labels = settings.labels
  if (worked.matrix !== undefined) made.matrix = worked.matrix
  made.needs = worked.needs
  if (worked.pauseUntil !== undefined) made.pauseUntil = worked.pauseUntil
  if (settings.priority !== undefined && settings.priority !== 0) made.priority = settings.priority
  if (settings.resources !== undefined) made.resources = settings.resources
  if (settings.retry !== undefined) made.retry = settings.retry
  if (settings.timeout !== undefined) made.timeout = settings.timeout
  made.type = worked.type
  made.version = worked.version
  made.with = worked.with
  return made
}

/** The needs of a task that are in order: tasks of its own block. */
const needsOf = (
  task: TaskDefinition,
  byId: ReadonlyMap<string, TaskDefinition>,
): ReadonlyArray<string> | undefined => {
  const needs = task instanceof QuietTask ? task.needed : task.needs.map(({ text }) => text)
  for (const need of needs) if (byId.get(need)?.block !== task.block) return undefined
  return inOrder(needs)
}

const givenOf = (task: TaskDefinition): unknown => {
  if (task instanceof QuietTask) return task.given
  return task.with === undefined ? undefined : jsonOf(task.with)
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
  const { settings } = task
  if (settings.if !== undefined || settings.matrix !== undefined || settings.cache !== undefined) return undefined
  const given = givenOf(task)
  if (settings.pauseUntil !== undefined || given === undefined || !isPlain(given, input)) return undefined
  const needs = needsOf(task, byId)
  if (needs === undefined || !InputCheck.isFaultless(type, given)) return undefined
  const inputs = given as Readonly<Record<string, unknown>>
  return node(task, settings, {
    type: type.type,
    version: type.version,
    effects: effectsOf(type, inputs),
    needs,
    with: inputs,
  })
}
