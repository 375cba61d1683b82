import { type Block, type Plan, type PlanTask, type Resources, maxInstances } from "../domain/plan.ts"

/** Tasks that hold the same resources and have the same priority are one class: the core keeps one queue per class. */
export interface ResourceClass {
  readonly resources: Resources
  readonly priority: number
  /** Which of the plan's sizes it has. */
  readonly size: number
}

/** Tasks by the block that they stand in. */
export type Blocks = Readonly<Record<Block, ReadonlyArray<number>>>

/**
 * A plan with what the core needs to look up in constant time. Nodes are named by an index: a task by its place in the
 * plan; instance `n` of the matrix task that is the plan's `m`-th by `tasks.length + m × stride + n`.
 */
export interface CompiledPlan {
  readonly plan: Plan
  readonly tasks: ReadonlyArray<PlanTask>
  readonly indexOf: ReadonlyMap<string, number>
  /** Tasks that wait for task i. */
  readonly dependents: ReadonlyArray<ReadonlyArray<number>>
  /** How many tasks of its own block task i waits for. */
  readonly needs: Int32Array
  /** The pipeline's own tasks by block; those of its sub-pipelines stand in `inner`. */
  readonly blocks: Blocks
  /** The tasks of each sub-pipeline by block. */
  readonly inner: ReadonlyMap<number, Blocks>
  readonly classes: ReadonlyArray<ResourceClass>
  readonly classOf: Int32Array
  /** What the classes hold besides their locks: of a plan in which each task has a lock of its own, there is one size. */
  readonly sizes: ReadonlyArray<Resources>
  /** Whether the classes have more than one priority. */
  readonly prioritised: boolean
  /** The sub-pipeline's task that task i is a part of, or -1. */
  readonly parents: Int32Array
  /** Tasks with a matrix, and for each task which of them it is, or -1. */
  readonly matrices: ReadonlyArray<number>
  readonly matrixOf: Int32Array
  /** Pools that the plan brings along: one per matrix that limits its parallel instances. */
  readonly pools: Readonly<Record<string, number>>
}

const none: ReadonlyArray<number> = []
const stride = 16_384
const noTasks = (): Record<Block, Array<number>> => ({ tasks: [], onFailure: [], onCancel: [], finally: [] })

/** The id of the sub-pipeline's task that a task belongs to; undefined for a task of the pipeline itself. */
export const parentId = (id: string): string | undefined => {
  const end = id.lastIndexOf("/")
  return end === -1 ? undefined : id.slice(0, end)
}

/** What instances of a matrix hold besides their resources, where it limits how many run at once. */
const ownPool = (task: PlanTask) => (task.matrix?.maxParallel === undefined ? undefined : `matrix ${task.id}`)

/** Indexes a plan. `needs` on tasks of an earlier block are always met when the block starts, so they count nothing. */
export const compilePlan = (plan: Plan): CompiledPlan => {
  const { tasks } = plan
  const indexOf = new Map(tasks.map((task, index) => [task.id, index]))
  const dependents: Array<Array<number>> = []
  const needs = new Int32Array(tasks.length)
  const classOf = new Int32Array(tasks.length)
  const parents = new Int32Array(tasks.length).fill(-1)
  const matrixOf = new Int32Array(tasks.length).fill(-1)
  const matrices: Array<number> = []
  const pools: Record<string, number> = {}
  const blocks = noTasks()
  const inner = new Map<number, Record<Block, Array<number>>>()
  const classes: Array<ResourceClass> = []
  const classIndex = new Map<string, number>()
  const sizes: Array<Resources> = []
  const sizeIndex = new Map<string, number>()
  const sizeOf = (resources: Resources) => {
    const { locks: _, ...size } = resources
    const key = JSON.stringify(size)
    const found = sizeIndex.get(key) ?? sizes.push(size) - 1
    sizeIndex.set(key, found)
    return found
  }
  tasks.forEach((task, index) => {
    const block = task.block ?? "tasks"
    const parent = indexOf.get(parentId(task.id) ?? "") ?? -1
    parents[index] = parent
    let own = parent === -1 ? blocks : inner.get(parent)
    if (own === undefined) inner.set(parent, (own = noTasks()))
    own[block].push(index)
    if (task.matrix !== undefined) matrixOf[index] = matrices.push(index) - 1
    for (const need of task.needs) {
      const other = indexOf.get(need)
      if (other === undefined || (tasks[other].block ?? "tasks") !== block) continue
      ;(dependents[other] ??= []).push(index)
      needs[index]++
    }
    const pool = ownPool(task)
    if (pool !== undefined) pools[pool] = task.matrix?.maxParallel ?? 1
    const resources: Resources =
      pool === undefined
        ? (task.resources ?? {})
        : { ...task.resources, pools: { ...task.resources?.pools, [pool]: 1 } }
    const priority = task.priority ?? 0
    const key =
      pool === undefined && task.resources === undefined && priority === 0 ? "" : JSON.stringify([resources, priority])
    let found = classIndex.get(key)
    if (found === undefined) {
      found = classes.push({ resources, priority, size: sizeOf(resources) }) - 1
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
    inner,
    classes,
    classOf,
    sizes,
    prioritised: new Set(classes.map(({ priority }) => priority)).size > 1,
    parents,
    matrices,
    matrixOf,
    pools,
  }
}

/** The index of the task that a node is made of: its own, or that of the matrix task for an instance. */
export const templateOf = (plan: CompiledPlan, index: number): number =>
  index < plan.tasks.length ? index : plan.matrices[Math.floor((index - plan.tasks.length) / stride)]

/** Which instance of its matrix a node is; undefined for a task of the plan. */
export const numberOf = (plan: CompiledPlan, index: number): number | undefined =>
  index < plan.tasks.length ? undefined : (index - plan.tasks.length) % stride

/** The index of instance `n` of a matrix task. */
export const instanceAt = (plan: CompiledPlan, matrix: number, n: number): number =>
  plan.tasks.length + plan.matrixOf[matrix] * stride + n

/** The sub-pipeline's task that a node is a part of; -1 for what is the pipeline's own. */
export const parentOf = (plan: CompiledPlan, index: number): number => plan.parents[templateOf(plan, index)]

/** The matrix that an instance is one of, or the sub-pipeline that a task is a part of; -1 for what is in neither. */
export const groupOf = (plan: CompiledPlan, index: number): number =>
  index < plan.tasks.length ? plan.parents[index] : templateOf(plan, index)

/** The block that a node stands in, of the pipeline or of its sub-pipeline. */
export const blockOf = (plan: CompiledPlan, index: number): Block =>
  plan.tasks[templateOf(plan, index)].block ?? "tasks"

/** The block of the run's own pipeline that a node stands in, itself or with the sub-pipeline that it is a part of. */
export const outerBlockOf = (plan: CompiledPlan, index: number): Block => {
  let at = templateOf(plan, index)
  while (plan.parents[at] !== -1) at = plan.parents[at]
  return blockOf(plan, at)
}

/** Whether a node stands in a handler, of the run's own pipeline or of a sub-pipeline. */
export const isInHandler = (plan: CompiledPlan, index: number): boolean => {
  for (let at = templateOf(plan, index); at !== -1; at = plan.parents[at]) {
    if (blockOf(plan, at) !== "tasks") return true
  }
  return false
}

/** The tasks of a block: of a sub-pipeline, or of the pipeline itself (-1). */
export const membersOf = (plan: CompiledPlan, parent: number, block: Block): ReadonlyArray<number> =>
  (parent === -1 ? plan.blocks : plan.inner.get(parent))?.[block] ?? none

/** True for a task that consists of others: a matrix or a sub-pipeline. */
export const isGroup = (plan: CompiledPlan, index: number): boolean =>
  index < plan.tasks.length && (plan.tasks[index].matrix !== undefined || plan.tasks[index].pipeline !== undefined)

/** The task at an index; an instance is the matrix task with its own id. */
export const taskOfNode = (plan: CompiledPlan, index: number): PlanTask => {
  const n = numberOf(plan, index)
  if (n === undefined) return plan.tasks[index]
  const { matrix: _, pauseUntil: __, if: ___, ...task } = plan.tasks[templateOf(plan, index)]
  return { ...task, id: `${task.id}[${n}]` }
}

/** The index of a task or of an instance (`train[3]`); -1 when the plan has none of this id. */
export const indexOfId = (plan: CompiledPlan, id: string): number => {
  const known = plan.indexOf.get(id)
  if (known !== undefined) return known
  const [, matrix, number] = /^(.*)\[(0|[1-9]\d{0,4})\]$/.exec(id) ?? []
  const index = matrix === undefined ? undefined : plan.indexOf.get(matrix)
  if (index === undefined || plan.matrixOf[index] === -1 || Number(number) >= maxInstances) return -1
  return instanceAt(plan, index, Number(number))
}
