import * as HashMap from "effect/HashMap"
import * as CompiledPlan from "./compiled-plan.ts"
import * as DueHeap from "./due-heap.ts"
import * as Fifo from "./fifo.ts"
import { lacking } from "./holding.ts"
import { type RunState, type TaskStatus, isWaiter, matrixAt, pipelineAt, runStatus, taskAt } from "./run-state.ts"
import { resourcesOf } from "./transitions.ts"
import type { Waiting } from "../services/leases.ts"
import { type RunFacts, taskFacts } from "./run-facts.ts"

/** What a task waits for once all that it needs has ended. Times are milliseconds since the epoch. */
export type Waits =
  | { readonly for: "cordon"; readonly cordon: string; readonly reason: string }
  | ({ readonly for: "resource" } & Waiting)
  | { readonly for: "retry"; readonly attempt: number; readonly due?: number }
  | {
      readonly for: "approval"
      readonly granted: ReadonlyArray<string>
      readonly approvers: number
      readonly due?: number
    }
  | { readonly for: "pause"; readonly until: number; readonly reason: string }

/** Where a task or a run stands, and what it waits for where it does. */
export interface Standing<Status> {
  readonly status: Status
  readonly waits?: Waits
}

/** A task's status as people see it: what is to be tried again is one that waits. */
export type ShownStatus = Exclude<TaskStatus, "retrying">

const waiting = (waits: Waits): Standing<"waiting"> => ({ status: "waiting", waits })

/** What a ready task waits for; undefined where it is about to start. */
const held = (facts: RunFacts, index: number): Waits | undefined => {
  const { capacity, held, plan } = facts.state
  if (facts.held !== undefined) return { for: "cordon", ...facts.held }
  const others = taskFacts(facts, CompiledPlan.taskOfNode(plan, index).id).waiting
  if (others !== undefined) return { for: "resource", ...others }
  const name = lacking(held, capacity, resourcesOf(facts.state, index))
  return name === undefined ? undefined : { for: "resource", name, holders: [], earlier: [] }
}

/** Whether an attempt runs within a matrix or a sub-pipeline. */
const isWorking = ({ plan, running }: RunState, group: number): boolean => {
  for (const node of HashMap.keys(running)) {
    for (let at = CompiledPlan.groupOf(plan, node); at !== -1; at = CompiledPlan.groupOf(plan, at)) {
      if (at === group) return true
    }
  }
  return false
}

/** The nodes that an open matrix or sub-pipeline consists of now; undefined for what is neither, or is not open. */
const nodesOf = ({ state }: RunFacts, index: number): ReadonlyArray<number> | undefined => {
  const { plan } = state
  const matrix = matrixAt(state, index)
  if (matrix !== undefined)
    return Array.from({ length: matrix.count }, (_, n) => CompiledPlan.instanceAt(plan, index, n))
  const phase = pipelineAt(state, index)?.phase
  return phase === undefined || phase === "ended" ? undefined : CompiledPlan.membersOf(plan, index, phase)
}

/** What an open matrix or sub-pipeline waits for: nothing of it runs, and something of it waits. */
const ofGroup = (facts: RunFacts, index: number, now: number): Waits | undefined => {
  const nodes = nodesOf(facts, index)
  if (nodes === undefined || isWorking(facts.state, index)) return undefined
  for (const node of nodes) {
    const { status, waits } = at(facts, node, now)
    if (waits !== undefined || status === "ready" || status === "running") return waits
  }
  return undefined
}

/** Where a node of the plan stands. */
export const at = (facts: RunFacts, index: number, now: number): Standing<ShownStatus> => {
  const { approval, attempt, due, pausedUntil = 0, status } = taskAt(facts.state, index)
  if (status === "ready") {
    const waits = held(facts, index)
    return waits === undefined ? { status } : waiting(waits)
  }
  if (status === "retrying") {
    if (facts.held !== undefined && due !== undefined && due <= now) return waiting({ for: "cordon", ...facts.held })
    return waiting({ for: "retry", attempt: attempt + 1, ...(due === undefined ? {} : { due }) })
  }
  if (status === "waiting") {
    if (approval !== undefined) {
      const { approvers, due, granted } = approval
      return waiting({ for: "approval", granted, approvers, ...(due === undefined ? {} : { due }) })
    }
    if (facts.held !== undefined && pausedUntil <= now) return waiting({ for: "cordon", ...facts.held })
    const { pauseUntil } = CompiledPlan.taskOfNode(facts.state.plan, index)
    return waiting({ for: "pause", until: pausedUntil, reason: pauseUntil?.reason ?? "" })
  }
  const waits = status === "running" ? ofGroup(facts, index, now) : undefined
  return waits === undefined ? { status } : waiting(waits)
}

/** Where the task of an id stands. */
export const ofTask = (facts: RunFacts, id: string, now: number): Standing<ShownStatus> => {
  const index = CompiledPlan.indexOfId(facts.state.plan, id)
  return index === -1 ? { status: "pending" } : at(facts, index, now)
}

/** What the ready tasks of a run wait for; undefined where there are none, `starting` where one is about to start. */
const ofReady = (facts: RunFacts, now: number): Waits | "starting" | undefined => {
  let first: Waits | undefined
  for (const queue of [facts.state.asks, ...HashMap.values(facts.state.ready)]) {
    for (const index of Fifo.values(queue)) {
      if (taskAt(facts.state, index).status !== "ready") continue
      const { waits } = at(facts, index, now)
      if (waits === undefined || waits.for === "cordon") return waits ?? "starting"
      first ??= waits
    }
  }
  return first
}

/** What is due next, where something is. */
const ofDue = (facts: RunFacts, now: number): Waits | undefined => {
  let heap = facts.state.due
  while (heap !== null && !isWaiter(facts.state, heap)) heap = DueHeap.pop(heap)
  return heap === null ? undefined : at(facts, heap.task, now).waits
}

const ofPeople = (facts: RunFacts, now: number): Waits | undefined => {
  for (const index of HashMap.keys(facts.state.approvals)) return at(facts, index, now).waits
  return undefined
}

/** Where the run stands: it waits when nothing of it runs, and all that is open waits. */
export const ofRun = (facts: RunFacts, now: number): Standing<ReturnType<typeof runStatus>> => {
  const { running, skips, unscheduled } = facts.state
  const status = runStatus(facts.state)
  const people = status === "waiting" ? ofPeople(facts, now) : undefined
  if (status === "waiting") return people === undefined ? { status } : waiting(people)
  const isBusy = HashMap.size(running) > 0 || !Fifo.isEmpty(skips) || !Fifo.isEmpty(unscheduled)
  const ready = status !== "running" || isBusy ? "starting" : ofReady(facts, now)
  const waits = ready === "starting" ? undefined : (ready ?? ofDue(facts, now) ?? ofPeople(facts, now))
  return waits === undefined ? { status } : waiting(waits)
}

const moment = (millis: number): string => new Date(millis).toISOString()

/** What is waited for, as programs read it. */
export const json = (waits: Waits) => ({
  ...waits,
  ...("due" in waits && waits.due !== undefined ? { due: moment(waits.due) } : {}),
  ...("until" in waits ? { until: moment(waits.until) } : {}),
})
