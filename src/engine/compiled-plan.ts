import type { Block, Plan, PlanTask, Resources } from "../domain/plan.ts"

/** A plan with what the core needs to look up in constant time. Tasks are named by their index in the plan. */
export interface CompiledPlan {
  readonly plan: Plan
  readonly tasks: ReadonlyArray<PlanTask>
  readonly indexOf: ReadonlyMap<string, number>
  /** Tasks that wait for task i. */
  readonly dependents: ReadonlyArray<ReadonlyArray<number>>
  /** How many tasks of its own block task i waits for. */
  readonly needs: Int32Array
  readonly blocks: Readonly<Record<Block, ReadonlyArray<number>>>
  /** Tasks that hold the same resources are one class: the core keeps one queue per class. */
  readonly classes: ReadonlyArray<Resources>
  readonly classOf: Int32Array
}

const none: ReadonlyArray<number> = []

/** Indexes a plan. `needs` on tasks of an earlier block are always met when the block starts, so they count nothing. */
export const compilePlan = (plan: Plan): CompiledPlan => {
  const { tasks } = plan
  const indexOf = new Map(tasks.map((task, index) => [task.id, index]))
  const dependents: Array<Array<number>> = []
  const needs = new Int32Array(tasks.length)
  const classOf = new Int32Array(tasks.length)
  const blocks: Record<Block, Array<number>> = { tasks: [], onFailure: [], onCancel: [], finally: [] }
  const classes: Array<Resources> = []
  const classIndex = new Map<string, number>()
  tasks.forEach((task, index) => {
    const block = task.block ?? "tasks"
    blocks[block].push(index)
    for (const need of task.needs) {
      const other = indexOf.get(need)
      if (other === undefined || (tasks[other].block ?? "tasks") !== block) continue
      ;(dependents[other] ??= []).push(index)
      needs[index]++
    }
    const key = task.resources === undefined ? "" : JSON.stringify(task.resources)
    let found = classIndex.get(key)
    if (found === undefined) {
      found = classes.push(task.resources ?? {}) - 1
      classIndex.set(key, found)
    }
    classOf[index] = found
  })
  return {
    plan,
    tasks,
    indexOf,
    dependents: tasks.map((_, index) => dependents[index] ?? none),
    needs,
    blocks,
    classes,
    classOf,
  }
}
