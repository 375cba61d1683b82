import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

const verify = Command.make(
  "verify",
  {
    root: Argument.String("root").pipe(
      Argument.withDescription(
        "The folder or s3://bucket/prefix of the records (default: storage.worm_root and storage.offsite.worm_location)",
      ),
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
  Command.withExamples([
    { command: "dandori worm verify s3://ml-assets-core-audit/worm", description: "A bucket" },
    { command: "dandori worm verify /mnt/prod/ml-assets-core/worm", description: "A folder" },
  ]),
)

const probe = Command.make(
  "probe",
  {
    location: Argument.String("location").pipe(
      Argument.withDescription("s3://bucket/prefix (default: storage.offsite.worm_location)"),
      Argument.optional,
    ),
  },
  Effect.fn(function* ({ location }) {
    const { probeBucket } = yield* Effect.promise(() => import("../worm-probe.ts"))
    yield* probeBucket(Option.getOrUndefined(location))
  }),
).pipe(
  Command.withDescription(
    "Try whether a bucket would keep write-once records: versions, Object Lock, and that nothing locked is removed or replaced. Exit codes: 0 trusted, 15 not trusted",
  ),
)

/** `dandori worm …`: write-once records. */
export const worm = Command.make("worm").pipe(
  Command.withDescription("Verify write-once records, and try buckets for them"),
  Command.withSubcommands([verify, probe]),
)
