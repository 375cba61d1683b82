import type * as Plan from "../domain/plan.ts"
import type { Definition } from "./definition.ts"
import type { FieldReader } from "./field-reader.ts"
import * as SubPipeline from "./sub-pipeline.ts"

/** What a pipeline that uses this one has to know: the id of the one that says `audit: required`, here or further in. */
interface Used {
  readonly requires: string | undefined
}

/** The audit of a plan, and which pipeline insists on `required`, this one or one that it uses. */
export interface Audit extends Used {
  readonly audit: Plan.Audit
}

const stated = ["command", "http"]

const why = (task: Plan.PlanTask): string => {
  const effect = `${task.id} is of effect class ${task.effects}: with audit: best-effort it could start without a durable record`
  const after = "and after a crash nobody would know whether it happened"
  const mend = stated.includes(task.type)
    ? `Say effects: idempotent if it may be done twice, or audit: required.`
    : `Only pure and idempotent tasks may be in such a pipeline. Say audit: required, or move it to another one.`
  return `${effect}, ${after}. ${mend}`
}

/**
 * The audit of a pipeline. `best-effort` is for tasks that may be done again without asking, its handlers' and
 * sub-pipelines' too: each other one is a mistake at the task that brings it in.
 */
export const check = (
  reader: FieldReader,
  definition: Definition,
  tasks: ReadonlyArray<Plan.PlanTask>,
  inner: ReadonlyMap<string, ReadonlyArray<Plan.PlanTask>>,
  children: ReadonlyMap<string, Used>,
): Audit => {
  const { audit } = definition
  const further = [...children.values()].find(({ requires }) => requires !== undefined)?.requires
  const requires = audit === "required" ? definition.id : further
  if (audit !== "best-effort") return { audit: "required", requires }
  for (const task of definition.tasks.values()) {
    const insists = children.get(task.uses.text)?.requires
    if (insists === undefined) continue
    const used = SubPipeline.idOf(task.uses.text)
    const whose = insists === used ? `${used} says` : `${used} uses ${insists}, which says`
    const reason = `${whose} audit: required, so a pipeline with audit: best-effort cannot use it.`
    reader.report(task.uses.at, `${task.path}.uses`, reason)
  }
  for (const task of [...tasks, ...[...inner.values()].flat()]) {
    if (task.effects === "pure" || task.effects === "idempotent") continue
    const place = definition.tasks.get(task.id.split("/")[0])
    if (place !== undefined) reader.report(place.uses.at, `${place.path}.uses`, why(task))
  }
  return { audit, requires: undefined }
}
