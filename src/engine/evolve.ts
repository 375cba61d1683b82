import * as HashMap from "effect/HashMap"
import type { Artifact } from "../domain/artifact.ts"
import type { Event } from "../domain/event.ts"
import * as Cancelling from "./cancelling.ts"
import * as CompiledPlan from "./compiled-plan.ts"
import * as DueHeap from "./due-heap.ts"
import * as Holding from "./holding.ts"
import * as IntMap from "./int-map.ts"
import * as Retrying from "./retrying.ts"
import {
  type ApprovalState,
  type RunState,
  type TaskState,
  courseOf,
  isPaused,
  isStopping,
  isTimed,
  matrixAt,
  pipelineAt,
  taskAt,
  taskOf,
} from "./run-state.ts"
import * as Transitions from "./transitions.ts"
import { end, leaveReady, put, stopRunning, tryAgain } from "./transitions.ts"

/** Which of the attempts that count an attempt is. */
const counted = ({ spared = 0 }: TaskState, attempt: number): number => attempt - spared

const withOutput = ({
  output,
  outputArtifact,
  receipts,
}: {
  readonly output?: unknown
  readonly outputArtifact?: Artifact
  readonly receipts?: ReadonlyArray<Artifact>
}): Partial<TaskState> => {
  if (outputArtifact === undefined && receipts === undefined) return output === undefined ? {} : { output }
  return {
    ...(output === undefined ? {} : { output }),
    ...(outputArtifact === undefined ? {} : { outputArtifact }),
    ...(receipts === undefined ? {} : { receipts }),
  }
}

const onTask = (
  state: RunState,
  id: string,
  when: (task: TaskState) => boolean,
  change: (index: number, task: TaskState) => RunState,
): RunState => {
  const index = CompiledPlan.indexOfId(state.plan, id)
  if (index === -1 || state.status === "created") return state
  const course = courseOf(state, CompiledPlan.parentOf(state.plan, index))
  if (course?.phase !== CompiledPlan.blockOf(state.plan, index)) return state
  const task = taskAt(state, index)
  return when(task) ? change(index, task) : state
}

const withoutDue = (task: TaskState): TaskState => {
  if (task.due === undefined) return task
  const { due: _, ...rest } = task
  return rest
}

const isOf =
  (...statuses: ReadonlyArray<TaskState["status"]>) =>
  ({ status }: TaskState) =>
    statuses.includes(status)

/** Ready, or waiting for nothing but its time; the shell knows when that is over. */
const startable = (task: TaskState) => task.status === "ready" || task.status === "retrying" || isPaused(task)

const opens = (task: TaskState) => task.status === "ready" || isPaused(task)

/** The answer to the question that was asked; one about another input answers nothing. */
const onAnswer = (
  state: RunState,
  data: { readonly task: string; readonly input: string },
  change: (index: number, task: TaskState, approval: ApprovalState) => RunState,
): RunState =>
  onTask(state, data.task, isOf("waiting"), (index, task) =>
    task.approval === undefined || task.approval.input !== data.input ? state : change(index, task, task.approval),
  )

const isTask = (state: RunState, index: number, kind: "matrix" | "pipeline"): boolean =>
  index < state.plan.tasks.length &&
  state.plan.tasks[index][kind] !== undefined &&
  matrixAt(state, index) === undefined &&
  pipelineAt(state, index) === undefined

/** What the machine offers, and the pools that the plan brings along. */
const withPools = ({ plan }: RunState, capacity: RunState["capacity"]): RunState["capacity"] => ({
  ...capacity,
  pools: { ...capacity.pools, ...plan.pools },
})

/** The end of the attempt that runs. What consists of other tasks runs none; it ends when they have. */
const onAttempt = (
  state: RunState,
  data: { readonly task: string; readonly attempt: number },
  change: (index: number, task: TaskState) => RunState,
): RunState =>
  onTask(state, data.task, isOf("running"), (index, task) =>
    task.attempt === data.attempt && !CompiledPlan.isGroup(state.plan, index) ? change(index, task) : state,
  )

/**
 * The state after an event. Total: an event that does not fit (of an unknown task, of a task that has ended or is in another
 * block, of an attempt that does not run) changes nothing. Pure: no clock, no randomness, no I/O; the given state is untouched.
 */
export const evolve = (state: RunState, event: Event & { readonly time: number }): RunState => {
  switch (event.type) {
    case "dev.dandori.run.created.v1":
      if (state.status !== "created") return state
      return Transitions.enter(
        { ...state, status: "running", capacity: withPools(state, event.data.capacity), createdAt: event.time },
        -1,
        "tasks",
      )
    case "dev.dandori.run.resumed.v1":
      return { ...state, capacity: withPools(state, event.data.capacity) }
    case "dev.dandori.run.queued.v1":
      return state.status === "created" ? state : { ...state, queued: true }
    case "dev.dandori.run.admitted.v1":
      return { ...state, queued: false }
    case "dev.dandori.run.finished.v1":
      return { ...state, phase: "ended", status: event.data.status }
    case "dev.dandori.cancel.requested.v1":
      return Cancelling.cancel(state, event.data.timeout === true)
    case "dev.dandori.attempt.started.v1":
      return onTask(state, event.data.task, startable, (index, task) => {
        if (CompiledPlan.isGroup(state.plan, index)) return state
        const running: TaskState = { ...withoutDue(task), status: "running", attempt: event.data.attempt, lost: false }
        return leaveReady(
          {
            ...state,
            tasks: IntMap.set(state.tasks, index, running),
            running: HashMap.set(state.running, index, true),
            held: Holding.change(state.held, Transitions.resourcesOf(state, index), 1),
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
            const retry = Retrying.afterError(CompiledPlan.taskOfNode(state.plan, index), counted(task, attempt), error)
            return retry && !isStopping(state, index)
              ? tryAgain(state, index, { ...task, ...failed })
              : end(state, index, { ...task, ...failed })
          })
        : // It did not start: its condition or its input is wrong, which another attempt would not change.
          onTask(state, id, startable, (index, task) => end(state, index, { ...task, ...failed }))
    }
    case "dev.dandori.attempt.timed_out.v1":
      return onAttempt(state, event.data, (index, task) => {
        const attempt = counted(task, event.data.attempt)
        const retry = Retrying.afterTimeout(CompiledPlan.taskOfNode(state.plan, index), attempt)
        return retry && !isStopping(state, index)
          ? tryAgain(state, index, task)
          : end(state, index, { ...task, status: "timed_out" })
      })
    case "dev.dandori.attempt.lost.v1":
      return onAttempt(state, event.data, (index, task) => {
        if (isStopping(state, index)) return end(state, index, { ...task, status: "cancelled" })
        const { spared = 0 } = task
        if (event.data.orderly === true && Retrying.isSpared(spared))
          return tryAgain(state, index, { ...task, lost: true, spared: spared + 1 })
        const attempt = counted(task, event.data.attempt)
        const retry = Retrying.afterLoss(CompiledPlan.taskOfNode(state.plan, index), attempt)
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
    case "dev.dandori.task.adopted.v1":
      return onTask(state, event.data.task, isOf("ready"), (index, task) =>
        CompiledPlan.isGroup(state.plan, index)
          ? state
          : end(state, index, { ...task, ...withOutput(event.data), status: "succeeded" }),
      )
    case "dev.dandori.task.resolved.v1":
      return onTask(state, event.data.task, isOf("unknown"), (index, task) =>
        end(state, index, { ...task, ...withOutput(event.data), status: event.data.as }),
      )
    case "dev.dandori.matrix.expanded.v1": {
      const { task: id, ...given } = event.data
      return onTask(state, id, opens, (index) =>
        isTask(state, index, "matrix") ? Transitions.expand(state, index, given) : state,
      )
    }
    case "dev.dandori.pipeline.entered.v1": {
      const { task: id, ...given } = event.data
      return onTask(state, id, opens, (index) =>
        isTask(state, index, "pipeline") ? Transitions.enterPipeline(state, index, given) : state,
      )
    }
    case "dev.dandori.pipeline.timed_out.v1":
      return onTask(state, event.data.task, isOf("running"), (index) =>
        isTimed(state, index) ? Cancelling.timeOut(state, index) : state,
      )
    case "dev.dandori.task.paused.v1":
      return onTask(state, event.data.task, isOf("ready"), (index, task) => {
        const { until } = event.data
        const next = put(state, index, { ...task, status: "waiting", pausedUntil: until })
        return leaveReady({ ...next, due: DueHeap.insert(next.due, until, index) }, index)
      })
    case "dev.dandori.approval.requested.v1":
      return onTask(state, event.data.task, opens, (index, task) => {
        const { task: _, shown: __, ...asked } = event.data
        const next = put(state, index, { ...task, status: "waiting", approval: { ...asked, granted: [] } })
        const expiries = asked.due === undefined ? next.expiries : DueHeap.insert(next.expiries, asked.due, index)
        return leaveReady({ ...next, approvals: HashMap.set(next.approvals, index, true), expiries }, index)
      })
    case "dev.dandori.approval.granted.v1":
      return onAnswer(state, event.data, (index, task, approval) => {
        if (approval.granted.includes(event.data.by)) return state
        const granted = [...approval.granted, event.data.by]
        const enough = granted.length >= approval.approvers
        const next = put(state, index, {
          ...task,
          status: enough ? "ready" : "waiting",
          approval: { ...approval, granted },
        })
        if (!enough) return next
        const freed = { ...next, approvals: HashMap.remove(next.approvals, index) }
        return Transitions.enqueue(leaveReady(freed, index), index, CompiledPlan.isGroup(state.plan, index))
      })
    case "dev.dandori.approval.refused.v1": {
      const { by, reason } = event.data
      return onAnswer(state, event.data, (index, task) =>
        end(state, index, {
          ...task,
          status: "failed",
          error: { tag: "ApprovalRefused", message: `${by} refused: ${reason}`, settled: true },
        }),
      )
    }
    case "dev.dandori.approval.expired.v1":
      return onTask(state, event.data.task, isOf("waiting"), (index, task) => {
        if (task.approval === undefined) return state
        const skip = state.plan.tasks[index].approval?.onTimeout === "skip"
        const error = { tag: "ApprovalExpired", message: "Nobody agreed in time", settled: true }
        return end(state, index, skip ? { ...task, status: "skipped" } : { ...task, status: "failed", error })
      })
    case "dev.dandori.retry.scheduled.v1":
      return onTask(state, event.data.task, isOf("retrying"), (index, task) => {
        if (task.due !== undefined) return state
        const next = put(state, index, { ...task, due: event.data.due })
        return leaveReady({ ...next, due: DueHeap.insert(state.due, event.data.due, index) }, index)
      })
    default:
      return state
  }
}
