import type { ErrorData } from "../domain/event.ts"
import * as Cel from "../domain/expression/cel.ts"
import * as Template from "../domain/expression/template.ts"
import type { PlanTask } from "../domain/plan.ts"
import type { Prepared } from "./prepared.ts"
import { type RunState, taskOf } from "./run-state.ts"

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
  readonly condition: (state: RunState, task: PlanTask) => boolean | ErrorData
  /** The value of `with`, expressions replaced, not yet decoded. */
  readonly input: (state: RunState, task: PlanTask) => { readonly value: Record<string, unknown> } | ErrorData
}

class ExpressionFailed extends Error {}

const mainStatus = (state: RunState): string => {
  if (state.cancelled !== false) return state.cancelled === "timeout" ? "timed_out" : "cancelled"
  if (state.failed) return "failed"
  if (state.lost) return "lost"
  return state.warned || state.handlerFailed ? "warned" : "succeeded"
}

export const make = (prepared: Prepared, run: RunFacts, outputOf: (state: RunState, id: string) => unknown): Inputs => {
  const compiled = new Map<string, Cel.Expression>()
  const expressionOf = (source: string, block: "tasks" | "onFailure" | "onCancel" | "finally"): Cel.Expression => {
    const key = `${block} ${source}`
    const known = compiled.get(key)
    if (known !== undefined) return known
    const fresh = Cel.compile(source, prepared.scopes[block])
    if (Cel.isExpressionFault(fresh)) throw new ExpressionFailed(`${source}: ${fresh.message}`)
    compiled.set(key, fresh)
    return fresh
  }
  const valuesFor = (state: RunState, expression: Cel.Expression) => {
    const tasks: Record<string, unknown> = {}
    for (const path of [...expression.references, ...expression.guarded]) {
      if (path[0] !== "tasks" || path[1] === undefined || path[1] in tasks) continue
      const output = outputOf(state, path[1])
      tasks[path[1]] = { ...(typeof output === "object" ? output : {}), status: taskOf(state, path[1]).status }
    }
    return {
      params: run.params,
      env: run.environment,
      run: { id: run.id, pipeline: run.pipeline, env: run.env, created: run.created, status: mainStatus(state) },
      tasks,
    }
  }
  const evaluate = (state: RunState, task: PlanTask, source: string): unknown => {
    const expression = expressionOf(source, task.block ?? "tasks")
    try {
      return expression.evaluate(valuesFor(state, expression))
    } catch (cause) {
      throw new ExpressionFailed(`${source}: ${(cause as Error).message.split("\n")[0]}`)
    }
  }
  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))
  const fill = (state: RunState, task: PlanTask, value: unknown): unknown => {
    if (typeof value === "string") {
      if (!Template.hasExpression(value)) return value
      const parts = Template.parse(value)
      if ("unclosedAt" in parts) return value
      const [first] = parts
      if (parts.length === 1 && first._tag === "Expression") return evaluate(state, task, first.source)
      return parts.map((part) => (part._tag === "Text" ? part.text : text(evaluate(state, task, part.source)))).join("")
    }
    if (Array.isArray(value)) return value.map((item) => fill(state, task, item))
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, item]) => {
        const filled = fill(state, task, item)
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
    condition: (state, task) => guard(() => (task.if === undefined ? true : evaluate(state, task, task.if) === true)),
    input: (state, task) => guard(() => ({ value: fill(state, task, task.with) as Record<string, unknown> })),
  }
}
