import type { ErrorData, Event } from "../domain/event.ts"
import type { PlanTask } from "../domain/plan.ts"
import * as Sha256 from "../domain/sha256.ts"
import * as CompiledPlan from "../engine/compiled-plan.ts"
import { gateFailed } from "../engine/retrying.ts"
import { type RunState, isStopping, taskAt } from "../engine/run-state.ts"
import type { Place } from "./place.ts"
import type { Fault } from "./faults.ts"
import { type Probed, isRepeatable } from "./rules.ts"

/** What a process gives to its attempts. What they do later, they do only while the process lives. */
export interface Hands {
  readonly place: Place
  readonly plan: CompiledPlan.CompiledPlan
  readonly state: () => RunState
  readonly record: (event: Event, task: string) => void
  readonly later: (millis: number, act: () => void) => void
  /** Goes on when all that was recorded is durable; never when the ledger is lost. */
  readonly flushed: (then: () => void) => void
  /** Says that an attempt hangs and nothing limits it. */
  readonly hangs: () => void
}

interface Attempt {
  readonly index: number
  readonly task: PlanTask
  readonly number: number
  stage: "intent" | "working" | "ending"
}

type Result =
  | { readonly _tag: "Output"; readonly probed: boolean }
  | { readonly _tag: "Error"; readonly error: ErrorData }
  | { readonly _tag: "TimedOut" | "Silent" | "Interrupted" | "Unknown" }

const leavesOpen = (task: PlanTask, result: Result): boolean => {
  if (isRepeatable(task)) return false
  if (result._tag === "Error") return result.error.notApplied !== true && result.error.settled !== true
  return result._tag === "TimedOut" || result._tag === "Silent" || result._tag === "Interrupted"
}

const policy = { name: "simulation", sha256: Sha256.of("simulation") }

/** The attempts of one process: what the shell does around a task's Effect, by the rules of effect classes. */
export const make = (hands: Hands) => {
  const { later, place, plan, record, state } = hands
  const { chance, disk, notes, rules, run, world } = place
  const open = new Map<number, Attempt>()
  const fault = (name: Fault, text: string) => void notes.note({ _tag: "Fault", fault: name, run, text })
  const asked = (task: PlanTask): Probed => {
    const answer = world.probe(task)
    const fails = answer === "nobody knows" && !isRepeatable(task) && world.traits(task).probe
    if (fails) fault("probe-fails", `the probe of ${task.id} cannot say what happened`)
    return answer
  }

  const isGate = (task: PlanTask) =>
    task.pipeline === undefined && task.matrix === undefined && !task.id.endsWith("]") && world.traits(task).gate

  /** The bytes that a task makes public, by the gate whose claim it was given; undefined where a claim is missing. */
  const claimed = (task: PlanTask): Record<string, Sha256.Sha256> | undefined => {
    const claims: Record<string, Sha256.Sha256> = {}
    if (task.effects === "pure") return claims
    for (const need of task.needs) {
      const index = plan.indexOf.get(need) ?? -1
      const gate = plan.tasks[index]
      if (gate === undefined || (gate.block ?? "tasks") !== (task.block ?? "tasks") || !isGate(gate)) continue
      const output = taskAt(state(), index).output as { readonly gated?: Sha256.Sha256 } | undefined
      if (output?.gated === undefined) return undefined
      claims[need] = output.gated
    }
    return claims
  }

  const succeed = ({ task, number }: Attempt, probed: boolean, then: () => void) => {
    const attempt = { task: task.id, attempt: number }
    const said = probed ? { probed: true } : {}
    if (!isGate(task)) {
      record({ type: "dev.dandori.attempt.succeeded.v1", data: { ...attempt, output: {}, ...said } }, task.id)
      return then()
    }
    const verdict = world.verdict(task)
    if (verdict === "FAILED") fault("gate-fails", `${task.id} finds the bytes bad`)
    const subject = world.bytes(task)
    const subjects = [{ name: task.id, sha256: subject }]
    const reasons = verdict === "PASSED" ? [] : ["the bytes are bad"]
    const type = verdict === "PASSED" ? "dev.dandori.gate.passed.v1" : "dev.dandori.gate.failed.v1"
    const gate = { verdict, subjects, policy, reasons, reports: [] }
    record({ type, data: { ...attempt, type: task.type, gate } }, task.id)
    hands.flushed(() => {
      const receipts = [{ name: "receipt", sha256: subject, bytes: 0, mediaType: "application/json" }]
      const output = rules.claims(verdict) ? { gated: subject } : {}
      const data = { ...attempt, output, receipts }
      const error = { tag: gateFailed, message: "The gate says FAILED", settled: true }
      if (verdict === "PASSED")
        record({ type: "dev.dandori.attempt.succeeded.v1", data: { ...data, ...said } }, task.id)
      else record({ type: "dev.dandori.attempt.failed.v1", data: { ...data, error } }, task.id)
      then()
    })
  }

  const settle = (one: Attempt, result: Result, then: () => void) => {
    const { index, number, task } = one
    const data = { task: task.id, attempt: number }
    open.delete(index)
    switch (result._tag) {
      case "Output":
        return succeed(one, result.probed, then)
      case "Error":
        record({ type: "dev.dandori.attempt.failed.v1", data: { ...data, error: result.error } }, task.id)
        return then()
      case "TimedOut":
        record(
          { type: "dev.dandori.attempt.timed_out.v1", data: { ...data, timeoutMillis: task.timeout ?? 0 } },
          task.id,
        )
        return then()
      case "Silent": {
        const reason = "it gave no sign of life"
        record({ type: "dev.dandori.attempt.lost.v1", data: { ...data, reason } }, task.id)
        return then()
      }
      case "Interrupted":
        if (isStopping(state(), index)) record({ type: "dev.dandori.attempt.cancelled.v1", data }, task.id)
        return then()
      case "Unknown": {
        const reason = "nobody can say what happened"
        record({ type: "dev.dandori.attempt.unknown.v1", data: { ...data, reason } }, task.id)
        return then()
      }
    }
  }

  const probe = (one: Attempt, result: Result): Result => {
    const answer = asked(one.task)
    if (answer === "nobody knows") return { _tag: "Unknown" }
    if (answer === "happened") return { _tag: "Output", probed: true }
    return result._tag === "Error" ? { _tag: "Error", error: { ...result.error, notApplied: true } } : result
  }

  const finish = (one: Attempt, result: Result) => {
    one.stage = "ending"
    const done = () => undefined
    if (!leavesOpen(one.task, result)) return settle(one, result, done)
    later(chance.millis(5, 20_000), () => settle(one, probe(one, result), done))
  }

  const begin = (one: Attempt, publishes: Record<string, Sha256.Sha256>) => {
    if (one.stage !== "intent") return
    one.stage = "working"
    const { number: attempt, task } = one
    const script = world.script(task)
    const whileWorking = (millis: number, act: () => void) =>
      later(millis, () => {
        if (one.stage === "working") act()
      })
    if (task.effects !== "pure") {
      notes.note({ _tag: "WorkBegun", run, task: task.id, attempt, durable: disk.durable(), publishes })
      if (script.effectAt !== undefined) {
        whileWorking(script.effectAt, () => {
          world.happen(task)
          notes.note({ _tag: "Effect", run, task: task.id, attempt })
        })
      }
    }
    if (task.timeout !== undefined) whileWorking(task.timeout, () => finish(one, { _tag: "TimedOut" }))
    const { ending } = script
    if (ending === "hang") {
      fault("task-hangs", `${task.id} hangs`)
      if (task.heartbeat !== undefined) {
        const last = script.effectAt ?? 0
        whileWorking(last + chance.millis(task.heartbeat, 2 * task.heartbeat), () => finish(one, { _tag: "Silent" }))
      } else if (task.timeout === undefined) hands.hangs()
      return
    }
    if (ending !== "output") {
      fault("task-fails", `${task.id} will fail: ${ending.message}`)
    }
    const result: Result = ending === "output" ? { _tag: "Output", probed: false } : { _tag: "Error", error: ending }
    whileWorking(script.millis, () => finish(one, result))
  }

  return {
    start: (index: number, number: number) => {
      const task = CompiledPlan.taskOfNode(plan, index)
      if (number === 1 && task.if !== undefined && !place.condition(state(), index)) {
        const reason = `if: ${task.if} is false`
        return record({ type: "dev.dandori.task.skipped.v1", data: { task: task.id, reason } }, task.id)
      }
      const publishes = claimed(task)
      if (publishes === undefined || !world.inputFits(task)) {
        const message = publishes === undefined ? "a gate did not let the bytes through" : "the input does not fit"
        const data = { task: task.id, attempt: number, error: { tag: "InputInvalid", message, settled: true } }
        return record({ type: "dev.dandori.attempt.failed.v1", data }, task.id)
      }
      const one: Attempt = { index, task, number, stage: "intent" }
      open.set(index, one)
      record({ type: "dev.dandori.attempt.started.v1", data: { task: task.id, attempt: number } }, task.id)
      if (rules.waitsForIntent(task)) hands.flushed(() => begin(one, publishes))
      else begin(one, publishes)
    },
    /** Stops an attempt as interruption does: at once before its work, else when its finalizers have run. */
    interrupt: (index: number) => {
      const one = open.get(index)
      if (one === undefined) return
      if (one.stage === "intent") {
        one.stage = "ending"
        return settle(one, { _tag: "Interrupted" }, () => undefined)
      }
      open.delete(index)
      later(chance.millis(1, 5_000), () => {
        if (one.stage === "working") finish(one, { _tag: "Interrupted" })
      })
    },
    /** Closes, one after the other, the attempts that a dead process left open. */
    recover: (left: ReadonlyArray<number>, then: () => void) => {
      const next = (at: number): void => {
        if (at === left.length) return then()
        const index = left[at]
        const task = CompiledPlan.taskOfNode(plan, index)
        const one: Attempt = { index, task, number: taskAt(state(), index).attempt, stage: "ending" }
        const close = () => {
          const verdict = rules.afterCrash(task, asked(task))
          if (verdict === "lost") {
            const data = { task: task.id, attempt: one.number, reason: "its process ended before its result" }
            record({ type: "dev.dandori.attempt.lost.v1", data }, task.id)
            return next(at + 1)
          }
          const result: Result = verdict === "unknown" ? { _tag: "Unknown" } : { _tag: "Output", probed: true }
          settle(one, result, () => next(at + 1))
        }
        if (isRepeatable(task)) close()
        else later(chance.millis(5, 20_000), close)
      }
      next(0)
    },
  }
}
