import * as Effect from "effect/Effect"
import type { Control } from "../engine/execution.ts"
import { skipGrace } from "../services/process-groups.ts"

/** Ctrl-C: the first asks the run to be cancelled, the second skips the grace of its child processes, and both say so. */
export const control = (say: (text: string) => void): Control => ({
  onCancel: (cancel) => {
    let count = 0
    const onSignal = () => {
      count++
      if (count === 1) {
        say("Cancelling: tasks get their grace to stop. Ctrl-C again skips it.")
        cancel("Ctrl-C")
      } else {
        say("Skipping the grace: child processes are killed.")
        Effect.runFork(skipGrace)
        cancel("Ctrl-C again")
      }
    }
    process.on("SIGINT", onSignal)
    return () => void process.off("SIGINT", onSignal)
  },
})
