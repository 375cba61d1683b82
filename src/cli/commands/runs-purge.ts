import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Duration } from "../../domain/quantity.ts"
import * as ServerChoice from "../server-choice.ts"

/** `dandori runs purge`: lets the records of runs go. */
export const purge = Command.make(
  "purge",
  {
    runs: Argument.String("run").pipe(
      Argument.withDescription("A run that goes, whatever its age (default: what the retention section lets go)"),
      Argument.variadic(),
    ),
    olderThan: Flag.String("older-than").pipe(
      Flag.withMetavar("DURATION"),
      Flag.withDescription("What ended longer ago goes, like 90d, instead of what the retention section says"),
      Flag.withSchema(Duration),
      Flag.optional,
    ),
    reason: Flag.String("reason").pipe(
      Flag.withMetavar("TEXT"),
      Flag.withDescription("Why; it stays in the ledger. Required for runs that are named"),
      Flag.withSchema(Schema.String.check(Schema.isPattern(/\S/, { message: "must say why" }))),
      Flag.optional,
    ),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("List what would go, with its bytes, and what is kept and why; purge nothing"),
      Flag.withDefault(false),
    ),
    yes: Flag.Boolean("yes").pipe(
      Flag.withAlias("y"),
      Flag.withDescription("Do not ask for confirmation"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* ({ dryRun, olderThan, reason, runs, yes }) {
    yield* ServerChoice.filesOnly("To purge runs", "Call dandori runs purge where their files are, without --server")
    const { purgeNamed, purgeByRules } = yield* Effect.promise(() => import("../runs-purge.ts"))
    const given = { dryRun, yes, reason: Option.getOrUndefined(reason)?.trim() }
    const age = Option.getOrUndefined(olderThan)
    yield* runs.length > 0 ? purgeNamed(runs, age, given) : purgeByRules(age, given)
  }),
).pipe(
  Command.withDescription(
    "Let the records of ended runs go: stream, logs, reports. The root keeps who purged them and why",
  ),
  Command.withExamples([
    { command: "dandori runs purge --dry-run", description: "What would go, and what is kept" },
    { command: "dandori runs purge 7f3a9c --reason 'a password got into its log'", description: "One run, now" },
  ]),
)
