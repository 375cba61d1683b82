import * as HashMap from "effect/HashMap"
import type { Block } from "../domain/plan.ts"
import * as CompiledPlan from "./compiled-plan.ts"
import * as DueHeap from "./due-heap.ts"
import * as Fifo from "./fifo.ts"
import * as Holding from "./holding.ts"
import { type RunState, type TaskState, groupAt, isTerminal, isWaiter, taskAt } from "./run-state.ts"

const lookup = (map: HashMap.HashMap<number, number>, key: number): number | undefined => {
  const found = HashMap.get(map, key)
  return found._tag === "Some" ? found.value : undefined
}

const without = <A>(map: HashMap.HashMap<number, A>, key: number): HashMap.HashMap<number, A> =>
  HashMap.isEmpty(map) ? map : HashMap.remove(map, key)

/** A state with one task changed. */
export const put = (state: RunState, index: number, task: TaskState): RunState => ({
  ...state,
  tasks: HashMap.set(state.tasks, index, task),
})

const classOf = ({ plan }: RunState, index: number): number => plan.classOf[CompiledPlan.templateOf(plan, index)]

/** What an attempt of a node holds. */
export const resourcesOf = (state: RunState, index: number) => state.plan.classes[classOf(state, index)].resources

/** The block that a node stands in. */
export const blockOf = ({ plan }: RunState, index: number): Block =>
  plan.tasks[CompiledPlan.templateOf(plan, index)].block ?? "tasks"

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

/** Whether the sub-pipeline that a task belongs to was never entered, so that the task has no params. */
const isShutOut = (state: RunState, index: number): boolean => {
  const parent = CompiledPlan.parentOf(state.plan, index)
  return parent !== -1 && groupAt(state, parent) === undefined
}

const makeReady = (state: RunState, index: number): RunState => {
  const next = put(state, index, { ...taskAt(state, index), status: "ready" })
  const blocked = HashMap.has(state.blocked, index) && state.plan.tasks[index].if === undefined
  return blocked || isShutOut(state, index) ? { ...next, skips: Fifo.push(state.skips, index) } : enqueue(next, index)
}

/** Drops what is no longer ready from the front of the queues that the task stood in. */
export const leaveReady = (state: RunState, index: number): RunState => {
  const isReady = (task: number) => taskAt(state, task).status === "ready"
  let { skips, asks, due, expiries, ready } = state
  while (skips.front !== null && !isReady(skips.front.value)) skips = Fifo.pop(skips)
  while (asks.front !== null && !isReady(asks.front.value)) asks = Fifo.pop(asks)
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
  return { ...state, skips, asks, due, expiries, ready }
}

const followers: Record<Block, Block | "ended"> = {
  tasks: "finally",
  onFailure: "finally",
  onCancel: "finally",
  finally: "ended",
}

/** Begins a block. Nothing of it has ended, so none of its tasks is blocked: those without needs are ready, all at once. */
export const enter = (state: RunState, phase: Block): RunState => {
  const { blocks, needs } = state.plan
  const members = blocks[phase]
  const free = members.filter((index) => needs[index] === 0)
  const queues = new Map<number, Fifo.Fifo<number>>()
  let asks: Fifo.Fifo<number> = Fifo.empty
  let skips: Fifo.Fifo<number> = Fifo.empty
  for (const index of free) {
    if (isShutOut(state, index)) skips = Fifo.push(skips, index)
    else if (isAsked(state, index)) asks = Fifo.push(asks, index)
    else {
      const resourceClass = classOf(state, index)
      queues.set(resourceClass, Fifo.push(queues.get(resourceClass) ?? Fifo.empty, index))
    }
  }
  const next: RunState = {
    ...state,
    phase,
    open: members.length,
    tasks: HashMap.mutate(state.tasks, (tasks) => {
      for (const index of free) HashMap.set(tasks, index, { ...taskAt(state, index), status: "ready" })
    }),
    ready: HashMap.fromIterable(queues),
    asks,
    skips,
  }
  return members.length === 0 ? leave(next) : next
}

const leave = (state: RunState): RunState => {
  if (state.phase === "ended") return state
  if (state.phase === "tasks" && state.cancelled !== false) return enter(state, "onCancel")
  if (state.phase === "tasks" && (state.failed || state.lost)) return enter(state, "onFailure")
  const next = followers[state.phase]
  return next === "ended" ? { ...state, phase: "ended" } : enter(state, next)
}

/** What changes when the attempt of a task no longer runs. */
const released = (state: RunState, index: number): Pick<RunState, "running" | "held"> | undefined =>
  HashMap.has(state.running, index)
    ? {
        running: HashMap.remove(state.running, index),
        held: Holding.change(state.held, resourcesOf(state, index), -1),
      }
    : undefined

export const stopRunning = (state: RunState, index: number): RunState => ({ ...state, ...released(state, index) })

const isBad = (status: TaskState["status"]) => status === "failed" || status === "timed_out" || status === "lost"

const isGood = (status: TaskState["status"]) => status === "succeeded" || status === "warned"

/** How a group ends: by the worst that one of its own ended with. */
const groupStatus = (ended: Readonly<Partial<Record<TaskState["status"], true>>>): TaskState["status"] => {
  for (const status of ["failed", "timed_out", "lost", "cancelled", "warned"] as const) {
    if (ended[status]) return status === "timed_out" ? "failed" : status
  }
  return "succeeded"
}

/** What a group makes of one of its own that has ended with a status; the group's own end is not part of it. */
const countEnded = (state: RunState, group: number, status: TaskState["status"]): RunState => {
  const open = groupAt(state, group)
  if (open === undefined) return state
  const next = {
    ...open,
    open: open.open - 1,
    ended: open.ended[status] ? open.ended : { ...open.ended, [status]: true as const },
  }
  return { ...state, groups: HashMap.set(state.groups, group, next) }
}

/** Ends, without an event of their own, the instances of a failed matrix that have not started. */
const stopInstances = (before: RunState, matrix: number): RunState => {
  const group = groupAt(before, matrix)
  if (group === undefined) return before
  let state = before
  for (let n = 0; n < group.count; n++) {
    const index = CompiledPlan.instanceAt(state.plan, matrix, n)
    const task = taskAt(state, index)
    if (isTerminal(task.status) || task.status === "running" || task.status === "unknown") continue
    state = countEnded(put(state, index, { ...task, status: "cancelled" }), matrix, "cancelled")
  }
  const stopped = groupAt(state, matrix) ?? group
  const first = CompiledPlan.instanceAt(state.plan, matrix, 0)
  return leaveReady(
    {
      ...state,
      groups: HashMap.set(state.groups, matrix, { ...stopped, stopping: true }),
      stopping: HashMap.set(state.stopping, matrix, true),
    },
    first,
  )
}

/** One of a group has ended: a matrix that fails fast stops the others, and with its last one the group ends. */
const memberEnded = (before: RunState, index: number, group: number, status: TaskState["status"]): RunState => {
  const open = groupAt(before, group)
  if (open === undefined) return before
  let state = countEnded(before, group, status)
  const { matrix } = state.plan.tasks[group]
  if (isBad(status) && index >= state.plan.tasks.length && matrix?.failFast !== false && !open.stopping) {
    state = stopInstances(state, group)
  }
  const now = groupAt(state, group) ?? open
  return now.open > 0 ? state : end(state, group, { ...taskAt(state, group), status: groupStatus(now.ended) })
}

/** What a run is told of the end of a node: only what stands in no group counts. */
const flags = (state: RunState, index: number, final: TaskState["status"], bad: boolean) => {
  if (CompiledPlan.groupOf(state.plan, index) !== -1) return {}
  const inTasks = blockOf(state, index) === "tasks"
  return {
    failed: state.failed || (inTasks && (final === "failed" || final === "timed_out")),
    lost: state.lost || (inTasks && final === "lost"),
    warned: state.warned || final === "warned",
    handlerFailed: state.handlerFailed || (!inTasks && (bad || final === "cancelled")),
  }
}

/** A task has its final status: its dependents count down, its group too, and the phase ends with its last task. */
export const end = (before: RunState, index: number, task: TaskState): RunState => {
  const { plan } = before
  const planTask = plan.tasks[CompiledPlan.templateOf(plan, index)]
  const isInstance = index >= plan.tasks.length
  const group = CompiledPlan.groupOf(plan, index)
  const bad = isBad(task.status)
  const final: TaskState = bad && planTask.continueOnError ? { ...task, status: "warned" } : task
  const ok = isGood(final.status)
  let state = leaveReady(
    {
      ...before,
      ...released(before, index),
      tasks: HashMap.set(before.tasks, index, final),
      open: isInstance ? before.open : before.open - 1,
      unknown: without(before.unknown, index),
      approvals: without(before.approvals, index),
      stopping: without(before.stopping, index),
      ...flags(before, index, final.status, bad),
    },
    index,
  )
  const waiters = isInstance ? [] : [...plan.dependents[index], ...(groupAt(state, index) ? [] : plan.members[index])]
  for (const dependent of waiters) {
    if (isTerminal(taskAt(state, dependent).status)) continue
    if (!ok) state = { ...state, blocked: HashMap.set(state.blocked, dependent, true) }
    state = countDown(state, dependent)
  }
  if (group !== -1) state = memberEnded(state, index, group, final.status)
  return state.open === 0 && before.open > 0 ? leave(state) : state
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
  state = { ...state, groups: HashMap.set(state.groups, matrix, { open: count, ended: {}, stopping: false, ...given }) }
  if (count === 0) return end(state, matrix, { ...running, status: "succeeded" })
  const indexes = Array.from({ length: count }, (_, n) => CompiledPlan.instanceAt(state.plan, matrix, n))
  const resourceClass = classOf(state, matrix)
  const found = HashMap.get(state.ready, resourceClass)
  let queue = found._tag === "Some" ? found.value : Fifo.empty
  for (const index of indexes) queue = Fifo.push(queue, index)
  return {
    ...state,
    ready: HashMap.set(state.ready, resourceClass, queue),
    tasks: HashMap.mutate(state.tasks, (tasks) => {
      for (const index of indexes) HashMap.set(tasks, index, { status: "ready", attempt: 0 })
    }),
  }
}

/** A sub-pipeline has its params: its tasks count down. */
export const enterGroup = (before: RunState, index: number, params: Readonly<Record<string, unknown>>): RunState => {
  const members = before.plan.members[index]
  const running: TaskState = { ...taskAt(before, index), status: "running" }
  let state = leaveReady(put(before, index, running), index)
  const group = { open: members.length, count: 0, ended: {}, stopping: false, params }
  state = { ...state, groups: HashMap.set(state.groups, index, group) }
  for (const member of members) state = countDown(state, member)
  return state
}

/** Marks a task that has not started as cancelled. */
const cancelOne = (state: RunState, index: number): RunState => {
  const task = taskAt(state, index)
  const open = groupAt(state, index)
  if (isTerminal(task.status) || open !== undefined) return state
  if (task.status === "running" || task.status === "unknown") return state
  const group = CompiledPlan.groupOf(state.plan, index)
  const next = put(state, index, { ...task, status: "cancelled" })
  const counted =
    group === -1 ? { ...next, ...flags(next, index, "cancelled", false) } : countEnded(next, group, "cancelled")
  return index < state.plan.tasks.length ? { ...counted, open: counted.open - 1 } : counted
}

/** Ends the open groups of a block that have nothing open any more, those within others first. */
const closeGroups = (before: RunState, block: Block): RunState => {
  let state = before
  for (const index of state.plan.blocks[block].toReversed()) {
    const group = groupAt(state, index)
    const task = taskAt(state, index)
    if (group === undefined || group.open > 0 || isTerminal(task.status)) continue
    const earned = groupStatus(group.ended)
    const bad = isBad(earned)
    const status = bad && state.plan.tasks[index].continueOnError ? "warned" : earned
    const parent = CompiledPlan.groupOf(state.plan, index)
    state = put(state, index, { ...task, status })
    state = { ...state, ...flags(state, index, status, bad) }
    if (parent !== -1) state = countEnded(state, parent, status)
    state = { ...state, open: state.open - 1, stopping: HashMap.remove(state.stopping, index) }
  }
  return state
}

/** Stops the block that goes on: what has not started is cancelled, what runs is left to end. */
export const cancel = (state: RunState, timeout: boolean): RunState => {
  if (state.phase === "ended" || state.status === "created") return state
  const inTasks = state.phase === "tasks"
  const cancelled = inTasks && state.cancelled === false ? (timeout ? "timeout" : "cancel") : state.cancelled
  let next: RunState = { ...state, cancelled, cancelling: state.phase, status: "cancelling" }
  for (const index of state.plan.blocks[state.phase]) {
    const group = groupAt(next, index)
    for (let n = 0; n < (group?.count ?? 0); n++) {
      next = cancelOne(next, CompiledPlan.instanceAt(state.plan, index, n))
    }
    next = cancelOne(next, index)
  }
  next = closeGroups(next, state.phase)
  next = {
    ...next,
    ready: HashMap.empty(),
    skips: Fifo.empty,
    asks: Fifo.empty,
    unscheduled: Fifo.empty,
    due: null,
    approvals: HashMap.empty(),
    expiries: null,
  }
  return next.open === 0 ? leave(next) : next
}
