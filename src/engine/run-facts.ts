import type { Artifact } from "../domain/artifact.ts"
import type { ErrorData, Event } from "../domain/event.ts"
import type { GateResult } from "../domain/gate.ts"
import type { Plan } from "../domain/plan.ts"
import { compilePlan } from "./compiled-plan.ts"
import { evolve } from "./evolve.ts"
import { type RunState, type TaskStatus, initial, taskAt } from "./run-state.ts"
import type { Waiting } from "../services/leases.ts"
import type { ProgressReport } from "../services/progress.ts"

/** An event with its time, milliseconds since the epoch, and the run that it belongs to, where that is known. */
export type TimedEvent = Event & { readonly time: number; readonly run?: string }

/** One try of a task as its events tell it. Times are milliseconds since the epoch. */
export interface AttemptFacts {
  readonly attempt: number
  readonly started: number
  ended?: number
  result?: "succeeded" | "failed" | "timed_out" | "cancelled" | "lost" | "unknown"
  error?: ErrorData
  reason?: string
}

/** What is shown of a task beyond its state: times, live progress, where its output came from. */
export interface TaskFacts {
  readonly attempts: Array<AttemptFacts>
  ended?: number
  progress?: ProgressReport
  /** What it waits for before it may start, as far as others hold it. */
  waiting?: Waiting
  log?: string
  /** Why it was skipped or cannot be told. */
  reason?: string
  cached?: { readonly run: string; readonly task: string }
  probed?: boolean
  resolved?: string
  /** The run that its result was taken over from. */
  adopted?: string
  gate?: GateResult
  output?: unknown
  outputArtifact?: Artifact
}

/** A run as it is shown: the core's fold of its events, and beside it what only people want to know. */
export interface RunFacts {
  readonly plan: Plan
  readonly tasks: Map<string, TaskFacts>
  state: RunState
  run?: string
  env?: string
  created?: number
  durationMillis?: number
  resumed: number
  /** The cordon that keeps it from starting more. */
  held?: { readonly cordon: string; readonly reason: string }
  cancel?: string
}

/** A run before its first event. */
export const make = (plan: Plan): RunFacts => ({
  plan,
  tasks: new Map(),
  state: initial(compilePlan(plan)),
  resumed: 0,
})

const none: TaskFacts = { attempts: [] }

/** The facts of a task, empty before its first event. */
export const taskFacts = (facts: RunFacts, id: string): TaskFacts => facts.tasks.get(id) ?? none

/** The status of the task at an index of the plan. */
export const statusAt = (facts: RunFacts, index: number): TaskStatus => taskAt(facts.state, index).status

/** The facts of a task, to be added to. */
export const touch = (facts: RunFacts, id: string): TaskFacts => {
  const found = facts.tasks.get(id)
  if (found !== undefined) return found
  const made: TaskFacts = { attempts: [] }
  facts.tasks.set(id, made)
  return made
}

/** Milliseconds that the attempts of a task took together, or have taken so far. */
export const taskMillis = (task: TaskFacts, now: number): number =>
  task.attempts.reduce((sum, { started, ended }) => sum + Math.max(0, (ended ?? now) - started), 0)

const endAttempt = (
  task: TaskFacts,
  event: { readonly time: number; readonly data: { readonly attempt: number; readonly millis?: number } },
  result: NonNullable<AttemptFacts["result"]>,
  more: Pick<AttemptFacts, "error" | "reason"> = {},
): void => {
  const attempt = task.attempts.findLast(({ attempt }) => attempt === event.data.attempt)
  const { millis } = event.data
  // The clock may have been stepped: what the attempt took is measured.
  const ended =
    attempt === undefined || millis === undefined
      ? Math.max(event.time, attempt?.started ?? 0)
      : attempt.started + millis
  if (attempt !== undefined) Object.assign(attempt, { ended, result, ...more })
  task.ended = ended
  delete task.progress
}

const onTask = (task: TaskFacts, event: TimedEvent): void => {
  switch (event.type) {
    case "dev.dandori.attempt.started.v1":
      delete task.log
      delete task.gate
      delete task.waiting
      return void task.attempts.push({ attempt: event.data.attempt, started: event.time })
    case "dev.dandori.attempt.succeeded.v1": {
      const { cached, probed, output, outputArtifact } = event.data
      if (cached !== undefined) task.cached = cached
      if (probed === true) task.probed = true
      if (output !== undefined) task.output = output
      if (outputArtifact !== undefined) task.outputArtifact = outputArtifact
      return endAttempt(task, event, "succeeded")
    }
    case "dev.dandori.attempt.failed.v1": {
      const { output, outputArtifact, error } = event.data
      if (output !== undefined) task.output = output
      if (outputArtifact !== undefined) task.outputArtifact = outputArtifact
      return endAttempt(task, event, "failed", { error })
    }
    case "dev.dandori.attempt.timed_out.v1":
      return endAttempt(task, event, "timed_out")
    case "dev.dandori.attempt.cancelled.v1":
      return endAttempt(task, event, "cancelled")
    case "dev.dandori.attempt.lost.v1":
      return endAttempt(task, event, "lost", { reason: event.data.reason })
    case "dev.dandori.attempt.unknown.v1":
      task.reason = event.data.reason
      return endAttempt(task, event, "unknown", { reason: event.data.reason })
    case "dev.dandori.task.skipped.v1":
      task.reason = event.data.reason
      task.ended = event.time
      return
    case "dev.dandori.task.adopted.v1": {
      const { output, outputArtifact, run } = event.data
      task.adopted = run
      if (output !== undefined) task.output = output
      if (outputArtifact !== undefined) task.outputArtifact = outputArtifact
      return
    }
    case "dev.dandori.task.resolved.v1":
      task.resolved = `resolved as ${event.data.as}: ${event.data.reason}`
      if (event.data.output !== undefined) task.output = event.data.output
      return
    case "dev.dandori.gate.passed.v1":
    case "dev.dandori.gate.failed.v1":
      task.gate = event.data.gate
      return
    default:
      return
  }
}

/** Adds an event to what is known of its run. */
export const add = (facts: RunFacts, event: TimedEvent): void => {
  facts.state = evolve(facts.state, event)
  if (event.run !== undefined) facts.run = event.run
  switch (event.type) {
    case "dev.dandori.run.created.v1":
      facts.env = event.data.env
      facts.created = event.time
      return
    case "dev.dandori.run.resumed.v1":
      facts.resumed++
      delete facts.held
      return
    case "dev.dandori.run.held.v1":
      facts.held = event.data
      return
    case "dev.dandori.run.released.v1":
      delete facts.held
      return
    case "dev.dandori.run.finished.v1":
      facts.durationMillis = event.data.durationMillis
      delete facts.held
      return
    case "dev.dandori.cancel.requested.v1":
      facts.cancel = event.data.reason
      return
    default:
      if ("task" in event.data) onTask(touch(facts, event.data.task), event)
  }
}
