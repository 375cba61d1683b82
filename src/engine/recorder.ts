import type { Actor } from "../domain/actor.ts"
import type { Event } from "../domain/event.ts"
import type * as StreamWriter from "../ledger/stream-writer.ts"
import type { RunObserver } from "../services/observer.ts"
import { evolve } from "./evolve.ts"
import type { RunState } from "./run-state.ts"

/** The one place where a run's state changes: an event is appended, folded in, and shown to the observer. */
export interface Recorder {
  readonly run: string
  readonly state: () => RunState
  /** Appends an event; `task` makes it an event about that task, `by` one of another than the run's process. */
  readonly record: (event: Event, task?: string, by?: Actor) => StreamWriter.Appended
  readonly writer: StreamWriter.StreamWriter
}

export const make = (
  run: string,
  initial: RunState,
  writer: StreamWriter.StreamWriter,
  observer: RunObserver,
  changed: () => void,
): Recorder => {
  let state = initial
  return {
    run,
    writer,
    state: () => state,
    record: (event, task, by) => {
      const appended = writer.append(event, task === undefined ? run : `${run}/${task}`, by)
      const recorded = { ...event, time: appended.time, run }
      state = evolve(state, recorded)
      // Whatever a view makes of it: what was appended is acted upon.
      try {
        observer.onEvent(recorded)
      } finally {
        changed()
      }
      return appended
    },
  }
}
