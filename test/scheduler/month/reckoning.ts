import * as Occurrence from "../../../src/domain/occurrence.ts"
import type { Schedule } from "../../../src/domain/schedule.ts"
import type { ClosedTick, Written } from "../../../src/scheduler/schedule-fold.ts"
import type { Deployment, Drawn } from "./drawn-schedule.ts"
import type { Span } from "./month.ts"
import { atOnce, env, queue } from "./world.ts"

/** What became of one tick, and when that was recorded. */
export interface Closed {
  readonly tick: number
  readonly time: number
  readonly outcome: Occurrence.Outcome
}

/** What is known of a month, beside what was recorded. */
export interface Given {
  readonly unwatched: ReadonlyArray<Span>
  readonly drawn: ReadonlyMap<string, Deployment>
  /** The wall clock at the end. */
  readonly end: number
}

/** What is reckoned of one schedule. */
export interface Reckoning {
  readonly closed: ReadonlyArray<Closed>
  /** The runs that have not ended, oldest first. */
  readonly open: ReadonlyArray<{ readonly run: string; readonly queued: boolean }>
  /** What became of the runs of ticks: their status, or that they made way. */
  readonly fates: ReadonlyMap<string, { readonly is: string; readonly reason?: string }>
  readonly violations: ReadonlyArray<string>
}

/** How late a tick may be closed where somebody watches, milliseconds. */
const patience = 65_000
const lateAfter = 60_000
const minute = 60_000

/**
 * Reckons up what was recorded of one schedule, event by event, from luxon's ticks and by rules of its own: each tick has
 * one outcome, in time, and one that may be.
 */
export const reckon = (
  pipeline: string,
  events: ReadonlyArray<Written>,
  { drawn, end, unwatched }: Given,
): Reckoning => {
  const violations: Array<string> = []
  const closed: Array<Closed> = []
  const fates = new Map<string, { is: string; reason?: string }>()
  const ran = new Set<string>()
  const cancels = new Set<string>()
  let open: Array<{ run: string; queued: boolean }> = []
  let pauses: Array<{ from: number; to: number }> = []
  let reign: Drawn | undefined
  let due: Array<number> = []
  let dueTo = 0
  let closedTo = 0
  /** When the last closed tick was due, with jitter: those after it wait for it. */
  let lastDue = 0

  const wrong = (tick: number, text: string) =>
    void violations.push(`${pipeline} ${Occurrence.timeText(tick)}: ${text}`)
  const isPaused = () => pauses.some(({ to }) => to === Infinity)
  const promote = () => {
    if (open.length > 0 && !isPaused() && open.every(({ queued }) => queued)) open[0].queued = false
  }
  /** The ticks of the reign from the last closed one on, up to and with a time. */
  const upTo = (time: number): ReadonlyArray<number> => {
    if (reign === undefined) return []
    if (dueTo < time + 1) {
      const from = Math.max(dueTo, closedTo + 1)
      due.push(...reign.ticks(from, time + 1 + 2 * 86_400_000))
      dueTo = time + 1 + 2 * 86_400_000
    }
    const count = due.findIndex((tick) => tick > time)
    return due.splice(0, count === -1 ? due.length : count)
  }
  const reigns = (next: Drawn | undefined, time: number) => {
    const left = upTo(Math.min(time, closedTo < time ? time : closedTo))
    for (const tick of left) wrong(tick, "it was lost when something else was deployed")
    closedTo = Math.max(closedTo, time)
    reign = next
    due = []
    dueTo = closedTo + 1
    lastDue = 0
  }
  const jitterOf = ({ jitter }: Schedule, tick: number) =>
    jitter === undefined ? 0 : Occurrence.jitterOf({ env, pipeline, tick }, jitter)

  /** Whether a tick was closed as soon as somebody could. */
  const isInTime = (at: number, time: number) =>
    time <= at + patience || unwatched.some(({ from, to }) => from <= time && to >= time - patience && to >= at)

  const judge = (event: ClosedTick, tick: number): void => {
    const { outcome } = event.data
    const { time } = event
    const schedule = reign?.schedule
    if (schedule === undefined) return wrong(tick, "nothing is deployed")
    if (tick > time) wrong(tick, `it was closed before it was due, ${time - tick}`)
    lastDue = Math.max(lastDue, tick + jitterOf(schedule, tick))
    const at = lastDue
    if (!isInTime(at, time))
      wrong(tick, `it was closed late at ${new Date(time).toISOString()}: ${JSON.stringify(outcome)}`)
    const isHeld = isPaused() || pauses.some(({ from, to }) => from <= tick && tick < to)
    const others = schedule.overlap === "allow" ? [] : open
    switch (outcome.is) {
      case "ran": {
        if (outcome.run !== Occurrence.runOf({ env, pipeline, tick })) wrong(tick, "its run has the id of another tick")
        if (ran.has(outcome.run)) wrong(tick, "its run was there before")
        if (isHeld) wrong(tick, "it ran, though the schedule was paused")
        if (schedule.overlap === "skip" && schedule.catchup.policy !== "all" && others.length > 0)
          wrong(tick, "it ran beside another one")
        if ((outcome.queued === true) !== others.length > 0)
          wrong(tick, `it ${outcome.queued ? "waits" : "goes on"}, and ${others.length} others are there`)
        ran.add(outcome.run)
        open.push({ run: outcome.run, queued: outcome.queued === true })
        promote()
        if (open.filter(({ queued }) => queued).length > queue) wrong(tick, "more wait than may")
        if (open.length > atOnce + queue) wrong(tick, "more go on and wait than may")
        return
      }
      case "held":
        if (outcome.reason.startsWith("the schedule is paused")) {
          if (!isHeld) wrong(tick, "it was held, though nothing paused it")
        } else if (isHeld || !outcome.reason.startsWith("a cordon stands: C-"))
          wrong(tick, `it was held by ${outcome.reason}`)
        return
      case "missed":
        if (time - at <= lateAfter) wrong(tick, "it was missed, and was not late")
        if (isHeld) wrong(tick, "it was missed, though the schedule was paused")
        return
      case "coalesced":
        if (time - at <= lateAfter || schedule.catchup.policy !== "last") wrong(tick, "it was coalesced without cause")
        return
      case "skipped":
        if (schedule.overlap === "allow" ? open.length < atOnce + queue : others.length === 0)
          wrong(tick, "it was skipped, and nothing was in its way")
        if (
          schedule.overlap !== "allow" &&
          outcome.reason.includes("queue") &&
          open.filter(({ queued }) => queued).length < queue
        )
          wrong(tick, "the queue had room")
    }
  }

  for (const event of events) {
    switch (event.type) {
      case "dev.dandori.schedule.deployed.v1": {
        const next = drawn.get(event.data.plan)
        if (next === undefined) violations.push(`${pipeline}: a plan that nobody deployed`)
        // A plan with the same schedule goes on with its ticks.
        else if (JSON.stringify(next.schedule) !== JSON.stringify(reign?.schedule))
          reigns(next, Date.parse(event.data.after))
        break
      }
      case "dev.dandori.schedule.withdrawn.v1":
        reigns(undefined, Date.parse(event.data.after))
        break
      case "dev.dandori.schedule.tick.closed.v1": {
        const { through = event.data.tick, ticks = 1 } = event.data
        const nominal = upTo(Date.parse(through))
        if (
          nominal.length !== ticks ||
          nominal[0] !== Date.parse(event.data.tick) ||
          nominal.at(-1) !== Date.parse(through)
        ) {
          const found = nominal.slice(0, 3).map(Occurrence.timeText).join()
          wrong(
            Date.parse(event.data.tick),
            `${ticks} ticks to ${through} were closed, and ${nominal.length} were due: ${found}`,
          )
        }
        closedTo = Math.max(closedTo, Date.parse(through))
        for (const tick of nominal) {
          judge(event, tick)
          closed.push({ tick, time: event.time, outcome: event.data.outcome })
        }
        break
      }
      case "dev.dandori.schedule.tick.coalesced.v1": {
        const { into, run } = event.data
        if (!open.some((own) => own.run === run && own.queued))
          violations.push(`${pipeline}: ${run} made way, and did not wait`)
        open = open.filter((own) => own.run !== run)
        fates.set(run, { is: "coalesced", reason: `its run ${run} waited, and made way for that of ${into}` })
        break
      }
      case "dev.dandori.schedule.run.cancel.requested.v1":
        if (fates.has(event.data.run)) violations.push(`${pipeline}: ${event.data.run} was cancelled after its end`)
        cancels.add(event.data.run)
        break
      case "dev.dandori.schedule.run.ended.v1": {
        const { reason, run, status } = event.data
        if (fates.has(run)) violations.push(`${pipeline}: ${run} ended twice`)
        fates.set(run, { is: status, ...(reason === undefined ? {} : { reason }) })
        const isCalledOff = cancels.has(run) && status === "cancelled"
        if (ran.has(run) && !open.some((own) => own.run === run && (!own.queued || isCalledOff)))
          violations.push(`${pipeline}: ${run} ended before it began`)
        open = open.filter((own) => own.run !== run)
        promote()
        break
      }
      case "dev.dandori.schedule.paused.v1":
        if (isPaused()) violations.push(`${pipeline}: paused twice`)
        pauses.push({ from: event.time, to: Infinity })
        break
      case "dev.dandori.schedule.resumed.v1":
        pauses = pauses.map(({ from, to }) => ({ from, to: Math.min(to, event.time) }))
        promote()
        break
    }
  }
  const last = end - minute
  for (const tick of upTo(last)) {
    if (reign !== undefined && tick + jitterOf(reign.schedule, tick) <= last) wrong(tick, "it was never closed")
  }
  return { closed, open, fates, violations }
}
