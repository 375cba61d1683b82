import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

const verify = Command.make(
  "verify",
  {
    root: Argument.String("root").pipe(
      Argument.withDescription("The folder of the records (default: storage.worm_root)"),
      Argument.optional,
    ),
  },
  Effect.fn(function* ({ root }) {
    const { verifyRecords } = yield* Effect.promise(() => import("../worm-verify.ts"))
    yield* verifyRecords(Option.getOrUndefined(root))
  }),
).pipe(
  Command.withDescription(
    "Verify the chains of write-once records. Exit codes: 0 intact, 10 edited or reordered, 13 deleted or truncated",
  ),
  Command.withExamples([{ command: "dandori worm verify /mnt/prod/ml-assets-core/worm", description: "A folder" }]),
)

/** `dandori worm …`: write-once records. */
export const worm = Command.make("worm").pipe(
  Command.withDescription("Verify write-once records"),
  Command.withSubcommands([verify]),
)
