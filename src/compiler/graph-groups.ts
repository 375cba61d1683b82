import type { Block, Plan, PlanTask } from "../domain/plan.ts"

const parentOf = (id: string): string => id.slice(0, Math.max(0, id.lastIndexOf("/")))

/** The blocks that a block of a sub-pipeline comes after. */
const before: Readonly<Record<Block, ReadonlyArray<Block>>> = {
  tasks: [],
  onFailure: ["tasks"],
  onCancel: ["tasks"],
  finally: ["tasks", "onFailure", "onCancel"],
}

/**
 * The plan as it is drawn: a sub-pipeline leads to its first tasks, those to its handlers, and its last ones lead to
 * what needs it. A matrix has `×` after its id, a handler of a sub-pipeline its block.
 */
export const drawn = (plan: Plan): Plan => {
  if (!plan.tasks.some(({ matrix, pipeline }) => matrix !== undefined || pipeline !== undefined)) return plan
  const byId = new Map(plan.tasks.map((task) => [task.id, task]))
  const members = Map.groupBy(plan.tasks, ({ id }) => parentOf(id))
  const lastIn = (id: string, blocks: ReadonlyArray<Block>): ReadonlyArray<string> => {
    const own = (members.get(id) ?? []).filter(({ block }) => blocks.includes(block ?? "tasks"))
    const needed = new Set(own.flatMap(({ needs }) => needs))
    return own.filter((task) => !needed.has(task.id)).flatMap((task) => lastOf(task.id))
  }
  const lastOf = (id: string): ReadonlyArray<string> => {
    if (!members.has(id)) return [id]
    const last = lastIn(id, ["finally"])
    return last.length > 0 ? last : lastIn(id, before.finally)
  }
  const named = (id: string): string => {
    const { block, matrix } = byId.get(id) ?? {}
    const inside = block !== undefined && parentOf(id) !== "" ? ` (${block})` : ""
    return `${id}${matrix === undefined ? "" : " ×"}${inside}`
  }
  const tasks = plan.tasks.map((task): PlanTask => {
    const { block: own, ...rest } = task
    const parent = parentOf(task.id)
    const isFirst = parent !== "" && task.needs.length === 0
    const above = !isFirst ? [] : own === undefined ? [parent] : lastIn(parent, before[own])
    const block = byId.get(task.id.split("/")[0])?.block
    const needs = [...above, ...task.needs.flatMap(lastOf)].map(named)
    return { ...rest, id: named(task.id), needs, ...(block === undefined ? {} : { block }) }
  })
  return { ...plan, tasks }
}
