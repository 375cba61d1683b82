import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

const show = Command.make(
  "show",
  {
    section: Argument.String("section").pipe(Argument.withDescription("Only this section"), Argument.optional),
    origin: Flag.Boolean("origin").pipe(
      Flag.withDescription("Say which file and line each value comes from"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* ({ section, origin }) {
    const { showConfiguration } = yield* Effect.promise(() => import("../config-show.ts"))
    yield* showConfiguration(Option.getOrUndefined(section), origin)
  }),
).pipe(
  Command.withDescription("Show an environment's configuration, base and environment merged; secrets stay references"),
  Command.withExamples([
    { command: "dandori config show --env prod --origin", description: "Where each value comes from" },
    { command: "dandori config show training", description: "One section" },
  ]),
)

const doctor = Command.make(
  "doctor",
  {},
  Effect.fn(function* () {
    const { diagnoseConfiguration } = yield* Effect.promise(() => import("../config-diagnosis.ts"))
    yield* diagnoseConfiguration
  }),
).pipe(
  Command.withDescription(
    "Load an environment's configuration and say what it lacks on this machine; nothing is changed, and no alarm is sent. Exit codes: 0 nothing, 69 a server does not answer, 78 something is missing or wrong",
  ),
  Command.withExamples([{ command: "dandori config doctor --env prod", description: "Before a release" }]),
)

/** `dandori config …`: the configuration. */
export const config = Command.make("config").pipe(
  Command.withDescription("Show and check the configuration"),
  Command.withSubcommands([show, doctor]),
)
