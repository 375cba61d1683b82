import * as HashMap from "effect/HashMap"
import type { Artifact } from "../domain/artifact.ts"
import type { Capacity, ErrorData } from "../domain/event.ts"
import type { FinalRunStatus } from "../domain/final-run-status.ts"
import type { Block } from "../domain/plan.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { type CompiledPlan, blockOf, indexOfId, parentOf, templateOf } from "./compiled-plan.ts"
import type { DueHeap } from "./due-heap.ts"
import * as Fifo from "./fifo.ts"
import * as IntMap from "./int-map.ts"

/**
 * Where a task stands. `ready` waits for resources only; `retrying` waits for its due time; `waiting` for a moment or for
 * people. A matrix or a sub-pipeline is `running` while it is open.
 */
export type TaskStatus =
  | "pending"
  | "ready"
  | "retrying"
  | "waiting"
  | "running"
  | "succeeded"
  | "warned"
  | "failed"
  | "skipped"
  | "cancelled"
  | "timed_out"
  | "lost"
  | "unknown"

/** A task of a run: what its events made of it. A task that no event named is `pending` and has no entry. */
export interface TaskState {
  readonly status: TaskStatus
  /** Number of the newest attempt, from 1; 0 before the first. */
  readonly attempt: number
  /** When the next attempt is due (milliseconds since the epoch), once the retry is scheduled. */
  readonly due?: number
  readonly output?: unknown
  readonly outputArtifact?: Artifact
  readonly receipts?: ReadonlyArray<Artifact>
  readonly error?: ErrorData
  /** The last attempt was lost with its process: the next one waits for no backoff. */
  readonly lost?: boolean
  /** How many of its attempts do not count, as an orderly stop of their process interrupted them. */
  readonly spared?: number
  /** Until when it is paused (milliseconds since the epoch); stays when that is over. */
  readonly pausedUntil?: number
  readonly approval?: ApprovalState
}

/** What people were asked, and who has agreed. */
export interface ApprovalState {
  /** Digest of the input that the question was about. */
  readonly input: Sha256
  readonly approvers: number
  readonly due?: number
  readonly granted: ReadonlyArray<string>
}

/** A matrix that is open: what its instances made of it so far. */
export interface MatrixState {
  /** Instances that have not ended. */
  readonly open: number
  readonly count: number
  /** Statuses that any of them ended with. */
  readonly ended: Readonly<Partial<Record<TaskStatus, true>>>
  /** Its other instances are stopped because one failed. */
  readonly stopping: boolean
  /** What the run gave: values of the axes, or where they are kept. */
  readonly values?: Readonly<Record<string, ReadonlyArray<unknown>>>
  readonly valuesArtifact?: Artifact
}

export type Phase = Block | "ended"

/** How far a pipeline is, or a sub-pipeline within it: each has its blocks, one after the other. */
export interface Course {
  readonly phase: Phase
  /** Tasks of the phase that have not ended. */
  readonly open: number
  /** Whether something went wrong in `tasks`, and in the handlers. */
  readonly failed: boolean
  readonly lost: boolean
  readonly warned: boolean
  readonly handlerFailed: boolean
  readonly cancelled: false | "cancel" | "timeout"
  /** The phase whose attempts the newest cancel stops. */
  readonly cancelling?: Phase
}

/** A sub-pipeline that was entered. */
export interface PipelineState extends Course {
  readonly params: Readonly<Record<string, unknown>>
  /** When its timeout is over (milliseconds since the epoch). */
  readonly due?: number
}

/** What running attempts hold together. */
export interface Held {
  readonly cpu: number
  readonly memory: number
  readonly gpu: number
  readonly attempts: number
  readonly pools: HashMap.HashMap<string, number>
  readonly locks: HashMap.HashMap<string, number>
}

/** The fold of a run's stream. Immutable; one event costs the same at the start and at the end of a run. */
export interface RunState extends Course {
  readonly plan: CompiledPlan
  readonly status: "created" | "running" | "cancelling" | FinalRunStatus
  readonly capacity: Capacity
  readonly tasks: IntMap.IntMap<TaskState>
  /** Needs not yet met; a task without an entry still has all of them. */
  readonly waitingFor: HashMap.HashMap<number, number>
  /** Tasks one of whose needs did not succeed. */
  readonly blocked: HashMap.HashMap<number, true>
  /** Open matrices, and those that were open. */
  readonly matrices: HashMap.HashMap<number, MatrixState>
  /** Sub-pipelines that were entered. */
  readonly pipelines: HashMap.HashMap<number, PipelineState>
  /** Matrices whose instances are being stopped. */
  readonly stopping: HashMap.HashMap<number, true>
  /** Ready tasks that must be asked something before they can start: a pause, an approval, or to be opened. */
  readonly asks: Fifo.Fifo<number>
  /** Tasks that wait for people. */
  readonly approvals: HashMap.HashMap<number, true>
  /** When the waiting for people ends, and the time of a sub-pipeline; entries of what no longer waits are stale. */
  readonly expiries: DueHeap | null
  /** Ready tasks by resource class, in the order in which they became ready. */
  readonly ready: HashMap.HashMap<number, Fifo.Fifo<number>>
  readonly running: HashMap.HashMap<number, true>
  /** Ready tasks that will be skipped: a need of theirs did not succeed and they have no `if`. */
  readonly skips: Fifo.Fifo<number>
  /** Tasks that will be tried again and have no due time yet. */
  readonly unscheduled: Fifo.Fifo<number>
  /** Tasks that will be tried again or are paused, by due time; entries of tasks that no longer wait are stale. */
  readonly due: DueHeap | null
  readonly unknown: HashMap.HashMap<number, true>
  readonly held: Held
  readonly createdAt: number
  /** It waits for other runs of its concurrency group. */
  readonly queued: boolean
}

const nobody: Capacity = { cpu: 0, memory: 0, gpu: 0, pools: {}, attempts: 0 }

/** A pipeline before its first block. */
export const beginning: Course = {
  phase: "tasks",
  open: 0,
  failed: false,
  lost: false,
  warned: false,
  handlerFailed: false,
  cancelled: false,
}

/** The state before the first event. */
export const initial = (plan: CompiledPlan): RunState => ({
  ...beginning,
  plan,
  status: "created",
  capacity: nobody,
  tasks: IntMap.empty,
  waitingFor: HashMap.empty(),
  blocked: HashMap.empty(),
  matrices: HashMap.empty(),
  pipelines: HashMap.empty(),
  stopping: HashMap.empty(),
  asks: Fifo.empty,
  approvals: HashMap.empty(),
  expiries: null,
  ready: HashMap.empty(),
  running: HashMap.empty(),
  skips: Fifo.empty,
  unscheduled: Fifo.empty,
  due: null,
  unknown: HashMap.empty(),
  held: { cpu: 0, memory: 0, gpu: 0, attempts: 0, pools: HashMap.empty(), locks: HashMap.empty() },
  createdAt: 0,
  queued: false,
})

const untouched: TaskState = { status: "pending", attempt: 0 }

/** How a pipeline stands by what has happened so far: the status that it ends with when nothing else happens. */
export const finalStatusOf = (course: Course): FinalRunStatus => {
  if (course.cancelled !== false) return course.cancelled === "timeout" ? "timed_out" : "cancelled"
  if (course.failed) return "failed"
  if (course.lost) return "lost"
  return course.warned || course.handlerFailed ? "warned" : "succeeded"
}

/** What a task of a handler handles: how its pipeline stands; undefined for a task of `tasks`. */
export const handledBy = (state: RunState, index: number): FinalRunStatus | undefined =>
  blockOf(state.plan, index) === "tasks"
    ? undefined
    : finalStatusOf(courseOf(state, parentOf(state.plan, index)) ?? state)

/** A task's state by index. */
export const taskAt = (state: RunState, index: number): TaskState => IntMap.get(state.tasks, index) ?? untouched

/** A task's state by id. */
export const taskOf = (state: RunState, id: string): TaskState => taskAt(state, indexOfId(state.plan, id))

/** True for a status after which what needs the task goes on. */
export const isGood = (status: TaskStatus): boolean => status === "succeeded" || status === "warned"

/** True for a status that nothing leaves. */
export const isTerminal = (status: TaskStatus): boolean =>
  status === "succeeded" ||
  status === "warned" ||
  status === "failed" ||
  status === "skipped" ||
  status === "cancelled" ||
  status === "timed_out" ||
  status === "lost"

/** A matrix that was opened; undefined before. */
export const matrixAt = (state: RunState, index: number): MatrixState | undefined => {
  const found = HashMap.get(state.matrices, index)
  return found._tag === "Some" ? found.value : undefined
}

/** A sub-pipeline that was entered; undefined before. */
export const pipelineAt = (state: RunState, index: number): PipelineState | undefined => {
  const found = HashMap.get(state.pipelines, index)
  return found._tag === "Some" ? found.value : undefined
}

/** How far the pipeline is that consists of a task's tasks: the run's own (-1), or a sub-pipeline that was entered. */
export const courseOf = (state: RunState, parent: number): Course | undefined =>
  parent === -1 ? state : pipelineAt(state, parent)

/** Whether the attempts of a node are being stopped: its block by a cancel, or its matrix by a failure. */
export const isStopping = (state: RunState, index: number): boolean => {
  const { plan } = state
  const cancelling = courseOf(state, parentOf(plan, index))?.cancelling
  if (cancelling !== undefined && cancelling === blockOf(plan, index)) return true
  return index >= plan.tasks.length && HashMap.has(state.stopping, templateOf(plan, index))
}

/** Whether a task waits for nothing but its time, or to be opened. */
export const isPaused = (task: TaskState): boolean => task.status === "waiting" && task.approval === undefined

/** Whether a sub-pipeline has a timeout that still counts: it does until its handlers begin. */
export const isTimed = (state: RunState, index: number): boolean => {
  const entered = pipelineAt(state, index)
  return entered?.due !== undefined && entered.phase === "tasks" && entered.cancelled === false
}

/** Whether an entry of a heap still stands for what its task waits for: a retry, a moment, people, or its timeout. */
export const isWaiter = (state: RunState, entry: { readonly task: number; readonly due: number }): boolean => {
  const { approval, due, pausedUntil, status } = taskAt(state, entry.task)
  if (status === "retrying") return due === entry.due
  if (status === "running") return isTimed(state, entry.task) && pipelineAt(state, entry.task)?.due === entry.due
  return status === "waiting" && (approval === undefined ? pausedUntil === entry.due : approval.due === entry.due)
}

/** The status of a run as people see it: `waiting` when only people are awaited. */
export const runStatus = (
  state: RunState,
): "created" | "queued" | "running" | "waiting" | "cancelling" | FinalRunStatus =>
  state.queued && state.status === "running"
    ? "queued"
    : state.phase !== "ended" &&
        HashMap.size(state.unknown) + HashMap.size(state.approvals) > 0 &&
        HashMap.size(state.running) === 0 &&
        isIdle(state)
      ? "waiting"
      : state.status

const isIdle = (state: RunState): boolean => {
  for (const [, queue] of state.ready) if (!Fifo.isEmpty(queue)) return false
  return state.due === null && Fifo.isEmpty(state.unscheduled) && Fifo.isEmpty(state.skips) && Fifo.isEmpty(state.asks)
}

/** Whether a run was told to cancel and waits for nothing but word of what nobody knows: who said so need not wait. */
export const isLeftUnknown = ({ approvals, cancelling }: RunState): boolean =>
  cancelling !== undefined && HashMap.isEmpty(approvals)
