import * as Cel from "../domain/expression/cel.ts"
import * as Paths from "../domain/expression/paths.ts"
import { wholeSource } from "../domain/expression/plan-scopes.ts"
import * as Scope from "../domain/expression/scope.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import type { PlanTask } from "../domain/plan.ts"
import type { Definition } from "./definition.ts"
import type { FieldReader } from "./field-reader.ts"

/** The task on the way from a task to its needs that may have no output although the run succeeds; undefined without. */
const maySkip = (tasks: ReadonlyMap<string, PlanTask>, id: string): string | undefined => {
  const seen = new Set<string>()
  const open = [id]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const task = tasks.get(at)
    if (task === undefined || seen.has(at)) continue
    seen.add(at)
    if (task.if !== undefined || (task.continueOnError === true && task.matrix === undefined)) return at
    if (task.approval?.onTimeout === "skip") return at
    open.push(...task.needs)
  }
  return undefined
}

/** Checks the `outputs` of a pipeline and gives them as the plan holds them, with their type. */
export const check = (
  reader: FieldReader,
  definition: Definition,
  planned: ReadonlyArray<PlanTask>,
  scope: Cel.Scope,
): { readonly outputs: Readonly<Record<string, string>>; readonly type: JsonSchema } => {
  const outputs: Record<string, string> = {}
  const types: Record<string, JsonSchema> = {}
  const tasks = new Map(definition.outputs.size === 0 ? [] : planned.map((task) => [task.id, task]))
  for (const [name, { at, text }] of definition.outputs) {
    const path = `outputs.${name}`
    const source = wholeSource(text) ?? ""
    const compiled = Cel.compile(source, scope)
    if (Cel.isExpressionFault(compiled)) {
      const found = reader.source.text.slice(at.start, at.end).indexOf(source)
      const start = found === -1 ? at.start : at.start + found + compiled.start
      reader.report(found === -1 ? at : { start, end: start + compiled.end - compiled.start }, path, compiled.message)
      continue
    }
    for (const [i, [root, id]] of compiled.references.entries()) {
      const other = root === "tasks" && id !== undefined ? tasks.get(id) : undefined
      if (other === undefined) continue
      if (other.block !== undefined) {
        reader.report(at, path, `Task ${id} is in ${other.block}; outputs are made of what stands in tasks.`)
        continue
      }
      const skipped = compiled.known[i].has(`tasks.${id}`) ? undefined : maySkip(tasks, id)
      if (skipped !== undefined) {
        reader.report(
          at,
          path,
          `Task ${id} may have no output, as ${skipped} may be skipped or fail. Ask first: has(…) ? … : ….`,
        )
      }
    }
    const absent = compiled.references
      .map((one) => Paths.mayBeAbsent(scope, one)?.join("."))
      .find((one, i) => one !== undefined && !compiled.known[i].has(one))
    if (absent !== undefined) reader.report(at, path, `${absent} may be absent. Ask first: has(${absent}) ? … : ….`)
    outputs[name] = `\${{ ${source} }}`
    types[name] = compiled.type
  }
  return { outputs, type: Scope.record(types) }
}
