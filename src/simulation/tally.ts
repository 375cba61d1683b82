import * as Promises from "./promises.ts"
import type { Trace } from "./trace.ts"

type Counts = Record<string, number>

/** How many of what was seen in simulations. */
export interface Tally {
  simulations: number
  runs: number
  /** Appended to ledgers. */
  events: number
  /** Processes that took a run up. */
  lives: number
  virtualMillis: number
  /** Runs by their status. */
  readonly statuses: Counts
  /** Ticks by their outcome. */
  readonly outcomes: Counts
  readonly faults: Counts
}

export const empty = (): Tally => ({
  simulations: 0,
  runs: 0,
  events: 0,
  lives: 0,
  virtualMillis: 0,
  statuses: {},
  outcomes: {},
  faults: {},
})

const add = (counts: Counts, key: string) => void (counts[key] = (counts[key] ?? 0) + 1)

/** Adds what one simulation saw. */
export const count = (tally: Tally, trace: Trace): void => {
  tally.simulations++
  tally.runs += trace.runs.length
  tally.virtualMillis += trace.millis
  for (const moment of trace.moments) {
    if (moment._tag === "Appended") tally.events++
    else if (moment._tag === "TakenUp") tally.lives++
    else if (moment._tag === "Fault") add(tally.faults, moment.fault)
    else if (moment._tag === "TickClosed") add(tally.outcomes, moment.outcome)
  }
  for (const run of trace.runs) add(tally.statuses, Promises.statusOf(run))
}
