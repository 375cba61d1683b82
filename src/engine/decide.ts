import type { FinalRunStatus } from "../domain/event.ts"
import * as DueHeap from "./due-heap.ts"
import * as Fifo from "./fifo.ts"
import * as Holding from "./holding.ts"
import * as Retrying from "./retrying.ts"
import { type RunState, taskAt } from "./run-state.ts"

/** What the shell is to do next. Tasks are named by their index in the plan. */
export type Command =
  | { readonly _tag: "Start"; readonly task: number; readonly attempt: number }
  | { readonly _tag: "Skip"; readonly task: number; readonly reason: string }
  | { readonly _tag: "ScheduleRetry"; readonly task: number; readonly attempt: number; readonly delayMillis: number }
  | { readonly _tag: "Interrupt"; readonly task: number }
  | { readonly _tag: "WakeAt"; readonly time: number }
  | { readonly _tag: "Finish"; readonly status: FinalRunStatus }

const skipsAtOnce = 1_024

const finalStatus = (state: RunState): FinalRunStatus => {
  if (state.cancelled !== false) return state.cancelled === "timeout" ? "timed_out" : "cancelled"
  if (state.failed) return "failed"
  if (state.lost) return "lost"
  return state.warned || state.handlerFailed ? "warned" : "succeeded"
}

/**
 * What a state asks for at a time. Pure and total; the same state and time give the same commands. The work is bounded
 * by what can start now, not by what has happened.
 */
export const decide = (state: RunState, now: number): ReadonlyArray<Command> => {
  if (state.phase === "ended") {
    const done = state.status !== "created" && state.status !== "running" && state.status !== "cancelling"
    return done ? [] : [{ _tag: "Finish", status: finalStatus(state) }]
  }
  const commands: Array<Command> = []
  if (state.cancelling !== undefined) {
    for (const [task] of state.running) {
      if ((state.plan.tasks[task].block ?? "tasks") === state.cancelling) commands.push({ _tag: "Interrupt", task })
    }
  }
  let skipped = 0
  for (const task of Fifo.values(state.skips)) {
    if (taskAt(state, task).status !== "ready") continue
    commands.push({ _tag: "Skip", task, reason: "a task that it needs did not succeed" })
    if (++skipped === skipsAtOnce) break
  }
  for (const task of Fifo.values(state.unscheduled)) {
    const { status, due, attempt, lost } = taskAt(state, task)
    if (status !== "retrying" || due !== undefined) continue
    const planTask = state.plan.tasks[task]
    const seed = `${state.plan.plan.id}\n${state.createdAt}`
    const delayMillis = lost === true ? 0 : Retrying.delay(planTask, attempt + 1, seed)
    commands.push({ _tag: "ScheduleRetry", task, attempt: attempt + 1, delayMillis })
  }

  let held = state.held
  const start = (task: number): boolean => {
    const resources = state.plan.classes[state.plan.classOf[task]]
    if (Holding.lacking(held, state.capacity, resources) !== undefined) return false
    held = Holding.change(held, resources, 1)
    commands.push({ _tag: "Start", task, attempt: taskAt(state, task).attempt + 1 })
    return true
  }
  let heap = state.due
  while (heap !== null && heap.due <= now) {
    if (taskAt(state, heap.task).status === "retrying" && !start(heap.task)) break
    heap = DueHeap.pop(heap)
  }
  for (const [, queue] of state.ready) {
    if (held.attempts >= state.capacity.attempts) break
    for (const task of Fifo.values(queue)) {
      if (taskAt(state, task).status === "ready" && !start(task)) break
    }
  }
  if (heap !== null && heap.due > now) commands.push({ _tag: "WakeAt", time: heap.due })
  return commands
}
