import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { evacuateRedact } from "./evacuate-redact.ts"
import { evacuateVerify } from "./evacuate-verify.ts"

/** `dandori evacuate`: for a responder, when half of the things are broken. */
export const evacuate = Command.make(
  "evacuate",
  {
    destination: Flag.String("destination").pipe(
      Flag.withMetavar("PLACE"),
      Flag.withDescription("A folder or s3://bucket/prefix, tried first (default: the configured ones)"),
      Flag.optional,
    ),
    incident: Flag.String("incident").pipe(
      Flag.withMetavar("ID"),
      Flag.withDescription("Go on with this incident, or the id of a new one (default: IR-<UTC time>)"),
      Flag.optional,
    ),
    reason: Flag.String("reason").pipe(
      Flag.withMetavar("TEXT"),
      Flag.withDescription("Why, for the record"),
      Flag.withSchema(Schema.NonEmptyString),
      Flag.withDefault("evacuation"),
    ),
    deadline: Flag.String("deadline").pipe(
      Flag.withMetavar("DURATION"),
      Flag.withDescription("How long it may take, like 10m; the most valuable goes first, the rest is listed"),
      Flag.optional,
    ),
    drill: Flag.Boolean("drill").pipe(
      Flag.withDescription("For practice: raise no cordon, stop and start nothing"),
      Flag.withDefault(false),
    ),
    mayShrink: Flag.Boolean("may-shrink").pipe(
      Flag.withDescription("Let latest move to a snapshot that is much smaller than the last"),
      Flag.withDefault(false),
    ),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Say what would be stopped, taken and sent, and why; change nothing"),
      Flag.withDefault(false),
    ),
    selfTest: Flag.Boolean("self-test").pipe(
      Flag.withDescription("Say within a second what can be taken and where to; take nothing"),
      Flag.withDefault(false),
    ),
    yes: Flag.Boolean("yes").pipe(Flag.withAlias("y"), Flag.withDescription("Do not ask"), Flag.withDefault(false)),
  },
  Effect.fn(function* ({ deadline, destination, drill, dryRun, incident, mayShrink, reason, selfTest, yes }) {
    if (selfTest) {
      const { selfTest: look } = yield* Effect.promise(() => import("../evacuate-self-test.ts"))
      return yield* look(Option.getOrUndefined(destination))
    }
    if (dryRun) {
      const { dryRun: look } = yield* Effect.promise(() => import("../evacuate-dry-run.ts"))
      return yield* look(Option.getOrUndefined(incident), Option.getOrUndefined(destination))
    }
    const { evacuate: run } = yield* Effect.promise(() => import("../evacuate.ts"))
    yield* run({
      deadline: Option.getOrUndefined(deadline),
      destination: Option.getOrUndefined(destination),
      incident: Option.getOrUndefined(incident),
      drill,
      mayShrink,
      reason,
      yes,
    })
  }),
).pipe(
  Command.withDescription("In a disaster: cordon, take the evidence, stop, send everything away, verify it there"),
  Command.withExamples([
    {
      command: "dandori evacuate",
      description: "Everything that configs/base/evacuation.yaml says; asks before it stops anything",
    },
    {
      command: "dandori evacuate --incident IR-20260505T031400Z",
      description: "Go on with an evacuation that did not get through",
    },
  ]),
  Command.withSubcommands([evacuateVerify, evacuateRedact]),
)
