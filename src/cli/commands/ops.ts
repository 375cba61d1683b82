import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { OpsChange } from "../../domain/ops-flags.ts"

const anyReason = Flag.String("reason").pipe(
  Flag.withMetavar("TEXT"),
  Flag.withDescription("Why (required); it is kept with the flags and in the ledger"),
  Flag.withSchema(Schema.NonEmptyString),
)

const changing = {
  reason: anyReason,
  yes: Flag.Boolean("yes").pipe(
    Flag.withAlias("y"),
    Flag.withDescription("Do not ask for confirmation"),
    Flag.withDefault(false),
  ),
}

const pairs = Argument.String("pair").pipe(
  Argument.withDescription("Ids of the universe, like EURUSD-GBPUSD"),
  Argument.variadic({ min: 1 }),
)

const make = Effect.fnUntraced(function* (
  change: OpsChange,
  given: { readonly reason: string; readonly yes: boolean },
) {
  const changes = yield* Effect.promise(() => import("../ops-change.ts"))
  yield* changes.make({ change, ...given })
})

const status = Command.make(
  "status",
  {},
  Effect.fn(function* () {
    const { status: show } = yield* Effect.promise(() => import("../ops-status.ts"))
    yield* show
  }),
).pipe(Command.withDescription("Show the operations flags; those that cannot be read count as halted"))

const halt = Command.make(
  "halt",
  changing,
  Effect.fn(function* (given) {
    yield* make({ operation: "halt" }, given)
  }),
).pipe(Command.withDescription("Halt everything, at once and without asking"))

const resume = Command.make(
  "resume",
  {
    reason: anyReason.pipe(Flag.optional),
    approve: Flag.String("approve").pipe(
      Flag.withMetavar("ID"),
      Flag.withDescription("Agree to what another person asked for"),
      Flag.optional,
    ),
    yes: changing.yes,
  },
  Effect.fn(function* ({ approve, reason, yes }) {
    const resumes = yield* Effect.promise(() => import("../ops-resume.ts"))
    if (Option.isSome(approve) && Option.isNone(reason)) return yield* resumes.approve(approve.value, yes)
    if (Option.isSome(reason) && Option.isNone(approve)) return yield* resumes.request(reason.value)
    const { UsageError } = yield* Effect.promise(() => import("../output.ts"))
    const words = "Say --reason TEXT to ask for it, or --approve ID to agree to what another person asked for"
    return yield* new UsageError({ reason: words })
  }),
).pipe(Command.withDescription("Let everything go on; takes two people, one who asks and one who agrees"))

const haltPairs = Command.make(
  "halt-pairs",
  { pairs, ...changing },
  Effect.fn(function* ({ pairs: names, ...given }) {
    yield* make({ operation: "halt-pairs", pairs: [...new Set(names)] }, given)
  }),
).pipe(Command.withDescription("Halt these pairs, beside those that are halted"))

const resumePairs = Command.make(
  "resume-pairs",
  { pairs, ...changing },
  Effect.fn(function* ({ pairs: names, ...given }) {
    yield* make({ operation: "resume-pairs", pairs: [...new Set(names)] }, given)
  }),
).pipe(Command.withDescription("Let these pairs go on: they are neither halted nor flattened any more"))

const flatten = Command.make(
  "flatten",
  { pairs, ...changing },
  Effect.fn(function* ({ pairs: names, ...given }) {
    yield* make({ operation: "flatten", pairs: [...new Set(names)] }, given)
  }),
).pipe(Command.withDescription("Close what is open in these pairs, and open nothing"))

const setLeverage = Command.make(
  "set-leverage",
  {
    scale: Argument.Finite("scale").pipe(
      Argument.withDescription("Factor of the usual leverage, from 0 to 1"),
      Argument.withSchema(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))),
    ),
    ...changing,
  },
  Effect.fn(function* ({ scale, ...given }) {
    yield* make({ operation: "set-leverage", scale }, given)
  }),
).pipe(Command.withDescription("Scale the leverage"))

/** `dandori ops`: the flags that the processes which trade look at before they act. */
export const ops = Command.make("ops").pipe(
  Command.withDescription("Halt, resume and limit trading by the operations flags"),
  Command.withExamples([
    { command: "dandori ops halt --reason 'the feed is late'", description: "Nothing acts any more" },
    { command: "dandori ops resume --reason 'it is back'", description: "Ask for it; another person has to agree" },
  ]),
  Command.withSubcommands([status, halt, resume, haltPairs, resumePairs, flatten, setLeverage]),
)
