import * as HashMap from "effect/HashMap"
import type { Artifact } from "../domain/artifact.ts"
import type { Capacity, ErrorData, FinalRunStatus } from "../domain/event.ts"
import type { Block } from "../domain/plan.ts"
import type { CompiledPlan } from "./compiled-plan.ts"
import type { DueHeap } from "./due-heap.ts"
import * as Fifo from "./fifo.ts"

/** Where a task stands. `ready` waits for resources only; `retrying` waits for its due time. */
export type TaskStatus =
  | "pending"
  | "ready"
  | "retrying"
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

export type Phase = Block | "ended"

/** The fold of a run's stream. Immutable; one event costs the same at the start and at the end of a run. */
export interface RunState {
  readonly plan: CompiledPlan
  readonly phase: Phase
  readonly status: "created" | "running" | "cancelling" | FinalRunStatus
  readonly capacity: Capacity
  readonly tasks: HashMap.HashMap<number, TaskState>
  /** Needs not yet met; a task without an entry still has all of them. */
  readonly waitingFor: HashMap.HashMap<number, number>
  /** Tasks one of whose needs did not succeed. */
  readonly blocked: HashMap.HashMap<number, true>
  /** Ready tasks by resource class, in the order in which they became ready. */
  readonly ready: HashMap.HashMap<number, Fifo.Fifo<number>>
  readonly running: HashMap.HashMap<number, true>
  /** Ready tasks that will be skipped: a need of theirs did not succeed and they have no `if`. */
  readonly skips: Fifo.Fifo<number>
  /** Tasks that will be tried again and have no due time yet. */
  readonly unscheduled: Fifo.Fifo<number>
  /** Tasks that will be tried again, by due time; entries of tasks that are no longer `retrying` are stale. */
  readonly due: DueHeap | null
  readonly unknown: HashMap.HashMap<number, true>
  readonly held: Held
  /** Tasks of the phase that have not ended. */
  readonly open: number
  /** Whether something went wrong in `tasks`, and in the handlers. */
  readonly failed: boolean
  readonly timedOut: boolean
  readonly lost: boolean
  readonly warned: boolean
  readonly handlerFailed: boolean
  readonly cancelled: false | "cancel" | "timeout"
  /** The phase whose attempts the newest cancel stops. */
  readonly cancelling?: Phase
  readonly createdAt: number
}

const nobody: Capacity = { cpu: 0, memory: 0, gpu: 0, pools: {}, attempts: 0 }

/** The state before the first event. */
export const initial = (plan: CompiledPlan): RunState => ({
  plan,
  phase: "tasks",
  status: "created",
  capacity: nobody,
  tasks: HashMap.empty(),
  waitingFor: HashMap.empty(),
  blocked: HashMap.empty(),
  ready: HashMap.empty(),
  running: HashMap.empty(),
  skips: Fifo.empty,
  unscheduled: Fifo.empty,
  due: null,
  unknown: HashMap.empty(),
  held: { cpu: 0, memory: 0, gpu: 0, attempts: 0, pools: HashMap.empty(), locks: HashMap.empty() },
  open: 0,
  failed: false,
  timedOut: false,
  lost: false,
  warned: false,
  handlerFailed: false,
  cancelled: false,
  createdAt: 0,
})

const untouched: TaskState = { status: "pending", attempt: 0 }

/** A task's state by index. */
export const taskAt = (state: RunState, index: number): TaskState => {
  const found = HashMap.get(state.tasks, index)
  return found._tag === "Some" ? found.value : untouched
}

/** A task's state by id. */
export const taskOf = (state: RunState, id: string): TaskState => taskAt(state, state.plan.indexOf.get(id) ?? -1)

/** True for a status that nothing leaves. */
export const isTerminal = (status: TaskStatus): boolean =>
  status === "succeeded" ||
  status === "warned" ||
  status === "failed" ||
  status === "skipped" ||
  status === "cancelled" ||
  status === "timed_out" ||
  status === "lost"

/** The status of a run as people see it: `waiting` when only people are awaited. */
export const runStatus = (state: RunState): "created" | "running" | "waiting" | "cancelling" | FinalRunStatus =>
  state.phase !== "ended" && HashMap.size(state.unknown) > 0 && HashMap.size(state.running) === 0 && isIdle(state)
    ? "waiting"
    : state.status

const isIdle = (state: RunState): boolean => {
  for (const [, queue] of state.ready) if (!Fifo.isEmpty(queue)) return false
  return state.due === null && Fifo.isEmpty(state.unscheduled) && Fifo.isEmpty(state.skips)
}
