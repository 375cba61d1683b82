import type { Moment, Trace } from "./trace.ts"

/** A promise that a trace breaks, and the moments at which it does. */
export interface Violation {
  readonly promise: number
  readonly text: string
  readonly moments: ReadonlyArray<number>
}

/** Collects violations of one promise. */
export const findings = (promise: number) => {
  const found: Array<Violation> = []
  return {
    found,
    demand: (holds: boolean, text: () => string, ...moments: ReadonlyArray<number>) => {
      if (!holds) found.push({ promise, text: text(), moments })
    },
  }
}

/** Of each run, what happened in it. */
export const momentsByRun = (trace: Trace): ReadonlyMap<string, ReadonlyArray<Moment>> =>
  Map.groupBy(trace.moments, (moment) => ("run" in moment ? (moment.run ?? "") : ""))
