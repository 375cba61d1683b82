import type { ErrorData } from "../domain/event.ts"
import * as Cel from "../domain/expression/cel.ts"
import * as Paths from "../domain/expression/paths.ts"
import { prefixOf, wholeSource } from "../domain/expression/plan-scopes.ts"
import * as Template from "../domain/expression/template.ts"
import * as Matrices from "../domain/matrix.ts"
import type { PlanTask } from "../domain/plan.ts"
import * as CompiledPlan from "./compiled-plan.ts"
import type { Prepared } from "./prepared.ts"
import {
  type Course,
  type RunState,
  type TaskState,
  courseOf,
  finalStatusOf,
  isGood,
  isTerminal,
  matrixAt,
  pipelineAt,
  taskAt,
} from "./run-state.ts"

/** The run's own facts, as expressions see them. */
export interface RunFacts {
  readonly id: string
  readonly pipeline: string
  readonly env: string
  readonly created: string
  readonly params: Readonly<Record<string, unknown>>
  readonly environment: Readonly<Record<string, string>>
}

/** Evaluates the expressions of a plan's tasks against a run's state. Compiles each distinct expression once. */
export interface Inputs {
  /** The value of `if`; true without one. */
  readonly condition: (state: RunState, index: number) => boolean | ErrorData
  /** The value of `with`, expressions replaced, not yet decoded. */
  readonly input: (state: RunState, index: number) => { readonly value: Record<string, unknown> } | ErrorData
  /** The values of the axes that the run gives. */
  readonly axes: (state: RunState, index: number) => { readonly value: Matrices.AxisValues } | ErrorData
  /** The value of `pauseUntil.until`. */
  readonly until: (state: RunState, index: number) => { readonly value: unknown } | ErrorData
}

/** Whether all of a sub-pipeline went well: with `continueOnError` it is `warned` without that, and has no outputs. */
const isWhole = ({ cancelled, failed, lost }: Course): boolean => cancelled === false && !failed && !lost

class ExpressionFailed extends Error {}

/** `loaded` gives a value that was too large for its event, by the artifact's digest. */
export const make = (prepared: Prepared, run: RunFacts, loaded: (sha256: string) => unknown): Inputs => {
  const { plan, scopes } = prepared
  const compiled = new Map<string, Cel.Expression>()
  const combinations = new Map<number, ReadonlyArray<Matrices.Combination>>()
  const gathered = new Map<number, unknown>()

  const expressionOf = (source: string, key: string, scope: () => Cel.Scope): Cel.Expression => {
    const known = compiled.get(`${key} ${source}`)
    if (known !== undefined) return known
    const fresh = Cel.compile(source, scope())
    if (Cel.isExpressionFault(fresh)) throw new ExpressionFailed(`${source}: ${fresh.message}`)
    compiled.set(`${key} ${source}`, fresh)
    return fresh
  }

  const combinationOf = (state: RunState, index: number): Matrices.Combination | undefined => {
    const n = CompiledPlan.numberOf(plan, index)
    if (n === undefined) return undefined
    const at = CompiledPlan.templateOf(plan, index)
    const { matrix } = plan.tasks[at]
    const open = matrixAt(state, at)
    if (matrix === undefined || open === undefined) return undefined
    const kept = open.valuesArtifact
    const given = kept === undefined ? (open.values ?? {}) : (loaded(kept.sha256) as Matrices.AxisValues)
    const all = combinations.get(at) ?? Matrices.combinations(matrix, Matrices.filledValues(matrix, given))
    combinations.set(at, all)
    return all[n]
  }

  const stored = ({ output, outputArtifact }: TaskState): unknown =>
    outputArtifact === undefined ? output : loaded(outputArtifact.sha256)

  /** What `tasks.<id>` gives. What a group gives is worked out from its own, once it has ended. */
  const outputOf = (state: RunState, index: number): unknown => {
    if (index < 0) return undefined
    if (!CompiledPlan.isGroup(plan, index)) return stored(taskAt(state, index))
    if (gathered.has(index)) return gathered.get(index)
    const { id, pipeline } = plan.tasks[index]
    const { status } = taskAt(state, index)
    const entered = pipelineAt(state, index)
    const matrix = matrixAt(state, index)
    if (entered === undefined && matrix === undefined) return undefined
    const value =
      matrix !== undefined
        ? Array.from(
            { length: matrix.count },
            (_, n) => stored(taskAt(state, CompiledPlan.instanceAt(plan, index, n))) ?? null,
          )
        : isGood(status) && entered !== undefined && isWhole(entered)
          ? Object.fromEntries(
              Object.entries(pipeline?.outputs ?? {}).map(([name, text]) => [
                name,
                evaluate(state, `${id}/`, `${id}/`, wholeSource(text) ?? "", () => scopes.below(plan.tasks[index])),
              ]),
            )
          : undefined
    if (isTerminal(status)) gathered.set(index, value)
    return value
  }

  const isList = (index: number): boolean => index >= 0 && scopes.outputOf(plan.tasks[index]).type === "array"

  const parentOf = (prefix: string): number => (prefix === "" ? -1 : CompiledPlan.indexOfId(plan, prefix.slice(0, -1)))
  const paramsOf = (state: RunState, prefix: string): Readonly<Record<string, unknown>> =>
    prefix === "" ? run.params : (pipelineAt(state, parentOf(prefix))?.params ?? {})

  const evaluate = (
    state: RunState,
    prefix: string,
    key: string,
    source: string,
    scope: () => Cel.Scope,
    matrix?: Matrices.Combination,
  ): unknown => {
    const expression = expressionOf(source, key, scope)
    const tasks: Record<string, unknown> = {}
    const statuses: Record<string, unknown> = {}
    const outputs: Record<string, unknown> = {}
    for (const [root, id, ...fields] of [...expression.references, ...expression.guarded]) {
      if (root !== "tasks" || id === undefined) continue
      const index = CompiledPlan.indexOfId(plan, `${prefix}${id}`)
      statuses[id] = taskAt(state, index).status
      if (fields.join(".") === "status" || Object.hasOwn(tasks, id)) continue
      const output = outputOf(state, index)
      if (output !== undefined) outputs[id] = true
      // A record without its fields: `has(tasks.x.field)` asks it.
      if (output !== undefined || !isList(index)) tasks[id] = output ?? {}
    }
    const { id, pipeline, env, created } = run
    try {
      return expression.evaluate({
        params: paramsOf(state, prefix),
        env: run.environment,
        run: { id, pipeline, env, created, status: finalStatusOf(courseOf(state, parentOf(prefix)) ?? state) },
        tasks,
        [Paths.statusRoot]: statuses,
        [Paths.outputRoot]: outputs,
        ...(matrix === undefined ? {} : { matrix }),
      })
    } catch (cause) {
      throw new ExpressionFailed(`${source}: ${(cause as Error).message.split("\n")[0]}`)
    }
  }

  /** Evaluates for a node; `around` leaves its matrix out. */
  const forNode = (state: RunState, index: number, around = false) => {
    const task: PlanTask = plan.tasks[CompiledPlan.templateOf(plan, index)]
    const prefix = prefixOf(task.id)
    const inMatrix = !around && task.matrix !== undefined
    const key = inMatrix ? task.id : `${prefix} ${task.block ?? "tasks"}`
    const matrix = inMatrix ? combinationOf(state, index) : undefined
    const scope = () => (inMatrix ? scopes.within(task) : scopes.around(task))
    return { task, evaluate: (source: string) => evaluate(state, prefix, key, source, scope, matrix) }
  }

  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))
  const fill = (value: unknown, valueOf: (source: string) => unknown): unknown => {
    if (typeof value === "string") {
      if (!Template.hasExpression(value)) return value
      const parts = Template.parse(value)
      if ("unclosedAt" in parts) return value
      const [first] = parts
      if (parts.length === 1 && first._tag === "Expression") return valueOf(first.source)
      return parts.map((part) => (part._tag === "Text" ? part.text : text(valueOf(part.source)))).join("")
    }
    if (Array.isArray(value)) return value.map((item) => fill(item, valueOf))
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, item]) => {
        const filled = fill(item, valueOf)
        return filled === undefined ? [] : [[key, filled]]
      }),
    )
  }
  const guard = <A>(body: () => A): A | ErrorData => {
    try {
      return body()
    } catch (cause) {
      if (!(cause instanceof ExpressionFailed)) throw cause
      return { tag: "ExpressionFailed", message: cause.message.toWellFormed(), settled: true }
    }
  }
  return {
    condition: (state, index) =>
      guard(() => {
        const node = forNode(state, index, true)
        return index >= plan.tasks.length || node.task.if === undefined || node.evaluate(node.task.if) === true
      }),
    input: (state, index) =>
      guard(() => {
        const node = forNode(state, index)
        return { value: fill(node.task.with, node.evaluate) as Record<string, unknown> }
      }),
    axes: (state, index) =>
      guard(() => {
        const node = forNode(state, index, true)
        const open = Matrices.openValues(node.task.matrix ?? { values: {} })
        const value = Object.entries(open).map(([axis, source]) => {
          const list = fill(source, node.evaluate)
          if (!Array.isArray(list)) throw new ExpressionFailed(`matrix.values.${axis}: ${source} gave no list`)
          return [axis, list] as const
        })
        return { value: Object.fromEntries(value) }
      }),
    until: (state, index) =>
      guard(() => {
        const node = forNode(state, index, true)
        return { value: fill(node.task.pauseUntil?.until, node.evaluate) }
      }),
  }
}
