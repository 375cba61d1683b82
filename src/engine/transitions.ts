import * as HashMap from "effect/HashMap"
import type { Block } from "../domain/plan.ts"
import * as CompiledPlan from "./compiled-plan.ts"
import * as DueHeap from "./due-heap.ts"
import * as Fifo from "./fifo.ts"
import * as Holding from "./holding.ts"
import * as IntMap from "./int-map.ts"
import {
  type Course,
  type PipelineState,
  type RunState,
  type TaskState,
  beginning,
  courseOf,
  finalStatusOf,
  isGood,
  isTerminal,
  isWaiter,
  matrixAt,
  pipelineAt,
  taskAt,
} from "./run-state.ts"

const lookup = (map: HashMap.HashMap<number, number>, key: number): number | undefined => {
  const found = HashMap.get(map, key)
  return found._tag === "Some" ? found.value : undefined
}

/** A map without a key. */
export const without = <A>(map: HashMap.HashMap<number, A>, key: number): HashMap.HashMap<number, A> =>
  HashMap.isEmpty(map) ? map : HashMap.remove(map, key)

/** A state with one task changed. */
export const put = (state: RunState, index: number, task: TaskState): RunState => ({
  ...state,
  tasks: IntMap.set(state.tasks, index, task),
})

const classOf = ({ plan }: RunState, index: number): number => plan.classOf[CompiledPlan.templateOf(plan, index)]

/** What an attempt of a node holds. */
export const resourcesOf = (state: RunState, index: number) => state.plan.classes[classOf(state, index)].resources

/** A change to the course of the run's own pipeline (-1) or of a sub-pipeline that was entered. */
export const onCourse = (state: RunState, parent: number, change: Partial<Course>): Partial<RunState> => {
  if (parent === -1) return change
  const entered = pipelineAt(state, parent)
  return entered === undefined ? {} : { pipelines: HashMap.set(state.pipelines, parent, { ...entered, ...change }) }
}

/** Whether a task is asked something before it can start: until when, by whom, or what it consists of. */
const isAsked = ({ plan }: RunState, index: number): boolean =>
  index < plan.tasks.length &&
  (CompiledPlan.isGroup(plan, index) ||
    plan.tasks[index].pauseUntil !== undefined ||
    plan.tasks[index].approval !== undefined)

/** Puts a ready task where the shell will find it. */
export const enqueue = (state: RunState, index: number, asked = isAsked(state, index)): RunState => {
  if (asked) return { ...state, asks: Fifo.push(state.asks, index) }
  const resourceClass = classOf(state, index)
  const queue = HashMap.get(state.ready, resourceClass)
  const grown = Fifo.push(queue._tag === "Some" ? queue.value : Fifo.empty, index)
  return { ...state, ready: HashMap.set(state.ready, resourceClass, grown) }
}

const makeReady = (state: RunState, index: number): RunState => {
  const next = put(state, index, { ...taskAt(state, index), status: "ready" })
  const blocked = HashMap.has(state.blocked, index) && state.plan.tasks[index].if === undefined
  return blocked ? { ...next, skips: Fifo.push(state.skips, index) } : enqueue(next, index)
}

/** Whether a task will be tried again and has no due time yet. */
const isUnscheduled = (state: RunState, index: number): boolean => {
  const { due, status } = taskAt(state, index)
  return status === "retrying" && due === undefined
}

/** Drops what is no longer ready from the front of the queues that the task stood in. */
export const leaveReady = (state: RunState, index: number): RunState => {
  const isReady = (task: number) => taskAt(state, task).status === "ready"
  let { skips, asks, due, expiries, ready, unscheduled } = state
  while (skips.front !== null && !isReady(skips.front.value)) skips = Fifo.pop(skips)
  while (asks.front !== null && !isReady(asks.front.value)) asks = Fifo.pop(asks)
  while (unscheduled.front !== null && !isUnscheduled(state, unscheduled.front.value))
    unscheduled = Fifo.pop(unscheduled)
  while (due !== null && !isWaiter(state, due)) due = DueHeap.pop(due)
  while (expiries !== null && !isWaiter(state, expiries)) expiries = DueHeap.pop(expiries)
  const resourceClass = classOf(state, index)
  const found = HashMap.get(state.ready, resourceClass)
  if (found._tag === "Some") {
    let queue = found.value
    while (queue.front !== null && !isReady(queue.front.value)) queue = Fifo.pop(queue)
    if (queue !== found.value) {
      ready = Fifo.isEmpty(queue) ? HashMap.remove(ready, resourceClass) : HashMap.set(ready, resourceClass, queue)
    }
  }
  return { ...state, skips, asks, due, expiries, ready, unscheduled }
}

const followers: Record<Block, Block | "ended"> = {
  tasks: "finally",
  onFailure: "finally",
  onCancel: "finally",
  finally: "ended",
}

/**
 * Begins a block of the run's own pipeline (-1) or of a sub-pipeline. Nothing of it has ended, so none of its tasks is
 * blocked: those without needs are ready, all at once.
 */
export const enter = (state: RunState, parent: number, phase: Block): RunState => {
  const { needs } = state.plan
  const members = CompiledPlan.membersOf(state.plan, parent, phase)
  const free = members.filter((index) => needs[index] === 0)
  const queues = new Map<number, Fifo.Fifo<number>>()
  let { asks } = state
  for (const index of free) {
    if (isAsked(state, index)) asks = Fifo.push(asks, index)
    else {
      const resourceClass = classOf(state, index)
      const found = HashMap.get(state.ready, resourceClass)
      const queue = queues.get(resourceClass) ?? (found._tag === "Some" ? found.value : Fifo.empty)
      queues.set(resourceClass, Fifo.push(queue, index))
    }
  }
  let { tasks } = state
  for (const index of free) tasks = IntMap.set(tasks, index, { ...taskAt(state, index), status: "ready" })
  const next: RunState = {
    ...state,
    ...onCourse(state, parent, { phase, open: members.length }),
    tasks,
    ready: HashMap.mutate(state.ready, (ready) => {
      for (const [resourceClass, queue] of queues) HashMap.set(ready, resourceClass, queue)
    }),
    asks,
  }
  return members.length === 0 ? leave(next, parent) : next
}

/** What follows on the phase whose last task has ended. */
const following = ({ cancelled, failed, lost, phase }: Course): Block | "ended" => {
  if (phase === "ended") return "ended"
  if (phase === "tasks" && cancelled !== false) return "onCancel"
  if (phase === "tasks" && (failed || lost)) return "onFailure"
  return followers[phase]
}

/** Goes on to the next block; a sub-pipeline without one ends, as its tasks and handlers made it. */
export const leave = (state: RunState, parent: number): RunState => {
  const course = courseOf(state, parent)
  if (course === undefined || course.phase === "ended") return state
  const next = following(course)
  if (next !== "ended") return enter(state, parent, next)
  const ended: RunState = { ...state, ...onCourse(state, parent, { phase: "ended" }) }
  if (parent === -1) return ended
  return end(ended, parent, { ...taskAt(state, parent), status: finalStatusOf(course) })
}

/** What runs and is held once the attempt of a task, if there is one, no longer runs. */
const released = (state: RunState, index: number): Pick<RunState, "running" | "held"> =>
  HashMap.has(state.running, index)
    ? {
        running: HashMap.remove(state.running, index),
        held: Holding.change(state.held, resourcesOf(state, index), -1),
      }
    : state

export const stopRunning = (state: RunState, index: number): RunState => {
  const { held, running } = released(state, index)
  return { ...state, held, running }
}

const isBad = (status: TaskState["status"]) => status === "failed" || status === "timed_out" || status === "lost"

/** How a matrix ends: by the worst that one of its instances ended with. */
export const matrixStatus = (ended: Readonly<Partial<Record<TaskState["status"], true>>>): TaskState["status"] => {
  for (const status of ["failed", "timed_out", "lost", "cancelled", "warned"] as const) {
    if (ended[status]) return status === "timed_out" ? "failed" : status
  }
  return "succeeded"
}

/** What a matrix makes of an instance that has ended with a status; the matrix' own end is not part of it. */
export const countEnded = (state: RunState, matrix: number, status: TaskState["status"]): RunState => {
  const open = matrixAt(state, matrix)
  if (open === undefined) return state
  const next = {
    ...open,
    open: open.open - 1,
    ended: open.ended[status] ? open.ended : { ...open.ended, [status]: true as const },
  }
  return { ...state, matrices: HashMap.set(state.matrices, matrix, next) }
}

/** Ends, without an event of their own, the instances of a failed matrix that have not started. */
const stopInstances = (before: RunState, matrix: number): RunState => {
  const open = matrixAt(before, matrix)
  if (open === undefined) return before
  let state = before
  for (let n = 0; n < open.count; n++) {
    const index = CompiledPlan.instanceAt(state.plan, matrix, n)
    const task = taskAt(state, index)
    if (isTerminal(task.status) || task.status === "running" || task.status === "unknown") continue
    state = countEnded(put(state, index, { ...task, status: "cancelled" }), matrix, "cancelled")
  }
  const stopped = matrixAt(state, matrix) ?? open
  const first = CompiledPlan.instanceAt(state.plan, matrix, 0)
  return leaveReady(
    {
      ...state,
      matrices: HashMap.set(state.matrices, matrix, { ...stopped, stopping: true }),
      stopping: HashMap.set(state.stopping, matrix, true),
    },
    first,
  )
}

/** An instance has ended: a matrix that fails fast stops the others, and with its last one the matrix ends. */
const instanceEnded = (before: RunState, matrix: number, status: TaskState["status"]): RunState => {
  const open = matrixAt(before, matrix)
  if (open === undefined) return before
  let state = countEnded(before, matrix, status)
  const failFast = state.plan.tasks[matrix].matrix?.failFast !== false
  if (isBad(status) && failFast && !open.stopping) state = stopInstances(state, matrix)
  const now = matrixAt(state, matrix) ?? open
  return now.open > 0 ? state : end(state, matrix, { ...taskAt(state, matrix), status: matrixStatus(now.ended) })
}

/** What a pipeline makes of a task of its own that has ended: it counts down, and remembers what went wrong. */
export const taskEnded = (course: Course, block: Block, final: TaskState["status"], bad: boolean): Partial<Course> => {
  const inTasks = block === "tasks"
  return {
    open: course.open - 1,
    failed: course.failed || (inTasks && (final === "failed" || final === "timed_out")),
    lost: course.lost || (inTasks && final === "lost"),
    warned: course.warned || final === "warned",
    handlerFailed: course.handlerFailed || (!inTasks && (bad || final === "cancelled")),
  }
}

/** Ends, without events of their own, the tasks of a sub-pipeline that will never be entered. */
export const shutOut = (before: RunState, pipeline: number, status: "skipped" | "cancelled"): RunState => {
  let state = before
  for (const members of Object.values(state.plan.inner.get(pipeline) ?? {})) {
    for (const index of members) {
      state = shutOut(put(state, index, { ...taskAt(state, index), status }), index, status)
    }
  }
  return state
}

/** A task has its final status: its dependents count down, its matrix or its pipeline too. */
export const end = (before: RunState, index: number, task: TaskState): RunState => {
  const { plan } = before
  const template = CompiledPlan.templateOf(plan, index)
  const planTask = plan.tasks[template]
  const isInstance = index >= plan.tasks.length
  const parent = CompiledPlan.parentOf(plan, index)
  const course = courseOf(before, parent)
  const bad = isBad(task.status)
  const final: TaskState = bad && planTask.continueOnError ? { ...task, status: "warned" } : task
  const ok = isGood(final.status)
  const { held, running } = released(before, index)
  const ended: RunState = {
    ...before,
    running,
    held,
    tasks: IntMap.set(before.tasks, index, final),
    unknown: without(before.unknown, index),
    approvals: without(before.approvals, index),
    stopping: without(before.stopping, index),
  }
  const counts = !isInstance && course !== undefined
  const counted = counts ? taskEnded(course, planTask.block ?? "tasks", final.status, bad) : undefined
  let state = leaveReady(counted === undefined ? ended : { ...ended, ...onCourse(before, parent, counted) }, index)
  if (isInstance) return instanceEnded(state, template, final.status)
  if (planTask.pipeline !== undefined && pipelineAt(state, index) === undefined) {
    state = shutOut(state, index, final.status === "cancelled" ? "cancelled" : "skipped")
  }
  for (const dependent of plan.dependents[index]) {
    if (isTerminal(taskAt(state, dependent).status)) continue
    if (!ok) state = { ...state, blocked: HashMap.set(state.blocked, dependent, true) }
    state = countDown(state, dependent)
  }
  return courseOf(state, parent)?.open === 0 ? leave(state, parent) : state
}

const countDown = (before: RunState, index: number): RunState => {
  const counted = lookup(before.waitingFor, index)
  const rest = (counted ?? before.plan.needs[index]) - 1
  if (rest > 0) return { ...before, waitingFor: HashMap.set(before.waitingFor, index, rest) }
  const done = counted === undefined ? before : { ...before, waitingFor: HashMap.remove(before.waitingFor, index) }
  return makeReady(done, index)
}

/** A failed, timed-out or lost attempt that is followed by another. */
export const tryAgain = (state: RunState, index: number, task: TaskState): RunState => ({
  ...stopRunning(put(state, index, { ...task, status: "retrying" }), index),
  unscheduled: Fifo.push(state.unscheduled, index),
})

/** A matrix has its instances: all of them are ready. One without any has succeeded. */
export const expand = (
  before: RunState,
  matrix: number,
  given: { readonly count: number; readonly values?: Readonly<Record<string, ReadonlyArray<unknown>>> },
): RunState => {
  const { count } = given
  const running: TaskState = { ...taskAt(before, matrix), status: "running" }
  let state = leaveReady(put(before, matrix, running), matrix)
  const open = { open: count, ended: {}, stopping: false, ...given }
  state = { ...state, matrices: HashMap.set(state.matrices, matrix, open) }
  if (count === 0) return end(state, matrix, { ...running, status: "succeeded" })
  const indexes = Array.from({ length: count }, (_, n) => CompiledPlan.instanceAt(state.plan, matrix, n))
  const resourceClass = classOf(state, matrix)
  const found = HashMap.get(state.ready, resourceClass)
  let queue = found._tag === "Some" ? found.value : Fifo.empty
  let { tasks } = state
  for (const index of indexes) {
    queue = Fifo.push(queue, index)
    tasks = IntMap.set(tasks, index, { status: "ready", attempt: 0 })
  }
  return { ...state, ready: HashMap.set(state.ready, resourceClass, queue), tasks }
}

/** A sub-pipeline has its params, and where it has a timeout the moment when it is over: its first block begins. */
export const enterPipeline = (
  before: RunState,
  index: number,
  given: Pick<PipelineState, "params" | "due">,
): RunState => {
  const running: TaskState = { ...taskAt(before, index), status: "running" }
  const state = leaveReady(put(before, index, running), index)
  const pipelines = HashMap.set(state.pipelines, index, { ...beginning, ...given })
  const expiries = given.due === undefined ? state.expiries : DueHeap.insert(state.expiries, given.due, index)
  return enter({ ...state, pipelines, expiries }, index, "tasks")
}
