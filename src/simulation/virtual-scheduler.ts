import type { Plan } from "../domain/plan.ts"
import type { Schedule } from "../domain/schedule.ts"
import { timeText } from "../domain/occurrence.ts"
import * as Occurrences from "../scheduler/occurrences.ts"
import * as TickParams from "../scheduler/tick-params.ts"
import type { Setting } from "./place.ts"
import type { Outcome } from "./trace.ts"
import * as VirtualRun from "./virtual-run.ts"

/** A tick that is later than this was slept through, and is up to `catchup`. */
const punctual = 60_000
const mostDeaths = 20
const window = 86_400_000

/**
 * A small scheduler in virtual time: it closes each tick of the window with one outcome, in order, by the schedule's
 * `catchup` and `overlap`. It dies like any process; what it has closed is durable, and a run that it made before it
 * died is found by its tick.
 */
export const start = (
  setting: Setting,
  options: {
    readonly plan: Plan
    readonly schedule: Schedule
    readonly from: number
    readonly to: number
    readonly run: (params: Readonly<Record<string, unknown>>, tick: string, onEnd: () => void) => VirtualRun.VirtualRun
  },
): { readonly done: () => boolean } => {
  const { chance, faults, notes, rules, timeline } = setting
  const { plan, schedule } = options
  const ticks = [...Occurrences.between(schedule, options.from, options.to)].map(({ at }) => at)
  /** Ticks that are closed: all before this one. Kept through a death, like the runs. */
  let next = 0
  const made = new Map<number, VirtualRun.VirtualRun | "queued">()
  const queue: Array<number> = []
  let life = 0
  let deaths = 0
  let alive = true

  const active = () => [...made.values()].flatMap((run) => (run === "queued" || run.ended() ? [] : [run]))
  const make = (tick: number) => {
    const { values } = TickParams.at(plan, schedule, tick)
    made.set(tick, options.run(values, timeText(tick), fromQueue))
  }
  const fromQueue = () => {
    if (active().length > 0) return
    const tick = queue.shift()
    if (tick !== undefined) make(tick)
  }
  const close = (tick: number, outcome: Outcome, reason: string) => {
    if (rules.closesTick(tick)) notes.note({ _tag: "TickClosed", tick, outcome, reason })
    next++
  }
  const dies = (): boolean => {
    if (deaths >= mostDeaths || !chance.hits(faults["process-dies"])) return false
    deaths++
    life++
    alive = false
    notes.note({ _tag: "Fault", fault: "process-dies", run: "", text: "the scheduler dies" })
    timeline.after(chance.millis(1_000, 3 * window), () => {
      alive = true
      look()
    })
    return true
  }
  /** Decides about one tick. False where the scheduler died before it was closed. */
  const decide = (tick: number, coalesces: boolean): boolean => {
    if (made.has(tick)) {
      close(tick, "ran", "its run was made before the scheduler died")
      return true
    }
    const late = timeline.wall() - tick > punctual
    const { policy, window: most } = schedule.catchup
    if (late && policy === "none") close(tick, "missed", "nothing is caught up")
    else if (late && most !== undefined && timeline.wall() - tick > most) close(tick, "missed", "older than the window")
    else if (late && policy === "last" && coalesces) close(tick, "coalesced", "a later tick is caught up")
    else if (active().length === 0 || schedule.overlap === "allow") {
      make(tick)
      if (dies()) return false
      close(tick, "ran", "")
    } else if (schedule.overlap === "cancel-running") {
      for (const run of active()) run.cancel("a newer tick has come")
      make(tick)
      if (dies()) return false
      close(tick, "ran", "the run before it is cancelled")
    } else if (schedule.overlap === "skip") close(tick, "skipped", "the run before it goes on")
    else if (schedule.overlap === "queue-one" && queue.length > 0) close(tick, "coalesced", "one is queued already")
    else {
      made.set(tick, "queued")
      queue.push(tick)
      if (dies()) return false
      close(tick, "ran", "queued")
    }
    return true
  }
  const look = () => {
    while (alive && next < ticks.length && ticks[next] <= timeline.wall()) {
      const later = ticks[next + 1]
      if (!decide(ticks[next], later !== undefined && later <= timeline.wall())) return
      if (dies()) return
    }
    if (!alive || next >= ticks.length) return
    const own = ++life
    // At least once a day, since the wall clock may be set meanwhile.
    timeline.after(Math.min(window, Math.max(1, ticks[next] - timeline.wall())), () => {
      if (own === life) look()
    })
  }
  timeline.after(0, look)
  return { done: () => next >= ticks.length && queue.length === 0 && active().length === 0 }
}
