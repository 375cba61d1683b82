import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"

/** `dandori doctor`: this machine. */
export const doctor = Command.make(
  "doctor",
  {},
  Effect.fn(function* () {
    const { diagnoseMachine } = yield* Effect.promise(() => import("../machine-diagnosis.ts"))
    yield* diagnoseMachine
  }),
).pipe(
  Command.withDescription(
    "Look at this machine: runtime, disk and its flush time, space, clock, ledger, key. Exit codes: 0 fine, 78 something is wrong",
  ),
)
