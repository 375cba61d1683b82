import * as HashMap from "effect/HashMap"
import * as CompiledPlan from "./compiled-plan.ts"
import * as Fifo from "./fifo.ts"
import { type RunState, type TaskState, courseOf, isTerminal, matrixAt, taskAt } from "./run-state.ts"
import {
  countEnded,
  end,
  leave,
  leaveReady,
  matrixStatus,
  onCourse,
  put,
  shutOut,
  taskEnded,
  without,
} from "./transitions.ts"

const hasBegun = ({ status }: TaskState): boolean => isTerminal(status) || status === "running" || status === "unknown"

/** Marks what has not started of a pipeline's block as cancelled, and of the sub-pipelines that are open in it. */
const cancelBlock = (before: RunState, parent: number, by: "cancel" | "timeout"): RunState => {
  const { plan } = before
  const course = courseOf(before, parent)
  if (course === undefined || course.phase === "ended") return before
  const { phase } = course
  const cancelled = phase === "tasks" && course.cancelled === false ? by : course.cancelled
  let state: RunState = { ...before, ...onCourse(before, parent, { cancelled, cancelling: phase }) }
  for (const index of CompiledPlan.membersOf(plan, parent, phase)) {
    const task = taskAt(state, index)
    const matrix = matrixAt(state, index)
    for (let n = 0; n < (matrix?.count ?? 0); n++) {
      const instance = CompiledPlan.instanceAt(plan, index, n)
      const one = taskAt(state, instance)
      if (hasBegun(one)) continue
      state = countEnded(put(state, instance, { ...one, status: "cancelled" }), index, "cancelled")
      state = leaveReady(state, instance)
    }
    state = cancelBlock(state, index, "cancel")
    if (hasBegun(task)) continue
    state = shutOut(put(state, index, { ...task, status: "cancelled" }), index, "cancelled")
    const now = courseOf(state, parent) ?? course
    const approvals = without(state.approvals, index)
    state = { ...state, approvals, ...onCourse(state, parent, taskEnded(now, phase, "cancelled", false)) }
    state = leaveReady(state, index)
  }
  return state
}

/** After a cancel: ends the matrices and leaves the blocks that have nothing open any more, inner ones first. */
const closeBlock = (before: RunState, parent: number): RunState => {
  const phase = courseOf(before, parent)?.phase
  if (phase === undefined || phase === "ended") return before
  let state = before
  for (const index of CompiledPlan.membersOf(state.plan, parent, phase)) {
    state = closeBlock(state, index)
    const task = taskAt(state, index)
    const matrix = matrixAt(state, index)
    if (matrix === undefined || matrix.open > 0 || isTerminal(task.status)) continue
    state = end(state, index, { ...task, status: matrixStatus(matrix.ended) })
  }
  const now = courseOf(state, parent)
  return now?.phase === phase && now.open === 0 ? leave(state, parent) : state
}

/** Stops the block that goes on: what has not started is cancelled, what runs is left to end. */
export const cancel = (state: RunState, timeout: boolean): RunState => {
  if (state.phase === "ended" || state.status === "created") return state
  const quiet: RunState = {
    ...state,
    status: "cancelling",
    ready: HashMap.empty(),
    skips: Fifo.empty,
    asks: Fifo.empty,
    unscheduled: Fifo.empty,
    due: null,
    approvals: HashMap.empty(),
    expiries: null,
  }
  return closeBlock(cancelBlock(quiet, -1, timeout ? "timeout" : "cancel"), -1)
}

/** A sub-pipeline's time is over: what it is doing is stopped, and its handlers run. */
export const timeOut = (state: RunState, pipeline: number): RunState =>
  closeBlock(cancelBlock(state, pipeline, "timeout"), pipeline)
