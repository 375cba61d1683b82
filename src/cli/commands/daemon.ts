import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const Port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))

/** `dandori daemon`: schedules and runs pipelines until it is stopped. */
export const daemon = Command.make(
  "daemon",
  {
    host: Flag.String("host").pipe(
      Flag.withDescription("Where the API listens (default: daemon.host of the configuration)"),
      Flag.optional,
    ),
    port: Flag.Int("port").pipe(
      Flag.withDescription("The port of the API; 0: a free one (default: daemon.port of the configuration)"),
      Flag.withSchema(Port),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ host, port }) {
    const { runDaemon } = yield* Effect.promise(() => import("../daemon.ts"))
    return yield* runDaemon(Option.getOrUndefined(host), Option.getOrUndefined(port))
  }),
).pipe(
  Command.withDescription(
    "Run the pipelines in pipelines/ by their schedules until it is stopped. It deploys what changes there; a file that does not compile, or that weakens a safeguard, leaves what is deployed as it is. It serves the API to holders of tokens (dandori token create), and to its own user on a local socket. SIGTERM stops it in order, SIGHUP makes it look at the files at once",
  ),
  Command.withExamples([{ command: "dandori daemon", description: "In the folder of the project" }]),
)
