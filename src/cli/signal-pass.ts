import * as Effect from "effect/Effect"
import * as RegistrySignals from "../services/registry-signals.ts"
import * as Output from "./output.ts"

/** How long a process that ends goes on telling others, milliseconds. */
const closingMillis = 10_000

/**
 * Tells other processes what publishing has left in the registry's outbox, this run's and what earlier ones could not
 * tell. Whatever goes wrong is said, and changes nothing of the run; the next run tells what is left. A registry that is
 * away is none of its business: a run that needed it has said so.
 */
export const afterRun = RegistrySignals.deliver.pipe(
  Effect.timeoutOrElse({
    duration: closingMillis,
    orElse: () => Effect.succeed({ problem: `Signals of the registry are kept: no answer within ${closingMillis} ms` }),
  }),
  Effect.flatMap(({ problem }) => (problem === undefined ? Effect.void : Output.message(problem))),
  Effect.catchTag("RegistryUnavailable", () => Effect.void),
)
