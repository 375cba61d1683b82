import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

const snapshots = Effect.promise(() => import("../snapshots.ts"))

const location = Argument.String("location").pipe(
  Argument.withDescription("Where snapshots are kept: a folder, or a location like file:///backups"),
)
const id = Argument.String("snapshot").pipe(Argument.withDescription("A snapshot's id; see dandori snapshot list"))

const create = Command.make(
  "create",
  {
    target: Flag.Literals("target", ["registry", "ledger", "models", "worm", "postgres", "redis"]).pipe(
      Flag.withDescription("What to take; may be given several times (default: all of them that there are)"),
      Flag.between(0, Number.MAX_SAFE_INTEGER),
    ),
    tree: Flag.String("tree").pipe(
      Flag.withMetavar("FOLDER"),
      Flag.withDescription("A folder to take; may be given several times"),
      Flag.between(0, Number.MAX_SAFE_INTEGER),
    ),
    destination: Flag.String("destination").pipe(
      Flag.withMetavar("LOCATION"),
      Flag.withDescription(
        "A folder, or s3://bucket/prefix (default: storage.offsite.bucket, and without one storage.backups_root)",
      ),
      Flag.optional,
    ),
    verify: Flag.Literals("verify", ["digest", "sample-restore", "full-restore"]).pipe(
      Flag.withDescription("How it is proven (default: full-restore)"),
      Flag.withDefault("full-restore"),
    ),
  },
  Effect.fn(function* (input) {
    const { createSnapshot } = yield* Effect.promise(() => import("../snapshot-create.ts"))
    yield* createSnapshot({ ...input, destination: Option.getOrUndefined(input.destination) })
  }),
).pipe(
  Command.withDescription("Take a snapshot now and prove it, as a run of its own. Exit codes: those of run"),
  Command.withExamples([
    { command: "dandori snapshot create --target models --target ledger --destination /backups", description: "Two" },
  ]),
)

const list = Command.make(
  "list",
  { location },
  Effect.fn(function* (input) {
    const { listSnapshots } = yield* snapshots
    yield* listSnapshots(input.location)
  }),
).pipe(Command.withDescription("List the snapshots of a place"))

const verify = Command.make(
  "verify",
  {
    location,
    snapshot: id,
    mode: Flag.Literals("mode", ["digest", "sample-restore", "full-restore"]).pipe(
      Flag.withDescription("How it is proven (default: digest)"),
      Flag.withDefault("digest"),
    ),
    scratch: Flag.String("scratch").pipe(
      Flag.withMetavar("FOLDER"),
      Flag.withDescription("Where to restore to for the proof; removed again (default: the temporary folder)"),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ location, snapshot, mode, scratch }) {
    const { verifySnapshot } = yield* snapshots
    yield* verifySnapshot(location, snapshot, mode, Option.getOrUndefined(scratch))
  }),
).pipe(Command.withDescription("Prove a snapshot by reading it back. Exit codes: 0 proven, 10 damaged"))

const restore = Command.make(
  "restore",
  {
    location,
    snapshot: id,
    into: Argument.String("into").pipe(Argument.withDescription("A new or empty folder")),
  },
  Effect.fn(function* ({ location, snapshot, into }) {
    const { restoreSnapshot } = yield* snapshots
    yield* restoreSnapshot(location, snapshot, into)
  }),
).pipe(
  Command.withDescription("Restore a snapshot into a new or empty folder and prove that it is equal"),
  Command.withExamples([
    { command: "dandori snapshot restore /backups 20250505T031400Z_0123456789ab ./restored", description: "All of it" },
  ]),
)

/** `dandori snapshot …`: copies of folders, models, ledger and databases. */
export const snapshot = Command.make("snapshot").pipe(
  Command.withDescription("Take, list, prove and restore snapshots"),
  Command.withSubcommands([create, list, verify, restore]),
)
