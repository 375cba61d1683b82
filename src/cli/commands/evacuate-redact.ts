import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** `dandori evacuate redact …`: a second bundle that can be given to others. */
export const evacuateRedact = Command.make(
  "redact",
  {
    bundle: Argument.String("bundle").pipe(Argument.withDescription("A bundle's folder, or s3://bucket/prefix of one")),
    out: Flag.String("out").pipe(
      Flag.withMetavar("FOLDER"),
      Flag.withDescription("A new folder for the redacted bundle"),
    ),
    pattern: Flag.String("pattern").pipe(
      Flag.withMetavar("NAME=REGEX"),
      Flag.withDescription("What is to be replaced too, its first group if it has one; may be given several times"),
      Flag.between(0, Number.MAX_SAFE_INTEGER),
    ),
    keepBinary: Flag.Boolean("keep-binary").pipe(
      Flag.withDescription("Keep files that are no text as they are (default: leave them out)"),
      Flag.withDefault(false),
    ),
    key: Flag.String("key").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("The public key in PEM that must have signed the bundle (default: configs/base/trust.yaml)"),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ pattern, key, ...input }) {
    const { redactBundle } = yield* Effect.promise(() => import("../evacuate-redact.ts"))
    yield* redactBundle({ ...input, patterns: pattern, key: Option.getOrUndefined(key) })
  }),
).pipe(
  Command.withDescription(
    "Make a second bundle from a whole one, without secrets and what matches, with a signed link to the first",
  ),
  Command.withExamples([
    {
      command: "dandori evacuate redact ./evidence --out ./for-the-vendor --pattern 'customer=ACME[A-Z]*'",
      description: "For somebody else",
    },
  ]),
)
