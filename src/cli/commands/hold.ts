import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const holds = Effect.promise(() => import("../holds.ts"))

const reason = Flag.String("reason").pipe(
  Flag.withMetavar("TEXT"),
  Flag.withDescription("Why (required); it is kept with the hold and in the ledger"),
  Flag.withSchema(Schema.String.check(Schema.isPattern(/\S/, { message: "must say why" }))),
)

const add = Command.make(
  "add",
  {
    subject: Argument.String("subject").pipe(
      Argument.withDescription("What is held: model/<version>, run/<id> or snapshot/<id>"),
    ),
    reason,
    until: Flag.String("until").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription("When it ends by itself, like 2027-01-01 (default: when somebody releases it)"),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ reason: why, subject, until }) {
    const { addHold } = yield* holds
    yield* addHold({ subject, reason: why.trim(), until: Option.getOrUndefined(until) })
  }),
).pipe(Command.withDescription("Keep a model version, a run or a snapshot from being purged"))

const list = Command.make(
  "list",
  {
    all: Flag.Boolean("all").pipe(
      Flag.withDescription("Also those that are released or whose time is over"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* (input) {
    const { listHolds } = yield* holds
    yield* listHolds(input.all)
  }),
).pipe(Command.withDescription("List the holds, oldest first"))

const release = Command.make(
  "release",
  { id: Argument.String("id").pipe(Argument.withDescription("The hold; see dandori hold list")), reason },
  Effect.fn(function* ({ id, reason: why }) {
    const { releaseHold } = yield* holds
    yield* releaseHold(id, why.trim())
  }),
).pipe(
  Command.withDescription("Let it be purged again, by the rules of the retention section; the hold stays in the list"),
)

/** `dandori hold`: what must not be purged. */
export const hold = Command.make("hold").pipe(
  Command.withDescription("Rules that keep records and bytes from being purged"),
  Command.withExamples([
    {
      command: "dandori hold add model/20250101_0304_0123abcd --reason 'audit 2025' --until 2027-01-01",
      description: "Its files stay, whatever retention says",
    },
  ]),
  Command.withSubcommands([add, list, release]),
)
