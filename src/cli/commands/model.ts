import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ModelStatus } from "../../domain/registry.ts"

const queries = Effect.promise(() => import("../model-queries.ts"))

const slot = Flag.String("slot").pipe(
  Flag.withMetavar("SLOT"),
  Flag.withDescription("A pair and a timeframe, like EURUSD-GBPUSD/1h (default: every slot)"),
  Flag.optional,
)
const version = Argument.String("version").pipe(Argument.withDescription("A model version"))

const list = Command.make(
  "list",
  {
    slot,
    status: Flag.Literals("status", ModelStatus.literals).pipe(
      Flag.withDescription("Only versions with this status"),
      Flag.optional,
    ),
  },
  Effect.fn(function* (input) {
    const { listModels } = yield* queries
    yield* listModels(Option.getOrUndefined(input.slot), Option.getOrUndefined(input.status))
  }),
).pipe(Command.withDescription("List the registered versions, newest first; * is deployed"))

const show = Command.make(
  "show",
  { version },
  Effect.fn(function* (input) {
    const { showModel } = yield* queries
    yield* showModel(input.version)
  }),
).pipe(Command.withDescription("Show all that the registry knows of a version"))

const verify = Command.make(
  "verify",
  { version },
  Effect.fn(function* (input) {
    const { verifyModel } = yield* Effect.promise(() => import("../model-verify.ts"))
    yield* verifyModel(input.version)
  }),
).pipe(
  Command.withDescription(
    "Compare a published version's files with its checksums, its signature and the registry. Exit codes: 0 intact, 10 altered, swapped or extra files, 13 only missing ones, or purged by retention",
  ),
)

const at = Command.make(
  "at",
  {
    time: Argument.String("time").pipe(
      Argument.withDescription("A moment like 2025-05-05T03:14Z (UTC unless it has an offset), or now"),
    ),
    slot,
  },
  Effect.fn(function* (input) {
    const { showChampions } = yield* Effect.promise(() => import("../model-at.ts"))
    yield* showChampions(input.time, Option.getOrUndefined(input.slot))
  }),
).pipe(
  Command.withDescription("Tell which version was champion at a time, who moved it there, and on what evidence"),
  Command.withExamples([
    { command: "dandori model at 2025-05-05T03:14Z --slot EURUSD-GBPUSD/1h", description: "One slot" },
    { command: "dandori model at now", description: "Every slot, now" },
  ]),
)

const alias = Command.make(
  "alias",
  { slot },
  Effect.fn(function* (input) {
    const { showChampions } = yield* Effect.promise(() => import("../model-at.ts"))
    yield* showChampions("now", Option.getOrUndefined(input.slot))
  }),
).pipe(Command.withDescription("Tell which version champion stands for now: model at now"))

const history = Command.make(
  "history",
  { slot },
  Effect.fn(function* (input) {
    const { showHistory } = yield* Effect.promise(() => import("../model-at.ts"))
    yield* showHistory(Option.getOrUndefined(input.slot))
  }),
).pipe(Command.withDescription("Show every move of champion, oldest first"))

const retain = Command.make(
  "retain",
  {
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("List what would go, with its bytes, and what is kept and why; change nothing"),
      Flag.withDefault(false),
    ),
    yes: Flag.Boolean("yes").pipe(
      Flag.withAlias("y"),
      Flag.withDescription("Do not ask for confirmation"),
      Flag.withDefault(false),
    ),
    reason: Flag.String("reason").pipe(
      Flag.withMetavar("TEXT"),
      Flag.withDescription("Recorded in the registry's histories (default: the rule)"),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ dryRun, reason, yes }) {
    const retention = yield* Effect.promise(() => import("../model-retain.ts"))
    if (dryRun) return yield* retention.forecast
    yield* retention.retain(yes, Option.getOrUndefined(reason))
  }),
).pipe(
  Command.withDescription(
    "Mark the versions that are due by the retention section, and remove the files of those whose grace is over",
  ),
  Command.withExamples([{ command: "dandori model retain --dry-run", description: "What would go, and what is kept" }]),
)

/** `dandori model …`: the registry and the published files. */
export const model = Command.make("model").pipe(
  Command.withDescription("Look at the registered models, verify their files, and let old ones go"),
  Command.withSubcommands([list, show, verify, at, alias, history, retain]),
)
