import * as Command from "effect/cli/Command"
import { globalFlags } from "./global-flags.ts"

/** The root command; subcommands read the global flags by `yield* root`. */
export const root = Command.make("dandori").pipe(
  Command.withSharedFlags(globalFlags),
  Command.withDescription("Typed pipelines for machine-learning operations, with a tamper-evident ledger."),
)
