import type { JsonSchema } from "../json-schema.ts"
import type { Block, Plan, PlanTask } from "../plan.ts"
import * as Cel from "./cel.ts"
import * as MatrixType from "./matrix-type.ts"
import * as Scope from "./scope.ts"
import * as Template from "./template.ts"

/** The source of a text that is one expression; undefined for any other. */
export const wholeSource = (text: string): string | undefined => {
  const parts = Template.parse(text)
  if ("unclosedAt" in parts || parts.length !== 1) return undefined
  const [part] = parts
  return part._tag === "Expression" ? part.source : undefined
}

/** The id without the sub-pipelines that it stands in, and those: `""` or `retrain/`. */
export const prefixOf = (id: string): string => id.slice(0, id.lastIndexOf("/") + 1)

/**
 * The types that the expressions of a plan may name. Those of a sub-pipeline's task name the tasks and params of the
 * sub-pipeline; those of a matrix task name `matrix` too. Made when they are asked for.
 */
export class PlanScopes {
  private readonly plan: Plan
  private readonly outputs: (type: string) => JsonSchema
  private readonly byPrefix = new Map<string, Array<PlanTask>>()
  private readonly byId: ReadonlyMap<string, PlanTask>
  private readonly built = new Map<string, Readonly<Record<Block, Cel.Scope>>>()
  private readonly matrices = new Map<string, Cel.Scope>()

  /** `outputs` gives the output schema of a task type. */
  constructor(plan: Plan, outputs: (type: string) => JsonSchema) {
    this.plan = plan
    this.outputs = outputs
    this.byId = new Map(plan.tasks.map((task) => [task.id, task]))
    for (const task of plan.tasks) {
      const prefix = prefixOf(task.id)
      const known = this.byPrefix.get(prefix)
      if (known === undefined) this.byPrefix.set(prefix, [task])
      else known.push(task)
    }
  }

  /** The type of what `tasks.<id>` gives: a list for a matrix, the named outputs of a sub-pipeline. */
  outputOf(task: PlanTask): JsonSchema {
    if (task.pipeline !== undefined) return this.outputsOf(task.pipeline.outputs, `${task.id}/`)
    const own = this.outputs(task.type)
    if (task.matrix === undefined) return own
    return Scope.listOf(own, task.continueOnError === true)
  }

  /** The types of named outputs, each an expression over the tasks that stand below a prefix. */
  outputsOf(outputs: Readonly<Record<string, string>>, prefix: string): JsonSchema {
    const scope = this.of(prefix, "tasks")
    const typeOf = (text: string): JsonSchema => {
      const compiled = Cel.compile(wholeSource(text) ?? "", scope)
      return Cel.isExpressionFault(compiled) ? {} : compiled.type
    }
    return Scope.record(Object.fromEntries(Object.entries(outputs).map(([name, text]) => [name, typeOf(text)])))
  }

  private of(prefix: string, block: Block): Cel.Scope {
    const known = this.built.get(prefix)
    if (known !== undefined) return known[block]
    const owner = this.byId.get(prefix.slice(0, -1))
    const params = owner?.pipeline?.params ?? this.plan.params
    const built = Scope.build({
      params: params as Readonly<Record<string, JsonSchema>>,
      outputs: () =>
        new Map((this.byPrefix.get(prefix) ?? []).map((task) => [task.id.slice(prefix.length), this.outputOf(task)])),
      env: this.plan.env,
    })
    this.built.set(prefix, built)
    return built[block]
  }

  /** What the outputs of a sub-pipeline may name: its own tasks and params. */
  below(task: PlanTask): Cel.Scope {
    return this.of(`${task.id}/`, "tasks")
  }

  /** What the expressions around a task may name: its `if`, and the axes of its matrix. */
  around(task: PlanTask): Cel.Scope {
    return this.of(prefixOf(task.id), task.block ?? "tasks")
  }

  /** What the expressions of a task's input may name. `task` is the one of the plan, also for its instances. */
  within(task: PlanTask): Cel.Scope {
    if (task.matrix === undefined) return this.around(task)
    const known = this.matrices.get(task.id)
    if (known !== undefined) return known
    const around = this.around(task)
    const matrix = MatrixType.typeOf(task.matrix, (_, text) => {
      const compiled = Cel.compile(wholeSource(text) ?? "", around)
      return Cel.isExpressionFault(compiled) ? {} : (compiled.type.items ?? {})
    })
    const scope = { ...around, matrix }
    this.matrices.set(task.id, scope)
    return scope
  }
}
