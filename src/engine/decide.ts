import * as HashMap from "effect/HashMap"
import type { FinalRunStatus } from "../domain/final-run-status.ts"
import * as DueHeap from "./due-heap.ts"
import * as Fifo from "./fifo.ts"
import * as Holding from "./holding.ts"
import * as Retrying from "./retrying.ts"
import { type RunState, finalStatusOf, isStopping, isTimed, isWaiter, taskAt } from "./run-state.ts"
import * as CompiledPlan from "./compiled-plan.ts"
import * as Transitions from "./transitions.ts"

/** What the shell is to do next. Tasks are named by their index in the plan. */
export type Command =
  | { readonly _tag: "Start"; readonly task: number; readonly attempt: number }
  /** Find the instances of a matrix, or the params of a sub-pipeline. */
  | { readonly _tag: "Open"; readonly task: number }
  | { readonly _tag: "Pause"; readonly task: number }
  | { readonly _tag: "RequestApproval"; readonly task: number }
  | { readonly _tag: "ExpireApproval"; readonly task: number }
  /** The timeout of a sub-pipeline is over. */
  | { readonly _tag: "TimeOut"; readonly task: number }
  | { readonly _tag: "Skip"; readonly task: number; readonly reason: string }
  | { readonly _tag: "ScheduleRetry"; readonly task: number; readonly attempt: number; readonly delayMillis: number }
  | { readonly _tag: "Interrupt"; readonly task: number }
  | { readonly _tag: "WakeAt"; readonly time: number }
  | { readonly _tag: "Finish"; readonly status: FinalRunStatus }

const skipsAtOnce = 1_024

/** What a task is asked first, if anything: until when it pauses, who agrees, what it consists of. */
const question = (state: RunState, task: number): Command | undefined => {
  if (task >= state.plan.tasks.length) return undefined
  const { approval, pauseUntil } = state.plan.tasks[task]
  const at = taskAt(state, task)
  if (pauseUntil !== undefined && at.pausedUntil === undefined) return { _tag: "Pause", task }
  if (approval !== undefined && (at.approval?.granted.length ?? 0) < approval.approvers) {
    return { _tag: "RequestApproval", task }
  }
  return CompiledPlan.isGroup(state.plan, task) ? { _tag: "Open", task } : undefined
}

/** Classes with ready tasks, those of the highest priority first. */
const classesInOrder = ({ plan, ready }: RunState): Iterable<readonly [number, Fifo.Fifo<number>]> => {
  if (!plan.prioritised) return ready
  const byPriority = Map.groupBy(ready, ([index]) => plan.classes[index].priority)
  return [...byPriority].toSorted(([a], [b]) => b - a).flatMap(([, classes]) => classes)
}

/**
 * What a state asks for at a time. Pure and total; the same state and time give the same commands. The work is bounded
 * by what can start now, not by what has happened.
 */
export const decide = (state: RunState, now: number): ReadonlyArray<Command> => {
  if (state.phase === "ended") {
    const done = state.status !== "created" && state.status !== "running" && state.status !== "cancelling"
    return done ? [] : [{ _tag: "Finish", status: finalStatusOf(state) }]
  }
  const commands: Array<Command> = []
  if (state.cancelling !== undefined || HashMap.size(state.stopping) + HashMap.size(state.pipelines) > 0) {
    for (const [task] of state.running) if (isStopping(state, task)) commands.push({ _tag: "Interrupt", task })
  }
  let skipped = 0
  for (const task of Fifo.values(state.skips)) {
    if (taskAt(state, task).status !== "ready") continue
    commands.push({ _tag: "Skip", task, reason: "a task that it needs did not succeed" })
    if (++skipped === skipsAtOnce) break
  }
  for (const task of Fifo.values(state.asks)) {
    const asked = taskAt(state, task).status === "ready" ? question(state, task) : undefined
    if (asked !== undefined) commands.push(asked)
  }
  let expiry = state.expiries
  while (expiry !== null && expiry.due <= now) {
    const isOver = isWaiter(state, expiry)
    const { task } = expiry
    if (isOver) commands.push({ _tag: isTimed(state, task) ? "TimeOut" : "ExpireApproval", task })
    expiry = DueHeap.pop(expiry)
  }
  for (const task of Fifo.values(state.unscheduled)) {
    const { status, due, attempt, lost, spared = 0 } = taskAt(state, task)
    if (status !== "retrying" || due !== undefined) continue
    const planTask = CompiledPlan.taskOfNode(state.plan, task)
    const seed = `${state.plan.plan.id}\n${state.createdAt}`
    const delayMillis = lost === true ? 0 : Retrying.delay(planTask, attempt + 1 - spared, seed)
    commands.push({ _tag: "ScheduleRetry", task, attempt: attempt + 1, delayMillis })
  }

  let held = state.held
  const start = (task: number): boolean => {
    const resources = Transitions.resourcesOf(state, task)
    if (Holding.lacking(held, state.capacity, resources) !== undefined) return false
    held = Holding.change(held, resources, 1)
    commands.push({ _tag: "Start", task, attempt: taskAt(state, task).attempt + 1 })
    return true
  }
  let heap = state.due
  while (heap !== null && heap.due <= now) {
    if (isWaiter(state, heap)) {
      const asked = taskAt(state, heap.task).status === "waiting" ? question(state, heap.task) : undefined
      if (asked !== undefined) commands.push(asked)
      else if (!start(heap.task)) break
    }
    heap = DueHeap.pop(heap)
  }
  const full = new Set<number>()
  for (const [index, queue] of classesInOrder(state)) {
    if (held.attempts >= state.capacity.attempts) break
    const { size } = state.plan.classes[index]
    if (full.has(size)) continue
    if (Holding.lacking(held, state.capacity, state.plan.sizes[size]) !== undefined) {
      if (full.add(size).size === state.plan.sizes.length) break
      continue
    }
    for (const task of Fifo.values(queue)) {
      if (taskAt(state, task).status === "ready" && !start(task)) break
    }
  }
  const next = Math.min(heap !== null && heap.due > now ? heap.due : Infinity, expiry?.due ?? Infinity)
  if (next !== Infinity) commands.push({ _tag: "WakeAt", time: next })
  return commands
}
