import * as Plan from "../domain/plan.ts"
import * as Occurrences from "../scheduler/occurrences.ts"
import { ledgerOnlyGrows, lossIsBounded } from "./ledger-promises.ts"
import { isRepeatable } from "./rules.ts"
import type { Kept, RunTrace, Trace } from "./trace.ts"
import { type Violation, findings, momentsByRun } from "./violation.ts"

/** Looks for places where a trace breaks one promise. */
export interface Promised {
  readonly number: number
  readonly text: string
  readonly check: (trace: Trace) => ReadonlyArray<Violation>
}

const shortType = (type: string) => type.replace(/^dev\.dandori\.(.*)\.v1$/, "$1")

const dataOf = (kept: Kept) => kept.event.data as { readonly task?: string; readonly attempt?: number }

/** 1: every tick of the window is closed once, in order, and has a run if and only if it ran. */
export const everyTickCloses = (trace: Trace): ReadonlyArray<Violation> => {
  const { demand, found } = findings(1)
  const { schedule } = trace.plan
  if (trace.window === undefined || schedule === undefined) return found
  const closed = trace.moments.filter((moment) => moment._tag === "TickClosed")
  const nominal = [...Occurrences.between(schedule, trace.window.from, trace.window.to)].map(({ at }) => at)
  const runs = new Map<string, number>()
  for (const { kept } of trace.runs) {
    const created = kept[0]?.event
    if (created?.type !== "dev.dandori.run.created.v1" || created.data.tick === undefined) continue
    runs.set(created.data.tick, (runs.get(created.data.tick) ?? 0) + 1)
  }
  nominal.forEach((tick) => {
    const own = closed.filter((moment) => moment.tick === tick)
    const name = new Date(tick).toISOString()
    const at = own.map(({ number }) => number)
    demand(own.length === 1, () => `the tick ${name} has ${own.length} outcomes`, ...at)
    const made = runs.get(name.replace(".000Z", "Z")) ?? 0
    const wanted = own[0]?.outcome === "ran" ? 1 : 0
    demand(own.length === 0 || made === wanted, () => `the tick ${name} ${own[0].outcome} and has ${made} runs`, ...at)
  })
  const order = closed.map(({ tick }) => tick)
  demand(
    order.every((tick, i) => i === 0 || tick > order[i - 1]) && order.every((tick) => nominal.includes(tick)),
    () => "ticks are closed out of order, or that are none",
  )
  return found
}

const closing = new Set(["succeeded", "failed", "timed_out", "cancelled", "lost", "unknown"].map((x) => `attempt.${x}`))
const final = new Set(["attempt.succeeded", "attempt.cancelled", "task.skipped", "approval.expired", "task.resolved"])

/** 2: every attempt has one end, attempts count up, nothing follows an end that is final, and the run ends. */
export const everyAttemptEnds = (trace: Trace): ReadonlyArray<Violation> => {
  const { demand, found } = findings(2)
  for (const { ended, kept, run } of trace.runs) {
    const open = new Map<string, { readonly attempt: number; readonly moment: number }>()
    const last = new Map<string, { readonly type: string; readonly attempt: number; readonly moment: number }>()
    let finished: number | undefined
    for (const one of kept) {
      const { attempt = 0, task } = dataOf(one)
      const type = shortType(one.event.type)
      const at = one.moment
      demand(finished === undefined, () => `${type} after run ${run} had ended`, finished ?? at, at)
      if (type === "run.finished") finished = at
      if (task === undefined) continue
      const before = last.get(task)
      const said = () => `${task}: ${type} after ${before?.type}`
      demand(before === undefined || !final.has(before.type), said, before?.moment ?? at, at)
      if (before?.type === "attempt.unknown") demand(type === "task.resolved", said, before.moment, at)
      if (type === "attempt.started") {
        const running = open.get(task)
        demand(running === undefined, () => `${task}: attempt ${attempt} starts in attempt ${running?.attempt}`, at)
        const expected = (before?.attempt ?? 0) + 1
        demand(attempt === expected, () => `${task}: attempt ${attempt} starts, ${expected} is due`, at)
        open.set(task, { attempt, moment: at })
      } else if (closing.has(type)) {
        const running = open.get(task)
        const unstarted = type === "attempt.failed" && running === undefined
        demand(unstarted || running?.attempt === attempt, () => `${task}: ${type} ends no attempt ${attempt}`, at)
        open.delete(task)
      }
      const kept = type === "attempt.started" || closing.has(type) ? attempt : (before?.attempt ?? 0)
      if (!type.startsWith("gate.")) last.set(task, { type, attempt: kept, moment: at })
    }
    for (const [task, { attempt, moment }] of open) {
      demand(finished === undefined, () => `${task}: attempt ${attempt} has no end`, moment)
    }
    demand(ended && finished !== undefined, () => `run ${run} does not end`, kept.at(-1)?.moment ?? 0)
  }
  return found
}

/**
 * 3: no work that changes the world begins before its intent is on the disk, and a once effect never comes twice. A
 * best-effort plan has tasks only that may be done again: they need no durable intent.
 */
export const intentsComeFirst = (trace: Trace): ReadonlyArray<Violation> => {
  const { demand, found } = findings(3)
  const moments = momentsByRun(trace)
  for (const { kept, plan, run } of trace.runs) {
    const careful = new Set(plan.tasks.filter((task) => !isRepeatable(task)).map(({ id }) => id))
    const isCareful = (task: string) => careful.has(task) || careful.has(task.replace(/\[\d+\]$/, ""))
    const intents = new Map<string, number>()
    const effects = new Map<string, number>()
    for (const one of kept) {
      if (one.event.type !== "dev.dandori.attempt.started.v1") continue
      intents.set(`${one.event.data.task} ${one.event.data.attempt}`, one.sequence)
    }
    for (const moment of moments.get(run) ?? []) {
      if (moment._tag === "WorkBegun") {
        const intent = intents.get(`${moment.task} ${moment.attempt}`)
        const durable = intent !== undefined && intent <= moment.durable
        const granted = durable || plan.audit === "best-effort"
        demand(granted, () => `${moment.task} begins attempt ${moment.attempt} without a durable intent`, moment.number)
        const done = isCareful(moment.task) ? effects.get(moment.task) : undefined
        const again = () => `${moment.task} is tried again though its effect has happened`
        demand(done === undefined, again, done ?? moment.number, moment.number)
      } else if (moment._tag === "Effect" && isCareful(moment.task)) effects.set(moment.task, moment.number)
    }
  }
  return found
}

/** 5: every process goes on with the plan that the run was made with. */
export const plansStay = (trace: Trace): ReadonlyArray<Violation> => {
  const { demand, found } = findings(5)
  const digests = new Map([...new Set(trace.runs.map(({ plan }) => plan))].map((plan) => [plan, Plan.digest(plan)]))
  const made = new Map(trace.runs.map(({ plan, run }) => [run, digests.get(plan)]))
  for (const moment of trace.moments) {
    if (moment._tag !== "TakenUp") continue
    const text = () => `run ${moment.run} goes on with the plan ${moment.plan.slice(0, 12)}, which is not its own`
    demand(moment.plan === made.get(moment.run), text, moment.number)
  }
  return found
}

/**
 * 6: bytes are made public only with a durable receipt of each of their gates for exactly these bytes. What makes them
 * public is of class `once`, so that a best-effort plan has no such task.
 */
export const publishedWithReceipts = (trace: Trace): ReadonlyArray<Violation> => {
  const { demand, found } = findings(6)
  const moments = momentsByRun(trace)
  for (const { kept, plan, run } of trace.runs) {
    if (plan.audit === "best-effort") continue
    const verdicts = new Map<string, Kept>()
    for (const one of kept) {
      const { event } = one
      if (event.type !== "dev.dandori.gate.passed.v1" && event.type !== "dev.dandori.gate.failed.v1") continue
      for (const { sha256 } of event.data.gate.subjects) verdicts.set(`${event.data.task} ${sha256}`, one)
    }
    for (const moment of moments.get(run) ?? []) {
      if (moment._tag !== "WorkBegun") continue
      for (const [gate, bytes] of Object.entries(moment.publishes)) {
        const said = verdicts.get(`${gate} ${bytes}`)
        const passed = said?.event.type === "dev.dandori.gate.passed.v1" && said.sequence <= moment.durable
        demand(passed, () => `${moment.task} publishes bytes that ${gate} did not let through`, moment.number)
      }
    }
  }
  return found
}

/** 8: after a cancel nothing new of the cancelled block starts, and a run that lost its process is taken up again. */
export const cancelAndKillLeaveOrder = (trace: Trace): ReadonlyArray<Violation> => {
  const { demand, found } = findings(8)
  for (const { ended, kept, plan, run } of trace.runs) {
    const blocks = new Map(plan.tasks.map((task) => [task.id, task.block]))
    const isInHandler = (task: string): boolean => {
      const parts = task.replace(/\[\d+\]$/, "").split("/")
      return parts.some((_, i) => blocks.get(parts.slice(0, i + 1).join("/")) !== undefined)
    }
    let cancelled: number | undefined
    for (const { event, moment } of kept) {
      if (event.type === "dev.dandori.cancel.requested.v1") cancelled ??= moment
      if (event.type !== "dev.dandori.attempt.started.v1" || cancelled === undefined) continue
      const { task } = event.data
      demand(isInHandler(task), () => `${task} starts after the run was cancelled`, cancelled, moment)
    }
    demand(ended, () => `run ${run} was not brought to its end`, kept.at(-1)?.moment ?? 0)
  }
  return found
}

/** The promises that are checked. Promise 7 is of evacuate, which is not simulated. */
export const all: ReadonlyArray<Promised> = [
  { number: 1, text: "every tick ends in one outcome", check: everyTickCloses },
  { number: 2, text: "every attempt has one end, and an end is final", check: everyAttemptEnds },
  { number: 3, text: "no effect without a durable intent, no once effect twice", check: intentsComeFirst },
  { number: 4, text: "the ledger only grows, and damage is found", check: ledgerOnlyGrows },
  { number: 5, text: "a run keeps its plan", check: plansStay },
  { number: 6, text: "nothing is published without its receipts", check: publishedWithReceipts },
  { number: 8, text: "cancel and kill leave the others true", check: cancelAndKillLeaveOrder },
  { number: 9, text: "nothing acknowledged is lost", check: lossIsBounded },
]

/** All that a trace breaks. */
export const check = (trace: Trace): ReadonlyArray<Violation> => all.flatMap((promise) => promise.check(trace))

/** A run's status at its end. */
export const statusOf = ({ kept }: RunTrace): string => {
  const event = kept.at(-1)?.event
  return event?.type === "dev.dandori.run.finished.v1" ? event.data.status : "open"
}
