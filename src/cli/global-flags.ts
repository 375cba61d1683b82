import * as Flag from "effect/cli/Flag"

/** Flags that every command takes. */
export const globalFlags = {
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print JSON for machines (a line per item)"),
    Flag.withDefault(false),
  ),
  quiet: Flag.Boolean("quiet").pipe(Flag.withAlias("q"), Flag.withDescription("Say less"), Flag.withDefault(false)),
  noInput: Flag.Boolean("no-input").pipe(Flag.withDescription("Never ask"), Flag.withDefault(false)),
  debug: Flag.Boolean("debug").pipe(Flag.withDescription("Show stack traces"), Flag.withDefault(false)),
  env: Flag.Literals("env", ["dev", "stg", "prod"]).pipe(
    Flag.withDescription("The environment of the configuration (default: $SERVICE_ENV, else dev)"),
    Flag.optional,
  ),
  server: Flag.String("server").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription(
      "Ask the daemon there, or the project's own (local), instead of the files (default: $DANDORI_SERVER)",
    ),
    Flag.optional,
  ),
}
