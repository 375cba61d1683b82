import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

const runArgument = Argument.String("run").pipe(
  Argument.withDescription("A run's id or the beginning of it; root and system are streams too"),
)

const verify = Command.make(
  "verify",
  {
    path: Argument.String("path").pipe(
      Argument.withDescription("A ledger's folder, one file of events, or an exported run (default: the project's)"),
      Argument.optional,
    ),
    key: Flag.String("key").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("The public key in PEM, kept elsewhere (default: configs/base/trust.yaml)"),
      Flag.optional,
    ),
    checkpoint: Flag.String("checkpoint").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("A signed checkpoint, kept elsewhere"),
      Flag.optional,
    ),
    registry: Flag.Boolean("registry").pipe(
      Flag.withDescription("Compare the model registry with the ledger too: rows without entry, entries without row"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* ({ path, key, checkpoint, registry }) {
    const { verifyLedger } = yield* Effect.promise(() => import("../ledger-verify.ts"))
    yield* verifyLedger({
      path: Option.getOrUndefined(path),
      key: Option.getOrUndefined(key),
      checkpoint: Option.getOrUndefined(checkpoint),
      registry,
    })
  }),
).pipe(
  Command.withDescription(
    "Verify a ledger from its files alone. Exit codes: 0 intact, 10 altered, 11 busy, 12 signature, 13 truncated, a gap, or a run missing",
  ),
  Command.withExamples([
    { command: "dandori ledger verify", description: "The project's ledger" },
    { command: "dandori ledger verify /media/usb/run --key ledger.pub", description: "An exported run, offline" },
    { command: "dandori ledger verify --checkpoint 2025-05.txt", description: "Against a checkpoint kept elsewhere" },
  ]),
)

const show = Command.make(
  "show",
  {
    run: runArgument,
    follow: Flag.Boolean("follow").pipe(
      Flag.withAlias("f"),
      Flag.withDescription("Go on with new events until the run ends"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* ({ run, follow }) {
    const { showStream } = yield* Effect.promise(() => import("../ledger-show.ts"))
    yield* showStream(run, follow)
  }),
).pipe(
  Command.withDescription("Show the events of a run"),
  Command.withExamples([
    { command: "dandori ledger show 01990000 --follow", description: "While it runs" },
    { command: "dandori ledger show 01990000 --json", description: "The entries as NDJSON" },
  ]),
)

const head = Command.make(
  "head",
  {},
  Effect.fn(function* () {
    const { showHead } = yield* Effect.promise(() => import("../ledger-head.ts"))
    yield* showHead
  }),
).pipe(Command.withDescription("Show the head of the root stream: what there is to be kept elsewhere"))

const checkpoint = Command.make(
  "checkpoint",
  {
    anchor: Flag.String("anchor").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("Write the checkpoint there too, on another disk"),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ anchor }) {
    const { makeCheckpoint } = yield* Effect.promise(() => import("../ledger-checkpoint.ts"))
    yield* makeCheckpoint(Option.getOrUndefined(anchor))
  }),
).pipe(
  Command.withDescription("Sign the ledger as it stands and print the checkpoint, to be kept elsewhere"),
  Command.withExamples([{ command: "dandori ledger checkpoint > /mnt/other/checkpoint.txt", description: "Keep it" }]),
)

const exportCommand = Command.make(
  "export",
  {
    run: runArgument,
    folder: Argument.String("folder").pipe(Argument.withDescription("A new folder")),
  },
  Effect.fn(function* ({ run, folder }) {
    const { exportRun } = yield* Effect.promise(() => import("../ledger-export.ts"))
    yield* exportRun(run, folder)
  }),
).pipe(
  Command.withDescription("Write a run with its proof into one folder that can be verified anywhere"),
  Command.withExamples([{ command: "dandori ledger export 01990000 /media/usb/run", description: "For an auditor" }]),
)

const send = Command.make(
  "send",
  {
    exporter: Flag.String("exporter").pipe(
      Flag.withMetavar("NAME"),
      Flag.withDescription("Only this one (default: all of the environment)"),
      Flag.optional,
    ),
    skip: Flag.String("skip").pipe(
      Flag.withMetavar("RUN"),
      Flag.withDescription("Leave out what is there of a run that the other side refuses; needs --exporter"),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ exporter, skip }) {
    const { sendLedger } = yield* Effect.promise(() => import("../ledger-send.ts"))
    yield* sendLedger(Option.getOrUndefined(exporter), Option.getOrUndefined(skip))
  }),
).pipe(
  Command.withDescription(
    "Send what is new to the exporters of the configuration. Exit code 69: one of them is behind",
  ),
  Command.withExamples([{ command: "dandori ledger send --exporter marquez", description: "To one of them" }]),
)

/** `dandori ledger …`: the evidence. */
export const ledger = Command.make("ledger").pipe(
  Command.withDescription("Verify, show, sign, export and send the ledger"),
  Command.withSubcommands([verify, show, head, checkpoint, exportCommand, send]),
)
