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
    "Compare a published version's files with its checksums, its signature and the registry. Exit codes: 0 intact, 10 altered, swapped or extra files, 13 only missing ones",
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

/** `dandori model …`: the registry and the published files. */
export const model = Command.make("model").pipe(
  Command.withDescription("Look at the registered models and verify their files"),
  Command.withSubcommands([list, show, verify, at, alias, history]),
)
