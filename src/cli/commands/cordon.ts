import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ServerChoice from "../server-choice.ts"

const load = ServerChoice.either(
  () => import("../remote/cordons.ts"),
  () => import("../cordons.ts"),
)

const reason = Flag.String("reason").pipe(
  Flag.withMetavar("TEXT"),
  Flag.withDescription("Why (required)"),
  Flag.withSchema(Schema.NonEmptyString),
)

const raise = Command.make(
  "raise",
  {
    id: Argument.String("id").pipe(Argument.withDescription("Its name (default: made of the time)"), Argument.optional),
    reason,
    scope: Flag.String("pipeline").pipe(
      Flag.withMetavar("ID"),
      Flag.withDescription("Only this pipeline; may be given several times (default: all)"),
      Flag.between(0, 1_000),
    ),
    expires: Flag.String("expires").pipe(
      Flag.withMetavar("DURATION"),
      Flag.withDescription("After how long it ends by itself, like 4h"),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ expires, id, reason: why, scope }) {
    const cordons = yield* load
    yield* cordons.raise({ id: Option.getOrUndefined(id), reason: why, scope, expires: Option.getOrUndefined(expires) })
  }),
).pipe(Command.withDescription("Keep new work from starting; what runs goes on"))

const lift = Command.make(
  "lift",
  { id: Argument.String("id").pipe(Argument.withDescription("The cordon")), reason },
  Effect.fn(function* ({ id, reason: why }) {
    const cordons = yield* load
    yield* cordons.lift(id, why)
  }),
).pipe(Command.withDescription("Let work start again"))

const check = Command.make(
  "check",
  {
    pipeline: Argument.String("pipeline").pipe(
      Argument.withDescription("Whose work (default: any)"),
      Argument.optional,
    ),
    wait: Flag.Boolean("wait").pipe(Flag.withDescription("Stay until there is none"), Flag.withDefault(false)),
  },
  Effect.fn(function* ({ pipeline, wait }) {
    const cordons = yield* load
    yield* cordons.check(Option.getOrUndefined(pipeline), wait)
  }),
).pipe(Command.withDescription("Say whether work may start: exit 0, or 75 while a cordon is raised"))

/** `dandori cordon`: the stop sign, for people and for launchers outside. */
export const cordon = Command.make("cordon").pipe(
  Command.withDescription("A durable stop sign that keeps new work from starting"),
  Command.withExamples([
    { command: "dandori cordon raise --reason 'disk is full'", description: "Nothing new starts in this project" },
    { command: "dandori cordon check nightly --wait && ./train.sh", description: "For a launcher outside" },
  ]),
  Command.withSubcommands([raise, lift, check]),
)
