import * as Effect from "effect/Effect"
import type { Control } from "../engine/execution.ts"
import * as Outage from "../services/outage.ts"
import { skipGrace } from "../services/process-groups.ts"

/** Who stops a process often says it to its group too (`timeout`): within this time it is one stop. */
export const oneStopMillis = 100

/**
 * Ctrl-C: the first asks the run to be cancelled, the second skips the grace of its child processes, and both say so. What
 * SIGTERM and SIGHUP stop gets its grace too, once. A ledger whose database is away is not waited for without end.
 */
export const control = (say: (text: string) => void): Control => ({
  onCancel: (cancel) => {
    let count = 0
    let stopped: number | undefined
    const skip = () => {
      say("Skipping the grace: child processes are killed.")
      Effect.runFork(skipGrace)
    }
    const onStop = () => {
      const now = performance.now()
      if (stopped !== undefined) return now - stopped < oneStopMillis ? undefined : skip()
      Effect.runFork(Outage.hasten)
      stopped = now
      say("Stopping: tasks get their grace to stop, and the run is left to be resumed. The same signal again skips it.")
    }
    const onSignal = () => {
      count++
      if (count === 1) {
        Effect.runFork(Outage.hasten)
        say("Cancelling: tasks get their grace to stop. Ctrl-C again skips it.")
        cancel("Ctrl-C")
      } else {
        skip()
        cancel("Ctrl-C again")
      }
    }
    const heard = [
      ["SIGINT", onSignal],
      ["SIGTERM", onStop],
      ["SIGHUP", onStop],
    ] as const
    for (const [signal, listener] of heard) process.on(signal, listener)
    return () => heard.forEach(([signal, listener]) => void process.off(signal, listener))
  },
})
