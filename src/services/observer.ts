import * as Context from "effect/Context"
import type { Event } from "../domain/event.ts"
import type { Waiting } from "./leases.ts"
import type { ProgressReport } from "./progress.ts"

/** Who watches a run live: told of each event right after it was appended, of progress, of log lines, and of what
 * a task waits for before it may start. Never waits. */
export interface RunObserver {
  /** `replayed`: the event is of before a resume. */
  readonly onEvent: (event: Event & { readonly time: number; readonly run: string; readonly replayed?: true }) => void
  readonly onProgress: (task: string, progress: ProgressReport) => void
  readonly onLog: (task: string, line: string) => void
  readonly onWaiting: (task: string, waiting: Waiting) => void
}

/** The observer of runs in this process; nobody by default. */
export const Observer = Context.Reference<RunObserver>("dandori/services/Observer", {
  defaultValue: () => ({ onEvent: () => {}, onProgress: () => {}, onLog: () => {}, onWaiting: () => {} }),
})
