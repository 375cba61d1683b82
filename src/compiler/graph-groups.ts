import type { Plan, PlanTask } from "../domain/plan.ts"

const parentOf = (id: string): string => id.slice(0, Math.max(0, id.lastIndexOf("/")))

/**
 * The plan as it is drawn: a sub-pipeline leads to its first tasks, and its last ones lead to what needs it; a matrix
 * has `×` after its id.
 */
export const drawn = (plan: Plan): Plan => {
  if (!plan.tasks.some(({ matrix, pipeline }) => matrix !== undefined || pipeline !== undefined)) return plan
  const byId = new Map(plan.tasks.map((task) => [task.id, task]))
  const inBlock = (task: PlanTask, parent: string) => byId.get(parent)?.block === task.block
  const members = Map.groupBy(
    plan.tasks.filter((task) => inBlock(task, parentOf(task.id))),
    ({ id }) => parentOf(id),
  )
  const lastOf = (id: string): ReadonlyArray<string> => {
    const own = members.get(id)
    if (own === undefined) return [id]
    const needed = new Set(own.flatMap(({ needs }) => needs))
    return own.filter((task) => !needed.has(task.id)).flatMap((task) => lastOf(task.id))
  }
  const named = (id: string): string => (byId.get(id)?.matrix === undefined ? id : `${id} ×`)
  const tasks = plan.tasks.map((task): PlanTask => {
    const parent = parentOf(task.id)
    const first = parent !== "" && task.needs.length === 0 && inBlock(task, parent) ? [parent] : []
    return { ...task, id: named(task.id), needs: [...first, ...task.needs.flatMap(lastOf)].map(named) }
  })
  return { ...plan, tasks }
}
