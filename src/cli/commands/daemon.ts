import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"

/** `dandori daemon`: schedules and runs pipelines until it is stopped. */
export const daemon = Command.make(
  "daemon",
  {},
  Effect.fn(function* () {
    const { runDaemon } = yield* Effect.promise(() => import("../daemon.ts"))
    return yield* runDaemon()
  }),
).pipe(
  Command.withDescription(
    "Run the pipelines in pipelines/ by their schedules until it is stopped. It deploys what changes there; a file that does not compile, or that weakens a safeguard, leaves what is deployed as it is. SIGTERM stops it in order, SIGHUP makes it look at the files at once",
  ),
  Command.withExamples([{ command: "dandori daemon", description: "In the folder of the project" }]),
)
