import * as HashMap from "effect/HashMap"
import type { Artifact } from "../domain/artifact.ts"
import type { Event } from "../domain/event.ts"
import type { Block } from "../domain/plan.ts"
import * as DueHeap from "./due-heap.ts"
import * as Fifo from "./fifo.ts"
import * as Holding from "./holding.ts"
import * as Retrying from "./retrying.ts"
import { type RunState, type TaskState, isTerminal, taskAt, taskOf } from "./run-state.ts"

const lookup = (map: HashMap.HashMap<number, number>, key: number): number | undefined => {
  const found = HashMap.get(map, key)
  return found._tag === "Some" ? found.value : undefined
}

const put = (state: RunState, index: number, task: TaskState): RunState => ({
  ...state,
  tasks: HashMap.set(state.tasks, index, task),
})

const makeReady = (state: RunState, index: number): RunState => {
  const next = put(state, index, { ...taskAt(state, index), status: "ready" })
  if (HashMap.has(state.blocked, index) && state.plan.tasks[index].if === undefined) {
    return { ...next, skips: Fifo.push(state.skips, index) }
  }
  const resourceClass = state.plan.classOf[index]
  const queue = HashMap.get(state.ready, resourceClass)
  return {
    ...next,
    ready: HashMap.set(state.ready, resourceClass, Fifo.push(queue._tag === "Some" ? queue.value : Fifo.empty, index)),
  }
}

/** Drops what is no longer ready from the front of the queues that the task stood in. */
const leaveReady = (state: RunState, index: number): RunState => {
  let skips = state.skips
  while (skips.front !== null && taskAt(state, skips.front.value).status !== "ready") skips = Fifo.pop(skips)
  let due = state.due
  while (due !== null && taskAt(state, due.task).status !== "retrying") due = DueHeap.pop(due)
  const resourceClass = state.plan.classOf[index]
  const found = HashMap.get(state.ready, resourceClass)
  let ready = state.ready
  if (found._tag === "Some") {
    let queue = found.value
    while (queue.front !== null && taskAt(state, queue.front.value).status !== "ready") queue = Fifo.pop(queue)
    if (queue !== found.value) {
      ready = Fifo.isEmpty(queue) ? HashMap.remove(ready, resourceClass) : HashMap.set(ready, resourceClass, queue)
    }
  }
  return skips === state.skips && due === state.due && ready === state.ready ? state : { ...state, skips, due, ready }
}

const followers: Record<Block, Block | "ended"> = {
  tasks: "finally",
  onFailure: "finally",
  onCancel: "finally",
  finally: "ended",
}

/** Begins a block. Nothing of it has ended, so none of its tasks is blocked: those without needs are ready, all at once. */
const enter = (state: RunState, phase: Block): RunState => {
  const { blocks, classOf, needs } = state.plan
  const members = blocks[phase]
  const free = members.filter((index) => needs[index] === 0)
  const queues = new Map<number, Fifo.Fifo<number>>()
  for (const index of free) {
    queues.set(classOf[index], Fifo.push(queues.get(classOf[index]) ?? Fifo.empty, index))
  }
  const next: RunState = {
    ...state,
    phase,
    open: members.length,
    tasks: HashMap.mutate(state.tasks, (tasks) => {
      for (const index of free) HashMap.set(tasks, index, { ...taskAt(state, index), status: "ready" })
    }),
    ready: HashMap.fromIterable(queues),
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
        held: Holding.change(state.held, state.plan.classes[state.plan.classOf[index]], -1),
      }
    : undefined

const stopRunning = (state: RunState, index: number): RunState => ({ ...state, ...released(state, index) })

/** A task has its final status: its dependents count down, and the phase ends with its last task. */
const end = (before: RunState, index: number, task: TaskState): RunState => {
  const planTask = before.plan.tasks[index]
  const bad = task.status === "failed" || task.status === "timed_out" || task.status === "lost"
  const final: TaskState = bad && planTask.continueOnError ? { ...task, status: "warned" } : task
  const ok = final.status === "succeeded" || final.status === "warned"
  const inTasks = (planTask.block ?? "tasks") === "tasks"
  let state = leaveReady(
    {
      ...before,
      ...released(before, index),
      tasks: HashMap.set(before.tasks, index, final),
      open: before.open - 1,
      unknown: HashMap.remove(before.unknown, index),
      failed: before.failed || (inTasks && !ok && (final.status === "failed" || final.status === "timed_out")),
      lost: before.lost || (inTasks && final.status === "lost"),
      warned: before.warned || final.status === "warned",
      handlerFailed: before.handlerFailed || (!inTasks && (bad || final.status === "cancelled")),
    },
    index,
  )
  for (const dependent of before.plan.dependents[index]) {
    if (isTerminal(taskAt(state, dependent).status)) continue
    const rest = (lookup(state.waitingFor, dependent) ?? before.plan.needs[dependent]) - 1
    state = { ...state, waitingFor: HashMap.set(state.waitingFor, dependent, rest) }
    if (!ok) state = { ...state, blocked: HashMap.set(state.blocked, dependent, true) }
    if (rest === 0) state = makeReady(state, dependent)
  }
  return state.open === 0 ? leave(state) : state
}

const tryAgain = (state: RunState, index: number, task: TaskState): RunState => ({
  ...stopRunning(put(state, index, { ...task, status: "retrying" }), index),
  unscheduled: Fifo.push(state.unscheduled, index),
})

const cancel = (state: RunState, timeout: boolean): RunState => {
  if (state.phase === "ended" || state.status === "created") return state
  const inTasks = state.phase === "tasks"
  const cancelled = inTasks && state.cancelled === false ? (timeout ? "timeout" : "cancel") : state.cancelled
  let next: RunState = { ...state, cancelled, cancelling: state.phase, status: "cancelling" }
  for (const index of state.plan.blocks[state.phase]) {
    const task = taskAt(next, index)
    if (isTerminal(task.status) || task.status === "running" || task.status === "unknown") continue
    next = put(next, index, { ...task, status: "cancelled" })
    if (!inTasks) next = { ...next, handlerFailed: true }
    next = { ...next, open: next.open - 1 }
  }
  next = { ...next, ready: HashMap.empty(), skips: Fifo.empty, unscheduled: Fifo.empty, due: null }
  return next.open === 0 ? leave(next) : next
}

const withOutput = (data: {
  readonly output?: unknown
  readonly outputArtifact?: Artifact
  readonly receipts?: ReadonlyArray<Artifact>
}): Partial<TaskState> => ({
  ...(data.output === undefined ? {} : { output: data.output }),
  ...(data.outputArtifact === undefined ? {} : { outputArtifact: data.outputArtifact }),
  ...(data.receipts === undefined ? {} : { receipts: data.receipts }),
})

const cancelling = (state: RunState, index: number): boolean =>
  state.cancelling !== undefined && state.cancelling === (state.plan.tasks[index].block ?? "tasks")

const onTask = (
  state: RunState,
  id: string,
  when: (status: TaskState["status"]) => boolean,
  change: (index: number, task: TaskState) => RunState,
): RunState => {
  const index = state.plan.indexOf.get(id)
  if (index === undefined || state.status === "created") return state
  if ((state.plan.tasks[index].block ?? "tasks") !== state.phase) return state
  const task = taskAt(state, index)
  return when(task.status) ? change(index, task) : state
}

const startable = (status: TaskState["status"]) => status === "ready" || status === "retrying"

/** The end of the attempt that runs. */
const onAttempt = (
  state: RunState,
  data: { readonly task: string; readonly attempt: number },
  change: (index: number, task: TaskState) => RunState,
): RunState =>
  onTask(
    state,
    data.task,
    (status) => status === "running",
    (index, task) => (task.attempt === data.attempt ? change(index, task) : state),
  )

/**
 * The state after an event. Total: an event that does not fit (of an unknown task, of a task that has ended or is in another
 * block, of an attempt that does not run) changes nothing. Pure: no clock, no randomness, no I/O; the given state is untouched.
 */
export const evolve = (state: RunState, event: Event & { readonly time: number }): RunState => {
  switch (event.type) {
    case "dev.dandori.run.created.v1":
      if (state.status !== "created") return state
      return enter({ ...state, status: "running", capacity: event.data.capacity, createdAt: event.time }, "tasks")
    case "dev.dandori.run.resumed.v1":
      return { ...state, capacity: event.data.capacity }
    case "dev.dandori.run.finished.v1":
      return { ...state, phase: "ended", status: event.data.status }
    case "dev.dandori.cancel.requested.v1":
      return cancel(state, event.data.timeout === true)
    case "dev.dandori.attempt.started.v1":
      return onTask(state, event.data.task, startable, (index, task) => {
        const { due: _, ...rest } = task
        const running: TaskState = { ...rest, status: "running", attempt: event.data.attempt, lost: false }
        return leaveReady(
          {
            ...state,
            tasks: HashMap.set(state.tasks, index, running),
            running: HashMap.set(state.running, index, true),
            held: Holding.change(state.held, state.plan.classes[state.plan.classOf[index]], 1),
          },
          index,
        )
      })
    case "dev.dandori.attempt.succeeded.v1":
      return onAttempt(state, event.data, (index, task) =>
        end(state, index, { ...task, ...withOutput(event.data), status: "succeeded" }),
      )
    case "dev.dandori.attempt.failed.v1": {
      const { task: id, attempt, error } = event.data
      const failed = { ...withOutput(event.data), error, status: "failed" } as const
      return taskOf(state, id).status === "running"
        ? onAttempt(state, event.data, (index, task) => {
            const retry = Retrying.afterError(state.plan.tasks[index], attempt, error)
            return retry && !cancelling(state, index)
              ? tryAgain(state, index, { ...task, ...failed })
              : end(state, index, { ...task, ...failed })
          })
        : // It did not start: its condition or its input is wrong, which another attempt would not change.
          onTask(state, id, startable, (index, task) => end(state, index, { ...task, ...failed }))
    }
    case "dev.dandori.attempt.timed_out.v1":
      return onAttempt(state, event.data, (index, task) => {
        const retry = Retrying.afterTimeout(state.plan.tasks[index], event.data.attempt)
        return retry && !cancelling(state, index)
          ? tryAgain(state, index, task)
          : end(state, index, { ...task, status: "timed_out" })
      })
    case "dev.dandori.attempt.lost.v1":
      return onAttempt(state, event.data, (index, task) => {
        const retry = Retrying.afterLoss(state.plan.tasks[index], event.data.attempt)
        if (cancelling(state, index)) return end(state, index, { ...task, status: "cancelled" })
        return retry ? tryAgain(state, index, { ...task, lost: true }) : end(state, index, { ...task, status: "lost" })
      })
    case "dev.dandori.attempt.cancelled.v1":
      return onAttempt(state, event.data, (index, task) => end(state, index, { ...task, status: "cancelled" }))
    case "dev.dandori.attempt.unknown.v1":
      return onAttempt(state, event.data, (index, task) => ({
        ...stopRunning(put(state, index, { ...task, status: "unknown" }), index),
        unknown: HashMap.set(state.unknown, index, true),
      }))
    case "dev.dandori.task.skipped.v1":
      return onTask(state, event.data.task, startable, (index, task) =>
        end(state, index, { ...task, status: "skipped" }),
      )
    case "dev.dandori.task.resolved.v1":
      return onTask(
        state,
        event.data.task,
        (status) => status === "unknown",
        (index, task) => end(state, index, { ...task, ...withOutput(event.data), status: event.data.as }),
      )
    case "dev.dandori.retry.scheduled.v1":
      return onTask(
        state,
        event.data.task,
        (status) => status === "retrying",
        (index, task) => {
          if (task.due !== undefined) return state
          const next = put(state, index, { ...task, due: event.data.due })
          let { unscheduled } = state
          while (unscheduled.front !== null && taskAt(next, unscheduled.front.value).due !== undefined) {
            unscheduled = Fifo.pop(unscheduled)
          }
          return { ...next, unscheduled, due: DueHeap.insert(state.due, event.data.due, index) }
        },
      )
    default:
      return state
  }
}
