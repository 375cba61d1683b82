import * as HashMap from "effect/HashMap"
import type { Event } from "../domain/event.ts"
import * as Sha256 from "../domain/sha256.ts"
import * as CompiledPlan from "../engine/compiled-plan.ts"
import type { Command } from "../engine/decide.ts"
import * as Resume from "../engine/resume.ts"
import { type RunState, initial, isTimed, runStatus, taskAt } from "../engine/run-state.ts"
import { genesis, seal } from "../ledger/sealing.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as Attempts from "./attempts.ts"
import { type Place, author, uuid } from "./place.ts"
import type { LifeEnd } from "./trace.ts"

/** A virtual process that holds a run. */
export interface Owner {
  readonly state: () => RunState
  /** Whether it has closed what its predecessor left open, and drives the run. */
  readonly drives: () => boolean
  /** Appends what somebody asked for, and answers when that is durable. */
  readonly record: (event: Event) => void
  readonly stop: () => void
}

/** What a process holds a run for: to drive it to its end, or to append one event that the state asks for. */
export type Purpose =
  | { readonly _tag: "Drive" }
  | { readonly _tag: "Append"; event: (state: RunState) => Event | undefined }

/** Thrown where the process dies, so that nothing of what it was about to do is done. */
const killed = Symbol("killed")

const subjectOf = (run: string, event: Event) => ("task" in event.data ? `${run}/${event.data.task}` : run)

/** Takes a run up: reads its ledger as `runs resume` does, cuts what is torn, closes what was open, and goes on. */
export const takeUp = (
  place: Place,
  life: number,
  purpose: Purpose,
  told: { readonly ended: (how: LifeEnd) => void; readonly hangs: () => void; readonly asks: () => void },
): Owner => {
  const { chance, created, disk, notes, rules, run, timeline } = place
  const stream = StreamName.ofRun(run)
  const { entries, torn } = disk.open()
  const isNew = entries.length === 0
  const chosen = isNew ? place.plan : rules.planOf(place.plan, place.current)
  const plan = place.compiled(chosen)
  const started = timeline.now()
  const wallAtStart = timeline.wall()
  /** Wall time that a stepped clock cannot bend. */
  const steady = () => wallAtStart + timeline.now() - started
  let head = entries.at(-1)?.head ?? genesis(stream)
  let state = entries.reduce(
    (before, { event }) => rules.evolve(before, Resume.asFoundAt(chosen, event, wallAtStart)),
    initial(plan),
  )
  let alive = true
  let recovered = false
  let closing = false
  /** Whether the core is to be asked again: something was appended, or a moment has come. */
  let changed = false
  let wake = Infinity

  const letGo = (how: LifeEnd) => {
    if (!alive) return
    alive = false
    notes.note({ _tag: "LetGo", run, life, how, ...disk.close(how) })
    told.ended(how)
  }
  const mayDie = () => {
    if (place.dies()) throw killed
  }
  const record = (event: Event) => {
    const time = timeline.wall()
    const timed = { ...event, time }
    let line = ""
    if (place.sealed) {
      const id = uuid(time, head.sequence + 1, "9")
      const sealed = seal(head, author, event, { id, subject: subjectOf(run, event), time })
      head = sealed.head
      line = sealed.line
    } else head = { sequence: head.sequence + 1, hash: head.hash }
    disk.append(timed, head, line)
    state = rules.evolve(state, timed)
    changed = true
    if (chance.hits(place.faults["clock-steps"])) {
      const millis = chance.millis(1_000, 86_400_000) * (chance.hits(0.5) ? 1 : -1)
      timeline.step(millis)
      notes.note({ _tag: "Fault", fault: "clock-steps", run, text: `the wall clock jumps by ${millis} ms` })
    }
    mayDie()
  }
  /** Lets the process do something, if it lives, and then what the core asks for. */
  const enter = (act: () => void) => {
    if (!alive) return
    try {
      act()
      if (recovered && changed) drive()
    } catch (error) {
      if (error !== killed) throw error
      letGo("killed")
    }
  }
  const later = (millis: number, act: () => void) => timeline.after(millis, () => enter(act))
  const patient = plan.plan.audit === "best-effort"
  /** Goes on when all is durable; a best-effort run goes on without, once it has `begun` and while it has not ended. */
  const flushed = (then: () => void, goesOn = patient) =>
    disk.flushed((durable) =>
      enter(() => {
        if (!durable && !goesOn) return letGo("ledger lost")
        mayDie()
        then()
      }),
    )
  const attempts = Attempts.make({ place, plan, state: () => state, record, later, flushed, hangs: told.hangs })

  const ask = (command: Command & { readonly task: number }) => {
    const task = plan.tasks[command.task]
    const { id } = task
    if (command._tag === "ExpireApproval") {
      return record({ type: "dev.dandori.approval.expired.v1", data: { task: id } })
    }
    if (task.if !== undefined && !place.condition(state, command.task)) {
      return record({ type: "dev.dandori.task.skipped.v1", data: { task: id, reason: `if: ${task.if} is false` } })
    }
    if (command._tag === "Pause") {
      const pause = place.world.pause(task)
      const until = pause === undefined ? Date.parse(task.pauseUntil?.until ?? "") : steady() + pause
      const reason = task.pauseUntil?.reason ?? ""
      return record({ type: "dev.dandori.task.paused.v1", data: { task: id, until, reason } })
    }
    if (command._tag === "RequestApproval") {
      const { approvers, timeout } = task.approval ?? { approvers: 1 }
      const due = timeout === undefined ? {} : { due: steady() + timeout }
      const data = { task: id, input: place.world.input(task), approvers, ...due }
      return record({ type: "dev.dandori.approval.requested.v1", data })
    }
    if (task.pipeline !== undefined) {
      const { timeout } = task.pipeline
      const due = timeout === undefined ? {} : { due: steady() + timeout }
      return record({ type: "dev.dandori.pipeline.entered.v1", data: { task: id, params: {}, ...due } })
    }
    record({ type: "dev.dandori.matrix.expanded.v1", data: { task: id, ...place.world.instances(task) } })
  }

  const carryOut = (command: Command): void => {
    if (command._tag === "WakeAt") {
      if (command.time >= wake) return
      wake = command.time
      return later(command.time - steady(), () => {
        wake = Infinity
        changed = true
      })
    }
    if (command._tag === "Finish") {
      const durationMillis = Math.max(0, steady() - place.createdAt)
      return record({ type: "dev.dandori.run.finished.v1", data: { status: command.status, durationMillis } })
    }
    if (command._tag === "Interrupt") return attempts.interrupt(command.task)
    if (command._tag === "TimeOut") {
      if (!isTimed(state, command.task)) return
      const { id, pipeline } = plan.tasks[command.task]
      const data = { task: id, timeoutMillis: pipeline?.timeout ?? 0 }
      return record({ type: "dev.dandori.pipeline.timed_out.v1", data })
    }
    const { status } = taskAt(state, command.task)
    if (status !== "ready" && status !== "retrying" && status !== "waiting") return
    const { id } = CompiledPlan.taskOfNode(plan, command.task)
    switch (command._tag) {
      case "Start":
        return attempts.start(command.task, command.attempt)
      case "Skip":
        return record({ type: "dev.dandori.task.skipped.v1", data: { task: id, reason: command.reason } })
      case "ScheduleRetry": {
        const { attempt, delayMillis } = command
        const data = { task: id, attempt, delayMillis, due: steady() + delayMillis }
        return record({ type: "dev.dandori.retry.scheduled.v1", data })
      }
      default:
        return ask(command)
    }
  }

  const leave = (how: LifeEnd) => {
    closing = true
    flushed(() => letGo(how), false)
  }
  const drive = () => {
    let passes = 0
    do {
      if (closing || !alive) return
      if (++passes > 1_000 + 10 * plan.tasks.length) return letGo("stuck")
      changed = false
      for (const command of rules.decide(state, steady())) carryOut(command)
    } while (changed)
    const status = runStatus(state)
    if (state.phase === "ended" && status !== "running" && status !== "cancelling") return leave("finished")
    if (HashMap.size(state.approvals) + HashMap.size(state.unknown) > 0) told.asks()
    if (status === "waiting" && !place.stays) leave("waits")
  }

  const watchTime = () => {
    const { timeout } = plan.plan
    if (timeout === undefined) return
    later(place.createdAt + timeout - steady(), () => {
      if (state.phase !== "tasks") return
      const reason = `the pipeline's timeout of ${timeout} ms is over`
      record({ type: "dev.dandori.cancel.requested.v1", data: { reason, timeout: true } })
    })
  }

  const goOn = () => {
    recovered = true
    changed = true
    watchTime()
  }
  const first = () => {
    record({ type: "dev.dandori.run.created.v1", data: created })
    flushed(goOn, false)
  }
  const again = () => {
    if (torn.length > 0) {
      const data = { removedBytes: torn.length, removedSha256: Sha256.of(torn), after: head.sequence }
      record({ type: "dev.dandori.ledger.repaired.v1", data })
    }
    if (purpose._tag === "Append") {
      const event = purpose.event(state)
      if (event !== undefined) record(event)
      return leave("waits")
    }
    if (state.phase === "ended" && state.status !== "running" && state.status !== "cancelling") return leave("finished")
    const { capacity, code } = created
    record({ type: "dev.dandori.run.resumed.v1", data: { code, capacity, stopped: [] } })
    const open = [...HashMap.keys(state.running)].toSorted((a, b) => a - b)
    const close = () => attempts.recover(open, goOn)
    if (patient) flushed(close, false)
    else close()
  }
  notes.note({ _tag: "TakenUp", run, life, plan: place.digestOf(chosen), sequence: entries.length })
  // Not before the caller has what it is given.
  timeline.after(0, () => enter(isNew ? first : again))

  return {
    state: () => state,
    drives: () => alive && recovered && !closing,
    record: (event) =>
      enter(() => {
        record(event)
        flushed(() => undefined)
      }),
    stop: () => letGo("stopped"),
  }
}
