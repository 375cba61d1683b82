import { isDeepStrictEqual } from "node:util"
import type { ErrorData, Event } from "../../src/domain/event.ts"
import type { Plan } from "../../src/domain/plan.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { compilePlan, indexOfId, taskOfNode } from "../../src/engine/compiled-plan.ts"
import * as Matrices from "../../src/domain/matrix.ts"
import { type Command, decide } from "../../src/engine/decide.ts"
import { evolve } from "../../src/engine/evolve.ts"
import * as IntMap from "../../src/engine/int-map.ts"
import { type RunState, initial, isTimed, runStatus, taskAt } from "../../src/engine/run-state.ts"
import { Model } from "./engine-model.ts"
import * as RandomPlan from "./engine-random-plan.ts"

/** An event with its time, as the core folds it. */
export type Timed = Event & { readonly time: number }

const digest = Sha256.of("")
const artifact = { name: "a", sha256: digest, bytes: 0, mediaType: "application/json" }

/** The first event of a run of a random plan. */
export const created = (plan: Plan, time = 0): Timed => ({
  type: "dev.dandori.run.created.v1",
  time,
  data: {
    pipeline: plan.id,
    plan: digest,
    planArtifact: artifact,
    config: artifact,
    params: {},
    env: "dev",
    environment: {},
    capacity: RandomPlan.capacity,
    durability: "fsync",
    code: digest,
  },
})

const inputs = [Sha256.of("one"), Sha256.of("other")]
const people = ["ada", "grace", "barbara"]

const errors: ReadonlyArray<ErrorData> = [
  { tag: "Alpha", message: "", transient: true },
  { tag: "Alpha", message: "", transient: true, notApplied: true },
  { tag: "Beta", message: "" },
  { tag: "Beta", message: "", notApplied: true },
  { tag: "GateFailed", message: "", settled: true },
]

/** All of a state that can be compared: plain, and of its own. */
export const snapshot = (state: RunState): string =>
  JSON.stringify([
    state.phase,
    state.status,
    state.open,
    IntMap.entries(state.tasks),
    [...state.running].toSorted(([a], [b]) => a - b),
    [...state.unknown].toSorted(([a], [b]) => a - b),
    [...state.waitingFor].toSorted(([a], [b]) => a - b),
    [...state.ready].toSorted(([a], [b]) => a - b),
    [...state.matrices].toSorted(([a], [b]) => a - b),
    [...state.pipelines].toSorted(([a], [b]) => a - b),
    [[...state.stopping], state.asks, [...state.approvals], state.expiries],
    [state.held.cpu, state.held.memory, state.held.attempts, [...state.held.pools], [...state.held.locks]],
    [state.due, state.skips, state.unscheduled, state.failed, state.warned, state.lost, state.cancelled],
  ])

/** A source of chance from a seed (mulberry32). */
export const dice = (seed: number) => {
  let at = seed | 0
  return (below: number) => {
    at = (at + 0x6d2b79f5) | 0
    let t = Math.imul(at ^ (at >>> 15), 1 | at)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** A run that is driven by chance: `draw(n)` gives an integer from 0 to n - 1. */
export class Interpreter {
  readonly plan: Plan
  readonly draw: (below: number) => number
  readonly events: Array<Timed> = []
  readonly seen: Array<{ readonly state: RunState; readonly text: string }> = []
  readonly model: Model
  state: RunState
  now = 0
  private cancels = 0

  /** A new run, or one that goes on after `past` in another process. */
  constructor(plan: Plan, draw: (below: number) => number, past: ReadonlyArray<Timed> = []) {
    this.plan = plan
    this.draw = draw
    this.state = initial(compilePlan(plan))
    this.model = new Model(plan)
    for (const event of past.length === 0 ? [created(plan)] : past) this.append(event)
    this.now = this.events.at(-1)?.time ?? 0
    if (past.length > 0) this.crash()
  }

  private append(event: Timed) {
    this.seen.push({ state: this.state, text: snapshot(this.state) })
    this.events.push(event)
    this.state = evolve(this.state, event)
    this.model.apply(event)
    for (const one of this.model.tasks) {
      const status = taskAt(this.state, indexOfId(this.state.plan, one.task.id)).status
      if (status !== this.model.statusOf(one)) {
        throw new Error(`${one.task.id} is ${status}, by the rules ${this.model.statusOf(one)}, after ${event.type}`)
      }
    }
  }
  private record(event: Event) {
    this.append({ ...event, time: this.now })
  }
  private chance(oneIn: number) {
    return this.draw(oneIn) === 0
  }
  private running() {
    return this.model.tasks.filter((one) => one.status === "running" && one.open)
  }

  private carryOut(command: Command) {
    if (command._tag === "WakeAt") return
    if (command._tag === "Finish") {
      return this.record({ type: "dev.dandori.run.finished.v1", data: { status: command.status, durationMillis: 0 } })
    }
    const status = taskAt(this.state, command.task).status
    const task = taskOfNode(this.state.plan, command.task).id
    const planTask = taskOfNode(this.state.plan, command.task)
    const asks = ["Open", "Pause", "RequestApproval"].includes(command._tag)
    if (asks && (status === "ready" || status === "waiting") && planTask.if !== undefined && this.chance(4)) {
      return this.record({ type: "dev.dandori.task.skipped.v1", data: { task, reason: "if" } })
    }
    switch (command._tag) {
      case "Open": {
        if (status !== "ready" && status !== "waiting") return
        if (planTask.matrix === undefined) {
          const { timeout } = planTask.pipeline ?? {}
          const due = timeout === undefined ? {} : { due: this.now + timeout }
          return this.record({ type: "dev.dandori.pipeline.entered.v1", data: { task, params: {}, ...due } })
        }
        const count = Matrices.combinations(planTask.matrix, Matrices.literalValues(planTask.matrix)).length
        return this.record({ type: "dev.dandori.matrix.expanded.v1", data: { task, count } })
      }
      case "Pause": {
        if (status !== "ready") return
        const until = this.now + this.draw(50)
        return this.record({ type: "dev.dandori.task.paused.v1", data: { task, until, reason: "" } })
      }
      case "RequestApproval": {
        if (status !== "ready" && status !== "waiting") return
        const { approvers, timeout } = planTask.approval ?? { approvers: 1 }
        const due = timeout === undefined ? {} : { due: this.now + timeout }
        const data = { task, input: inputs[this.draw(2)], approvers, ...due }
        return this.record({ type: "dev.dandori.approval.requested.v1", data })
      }
      case "TimeOut":
        if (!isTimed(this.state, command.task)) return
        return this.record({ type: "dev.dandori.pipeline.timed_out.v1", data: { task, timeoutMillis: 0 } })
      case "ExpireApproval":
        if (status !== "waiting") return
        return this.record({ type: "dev.dandori.approval.expired.v1", data: { task } })
      case "Start": {
        if (status !== "ready" && status !== "retrying" && status !== "waiting") return
        const { attempt } = command
        if (planTask.if !== undefined && attempt === 1 && this.chance(4)) {
          return this.record({ type: "dev.dandori.task.skipped.v1", data: { task, reason: "if" } })
        }
        if (this.chance(12)) {
          const error = { tag: "InputInvalid", message: "", settled: true }
          return this.record({ type: "dev.dandori.attempt.failed.v1", data: { task, attempt, error } })
        }
        return this.record({ type: "dev.dandori.attempt.started.v1", data: { task, attempt } })
      }
      case "Skip":
        if (status !== "ready") return
        if (!this.model.mustSkip(this.model.tasks[command.task])) throw new Error(`${task} is skipped without a reason`)
        return this.record({ type: "dev.dandori.task.skipped.v1", data: { task, reason: "needs" } })
      case "ScheduleRetry": {
        if (status !== "retrying") return
        const { attempt, delayMillis } = command
        const due = this.now + delayMillis
        return this.record({ type: "dev.dandori.retry.scheduled.v1", data: { task, attempt, delayMillis, due } })
      }
      case "Interrupt":
        return status === "running" && this.chance(2) ? this.settle(task) : undefined
    }
  }

  /** Ends a running attempt in one of the ways that the shell has. */
  private settle(task: string) {
    const one = this.model.byId.get(task)
    if (one === undefined || one.status !== "running") return
    const data = { task, attempt: one.attempt }
    const careful = one.task.effects === "once" || one.task.effects === "irreversible"
    const pick = this.draw(10)
    if (this.model.isStopping(one) && pick < 4) {
      return this.record({ type: "dev.dandori.attempt.cancelled.v1", data })
    }
    if (pick === 9 && careful)
      return this.record({ type: "dev.dandori.attempt.unknown.v1", data: { ...data, reason: "" } })
    if (pick === 8)
      return this.record({ type: "dev.dandori.attempt.timed_out.v1", data: { ...data, timeoutMillis: 1 } })
    if (pick > 4) {
      const error = errors[this.draw(errors.length)]
      return this.record({ type: "dev.dandori.attempt.failed.v1", data: { ...data, error } })
    }
    this.record({ type: "dev.dandori.attempt.succeeded.v1", data: { ...data, output: { value: this.draw(9) } } })
  }

  /** The process dies, or is stopped in order, and another goes on: open attempts are lost, or what their probe says. */
  private crash() {
    const { capacity } = RandomPlan
    const orderly = this.chance(3) ? ({ orderly: true } as const) : {}
    if ("orderly" in orderly) {
      const interrupted = this.running().map(({ task }) => task.id)
      this.record({ type: "dev.dandori.run.suspended.v1", data: { interrupted } })
    }
    this.record({ type: "dev.dandori.run.resumed.v1", data: { code: digest, capacity, stopped: [] } })
    for (const { task, attempt } of this.running()) {
      const data = { task: task.id, attempt }
      const pick = task.effects === "pure" || task.effects === "idempotent" ? 0 : this.draw(3)
      if (pick === 0) this.record({ type: "dev.dandori.attempt.lost.v1", data: { ...data, reason: "", ...orderly } })
      if (pick === 1) this.record({ type: "dev.dandori.attempt.unknown.v1", data: { ...data, reason: "" } })
      if (pick === 2) this.record({ type: "dev.dandori.attempt.succeeded.v1", data: { ...data, probed: true } })
    }
  }
  private cancel() {
    if (this.model.phase === "ended" || this.cancels++ > 2) return
    const timeout = this.chance(3) ? { timeout: true } : {}
    this.record({ type: "dev.dandori.cancel.requested.v1", data: { reason: "", ...timeout } })
  }
  /** People whom a task waits for. */
  private asked() {
    return this.model.tasks.filter((one) => one.status === "waiting" && one.asked !== undefined)
  }
  /** Somebody answers: agrees, agrees again, agrees to something else, or refuses. */
  private answer() {
    const waiting = this.asked()
    const { task } = waiting[this.draw(waiting.length)]
    const data = { task: task.id, input: inputs[this.draw(2)], by: people[this.draw(people.length)] }
    if (!this.chance(6)) return this.record({ type: "dev.dandori.approval.granted.v1", data })
    this.record({ type: "dev.dandori.approval.refused.v1", data: { ...data, reason: "" } })
  }
  private resolve() {
    const waiting = this.model.tasks.filter((one) => one.status === "unknown")
    const { task } = waiting[this.draw(waiting.length)]
    const as = this.chance(2) ? "succeeded" : "failed"
    this.record({ type: "dev.dandori.task.resolved.v1", data: { task: task.id, as, reason: "" } })
  }

  /** Drives the run to its end; throws at the first thing that the rules do not allow. */
  drive() {
    for (let steps = 0; ; steps++) {
      if (steps > 400 + 400 * this.model.tasks.length) throw new Error("the run does not end")
      const commands = decide(this.state, this.now)
      const named = commands.flatMap((command) => ("task" in command ? [command.task] : []))
      if (new Set(named).size !== named.length) throw new Error("two commands for one task")
      if (steps % 8 === 0 && !isDeepStrictEqual(decide(this.state, this.now), commands))
        throw new Error("decide differs")
      const interrupted = new Set(commands.flatMap((one) => (one._tag === "Interrupt" ? [one.task] : [])))
      for (const one of this.running()) {
        const index = indexOfId(this.state.plan, one.task.id)
        if (this.model.isStopping(one) !== interrupted.has(index)) throw new Error(`${one.task.id} is stopped wrongly`)
      }
      const before = this.events.length
      for (const command of commands) {
        this.carryOut(command)
        if (this.chance(20)) this.cancel()
        const running = this.running()
        if (running.length > 0 && this.chance(6)) this.settle(running[this.draw(running.length)].task.id)
      }
      if (this.model.finished !== undefined) return
      if (this.events.length > before) continue
      const running = this.running()
      const unknown = this.model.tasks.filter((one) => one.status === "unknown").length
      const asked = this.asked().length
      const wake = commands.find((command) => command._tag === "WakeAt")
      const timed = this.model.tasks.some(
        (one) => one.status === "retrying" || (one.status === "waiting" && one.asked === undefined),
      )
      const alone = running.length === 0 && !timed
      if (alone && unknown + asked === 0) throw new Error(`the run is stuck in ${this.state.phase}`)
      if ((runStatus(this.state) === "waiting") !== (alone && unknown + asked > 0)) {
        throw new Error("waiting is said wrongly")
      }
      if (unknown > 0 && ((alone && asked === 0) || this.chance(5))) this.resolve()
      else if (asked > 0 && this.chance(2)) this.answer()
      else if (this.chance(30)) this.cancel()
      else if (this.chance(25)) this.crash()
      else if (wake !== undefined && (running.length === 0 || this.chance(2))) this.now = wake.time
      else if (running.length > 0) this.settle(running[this.draw(running.length)].task.id)
      this.now += this.draw(3)
    }
  }
}
