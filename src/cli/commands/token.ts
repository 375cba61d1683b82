import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Role } from "../../domain/token.ts"

const tokens = Effect.promise(() => import("../tokens.ts"))

const create = Command.make(
  "create",
  {
    name: Argument.String("name").pipe(
      Argument.withDescription("Whose it is: what is asked with it is recorded as asked by them"),
    ),
    role: Flag.Literals("role", Role.literals).pipe(
      Flag.withDescription("viewer reads; operator also starts and steers; approver also approves; admin does all"),
    ),
    expires: Flag.String("expires").pipe(
      Flag.withMetavar("DURATION"),
      Flag.withDescription("After how long it lets nobody in, like 90d (default: when it is revoked)"),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ expires, name, role }) {
    const { createToken } = yield* tokens
    yield* createToken({ name, role, expires: Option.getOrUndefined(expires) })
  }),
).pipe(Command.withDescription("Create a token for the API; it is shown once"))

const list = Command.make(
  "list",
  {
    all: Flag.Boolean("all").pipe(
      Flag.withDescription("Also those that are revoked or whose time is over"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* ({ all }) {
    const { listTokens } = yield* tokens
    yield* listTokens(all)
  }),
).pipe(Command.withDescription("List the tokens, never their texts"))

const revoke = Command.make(
  "revoke",
  { id: Argument.String("id").pipe(Argument.withDescription("The token's id, as token list shows it")) },
  Effect.fn(function* ({ id }) {
    const { revokeToken } = yield* tokens
    yield* revokeToken(id)
  }),
).pipe(Command.withDescription("Take a token back: it lets nobody in from here on"))

/** `dandori token`: who may use the API of the daemon. */
export const token = Command.make("token").pipe(
  Command.withDescription("Who may use the daemon's API, and in which role"),
  Command.withExamples([
    { command: "dandori token create ann --role operator --expires 90d", description: "Let Ann start and steer runs" },
  ]),
  Command.withSubcommands([create, list, revoke]),
)
