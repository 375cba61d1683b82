import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const refusals = Effect.promise(() => import("../refused-notifications.ts"))

const list = Command.make(
  "list",
  {},
  Effect.fn(function* () {
    const { listRefused } = yield* refusals
    yield* listRefused
  }),
).pipe(
  Command.withDescription("List the notifications that were refused and that nobody has acknowledged, oldest first"),
)

const acknowledge = Command.make(
  "acknowledge",
  {
    id: Argument.String("id").pipe(Argument.withDescription("The notification; see dandori notification list")),
    reason: Flag.String("reason").pipe(
      Flag.withMetavar("TEXT"),
      Flag.withDescription("What came of it (required); it is kept in the ledger"),
      Flag.withSchema(Schema.String.check(Schema.isPattern(/\S/, { message: "must say why" }))),
    ),
  },
  Effect.fn(function* ({ id, reason }) {
    const { acknowledge: take } = yield* refusals
    yield* take(id, reason.trim())
  }),
).pipe(Command.withDescription("Say that somebody has looked at one, so that it is listed no more"))

/** `dandori notification`: what did not reach people. */
export const notification = Command.make("notification").pipe(
  Command.withDescription("Look at the notifications that did not reach anybody"),
  Command.withSubcommands([list, acknowledge]),
)
