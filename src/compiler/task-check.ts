import type { EffectClass } from "../domain/effect-class.ts"
import * as Cel from "../domain/expression/cel.ts"
import type * as Guards from "../domain/expression/guards.ts"
import * as Paths from "../domain/expression/paths.ts"
import * as Template from "../domain/expression/template.ts"
import { wholeSource } from "../domain/expression/plan-scopes.ts"
import { type JsonSchema, describe, isAny } from "../domain/json-schema.ts"
import * as MatrixType from "../domain/expression/matrix-type.ts"
import { validate } from "../domain/json-value.ts"
import type { Matrix, Plan, PlanTask } from "../domain/plan.ts"
import type { AnyTaskType } from "../domain/task-type.ts"
import { didYouMean } from "../domain/suggest.ts"
import { checkValue } from "./check-value.ts"
import { noSettings, type TaskDefinition, type TaskSettings } from "./task-definition.ts"
import type { FieldReader } from "./field-reader.ts"
import { type Located, entryOf } from "./located.ts"
import * as InputCheck from "./input-check.ts"
import * as PlainTask from "./plain-task.ts"
import * as ScriptArguments from "./script-arguments.ts"
import type { Span } from "./source.ts"

interface Context {
  readonly task: TaskDefinition
  /** The plan of the sub-pipeline that it uses. */
  readonly child?: Plan | undefined
  readonly type: AnyTaskType | undefined
  readonly input: JsonSchema
  readonly scope: Cel.Scope
  /** What the task's own `if` makes certain. */
  readonly known?: Guards.Known
  readonly byId: ReadonlyMap<string, TaskDefinition>
  /** True for a task of a block that has ended before this one's starts. */
  readonly earlier: (other: TaskDefinition) => boolean
}

/** A task's status is always known; its other fields only if it succeeded. */
const readsOutput = (path: ReadonlyArray<string>): boolean => path[0] === "tasks" && path[2] !== "status"

const mayBeAbsent = (context: Context, other: TaskDefinition): boolean =>
  context.task.settings.if !== undefined ||
  (other.settings.continueOnError === true && other.settings.matrix === undefined) ||
  context.earlier(other)

/** Type-checks one expression, notes which tasks it needs, and reports what is wrong at its place. */
const expression = (
  reader: FieldReader,
  context: Context,
  needs: Array<string>,
  source: string,
  at: Span,
  path: string,
) => {
  const compiled = Cel.compile(source, context.scope)
  if (Cel.isExpressionFault(compiled)) {
    const exact = reader.source.text.slice(at.start, at.end) === source
    const place = exact
      ? { start: at.start + compiled.start, end: at.start + Math.max(compiled.end, compiled.start + 1) }
      : at
    return reader.report(place, path, compiled.message)
  }
  for (const reference of [...compiled.references, ...compiled.guarded]) {
    if (reference[0] !== "tasks") continue
    if (reference.length === 1) {
      reader.report(at, path, "Name one task: tasks.<id>.")
      continue
    }
    const other = context.byId.get(reference[1])
    if (other === undefined) continue
    if (other.id === context.task.id) reader.report(at, path, `Task ${other.id} cannot read itself.`)
    else if (other.block === context.task.block) needs.push(other.id)
    else if (!context.earlier(other))
      reader.report(at, path, `Task ${other.id} is in ${other.block}, which starts later.`)
  }
  const isKnown = (path: string, i: number) => compiled.known[i].has(path) || context.known?.has(path) === true
  for (const [i, reference] of compiled.references.entries()) {
    const other = context.byId.get(reference[1])
    if (!readsOutput(reference) || other === undefined || !mayBeAbsent(context, other)) continue
    if (!isKnown(`tasks.${other.id}`, i)) {
      const single = other.settings.matrix === undefined
      const has = `has(${single ? reference.join(".") : `tasks.${other.id}`})`
      const ask = single ? `if: '\${{ tasks.${other.id}.status == "succeeded" }}', or ${has}` : has
      reader.report(at, path, `Task ${other.id} may have no output here. Ask first: ${ask}.`)
    }
  }
  for (const [i, reference] of compiled.references.entries()) {
    const absent = Paths.mayBeAbsent(context.scope, reference)?.join(".")
    if (absent === undefined || isKnown(absent, i)) continue
    reader.report(at, path, `${absent} may be absent. Ask first: has(${absent}) ? ${absent} : …`)
  }
  return compiled
}

const condition = (
  reader: FieldReader,
  context: Context,
  needs: Array<string>,
): { readonly source: string; readonly known?: Guards.Known } | undefined => {
  const { task } = context
  const asked = task.settings.if
  if (asked === undefined) return undefined
  const parts = Template.parse(asked.text)
  const whole = !("unclosedAt" in parts) && parts.length === 1 ? parts[0] : undefined
  if (whole === undefined) return reader.report(asked.at, `${task.path}.if`, "if must be one expression: '${{ … }}'.")
  const source = whole._tag === "Expression" ? whole.source : whole.text.trim()
  const at = placeOf(reader, asked.at, source)
  const compiled = expression(reader, context, needs, source, at, `${task.path}.if`)
  const type = compiled?.type
  if (type !== undefined && type.type !== "boolean" && !isAny(type)) {
    reader.report(at, `${task.path}.if`, `if must be true or false, this is ${type.type}.`)
  }
  return { source, ...(compiled === undefined ? {} : { known: compiled.whereTrue }) }
}

/** Type-checks the axes that the run gives. Undefined without a matrix. */
const matrixOf = (
  reader: FieldReader,
  context: Context,
  needs: Array<string>,
): { readonly matrix: Matrix; readonly type: JsonSchema } | undefined => {
  const { task } = context
  if (task.settings.matrix === undefined) return undefined
  const { broken, matrix, open } = task.settings.matrix
  const items = new Map<string, JsonSchema>()
  const values: Record<string, string> = {}
  for (const [axis, at] of open) {
    const path = `${task.path}.matrix.values.${axis}`
    const text = String(matrix.values[axis])
    const source = wholeSource(text)
    if (source === undefined) {
      reader.report(at, path, `${axis} must be one expression that gives a list: '\${{ … }}'.`)
      continue
    }
    const type = expression(reader, context, needs, source, placeOf(reader, at, source), path)?.type
    if (type === undefined) continue
    if (type.type !== "array" && !isAny(type)) {
      reader.report(placeOf(reader, at, source), path, `${axis} must be a list, this is ${describe(type)}.`)
    }
    items.set(axis, type.items ?? {})
    values[axis] = `\${{ ${source} }}`
  }
  const given = { ...matrix, values: { ...matrix.values, ...values } }
  return { matrix: given, type: broken ? {} : MatrixType.typeOf(given, (axis) => items.get(axis) ?? {}) }
}

/** Where a source stands within a scalar, as far as it is written there in one piece. */
const placeOf = (reader: FieldReader, at: Span, source: string): Span => {
  const found = reader.source.text.slice(at.start, at.end).indexOf(source)
  return found === -1 ? at : { start: at.start + found, end: at.start + found + source.length }
}

/** The moment of `pauseUntil`, its expression type-checked. */
const pauseOf = (reader: FieldReader, context: Context, needs: Array<string>): PlanTask["pauseUntil"] => {
  const { path: taskPath, settings } = context.task
  const { pauseUntil } = settings
  if (pauseUntil === undefined || !Template.hasExpression(pauseUntil.until)) return pauseUntil
  const at = entryOf(context.task.written, "pauseUntil")?.keyAt ?? context.task.at
  const path = `${taskPath}.pauseUntil.until`
  const source = wholeSource(pauseUntil.until)
  if (source === undefined) return reader.report(at, path, "until must be a moment, or one expression that gives it.")
  const type = expression(reader, context, needs, source, at, path)?.type
  if (type !== undefined && type.type !== "string" && !isAny(type)) {
    reader.report(at, path, `until must be text like 2026-01-05T22:00:00Z, this is ${describe(type)}.`)
  }
  return { ...pauseUntil, until: `\${{ ${source} }}` }
}

/** What a task that uses a pipeline cannot say: the pipeline's own tasks do. */
const notOfPipelines = [
  "matrix",
  "retry",
  "timeout",
  "heartbeat",
  "cache",
  "resources",
  "labels",
  "priority",
  "approval",
]

const refuseKeys = (reader: FieldReader, { child, task }: Context): void => {
  if (child !== undefined) {
    for (const key of notOfPipelines) {
      const at = entryOf(task.written, key)?.keyAt
      if (at === undefined) continue
      reader.report(
        at,
        `${task.path}.${key}`,
        `A task that uses a pipeline has no "${key}": say it on a task of ${child.id}.`,
      )
    }
  }
  const approval = entryOf(task.written, "approval")?.keyAt
  if (task.settings.matrix !== undefined && approval !== undefined) {
    reader.report(
      approval,
      `${task.path}.approval`,
      "A matrix has no approval: put it on a task that the matrix needs.",
    )
  }
}

/** What the schemas of a sub-pipeline's params say of literal values: patterns, bounds, lengths. */
const checkParams = (reader: FieldReader, { child, task }: Context, given: Record<string, unknown>): void => {
  for (const [name, value] of Object.entries(given)) {
    const schema = child?.params[name]
    if (schema === undefined || !InputCheck.isLiteral(value)) continue
    const at = InputCheck.locate(task.with, [name])?.at ?? task.at
    for (const fault of validate(value, schema as JsonSchema)) {
      reader.report(at, `${task.path}.with.${name}`, `${name}: ${fault}.`)
    }
  }
}

/** Checks one task and gives its node of the plan; undefined when its task type is unknown. */
export const check = (reader: FieldReader, outer: Context): PlanTask | undefined => {
  const { child, task, type } = outer
  const needs: Array<string> = []
  refuseKeys(reader, outer)
  for (const need of task.needs) {
    const other = outer.byId.get(need.text)
    if (other === undefined) {
      const hint = didYouMean(need.text, [...outer.byId.keys()])
      reader.report(need.at, `${task.path}.needs`, `There is no task "${need.text}".${hint}`)
    } else if (other.block === task.block) needs.push(other.id)
    else if (!outer.earlier(other)) {
      reader.report(need.at, `${task.path}.needs`, `Task ${other.id} is in ${other.block}, which starts later.`)
    }
  }
  const asked = condition(reader, outer, needs)
  const context: Context = asked?.known === undefined ? outer : { ...outer, known: asked.known }
  const many = matrixOf(reader, context, needs)
  const inner: Context = many === undefined ? context : { ...context, scope: { ...context.scope, matrix: many.type } }
  const node: Located = task.with ?? { kind: "map", entries: [], at: task.at }
  const before = reader.diagnostics.length
  const typeOf = (text: string, at: Span, path: string) => expression(reader, inner, needs, text, at, path)?.type
  const pauseUntil = pauseOf(reader, context, needs)
  const schema = type === undefined && child === undefined ? {} : context.input
  const given = checkValue(reader, node, schema, `${task.path}.with`, typeOf) as Record<string, unknown>
  const planned = (settings: TaskSettings, typeName: string, version: number, effects: EffectClass): PlanTask =>
    PlainTask.node(task, settings, {
      type: typeName,
      version,
      effects,
      needs: PlainTask.inOrder(needs),
      with: given,
      if: asked?.source,
      matrix: many?.matrix,
      pauseUntil,
    })
  if (child !== undefined) {
    if (reader.diagnostics.length === before) checkParams(reader, context, given)
    const { continueOnError } = task.settings
    return planned({ ...noSettings, continueOnError }, task.uses.text, 1, "pure")
  }
  if (type === undefined) return undefined
  InputCheck.checkLiterals(reader, context, given, before)
  if (many !== undefined && reader.diagnostics.length === before) {
    InputCheck.checkCombinations(reader, context, given, many.matrix)
  }
  ScriptArguments.check(reader, node, task)
  const effects = PlainTask.effectsOf(type, given)
  const { cache } = task.settings
  if (cache?.value === true && effects !== "pure") {
    reader.report(
      cache.at,
      `${task.path}.cache`,
      `Only pure tasks can be cached; ${type.type} is ${effects}. Leave "cache" out.`,
    )
  }
  return planned(task.settings, type.type, type.version, effects)
}
