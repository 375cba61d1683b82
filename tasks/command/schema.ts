import * as Schema from "effect/Schema"
import { Artifact } from "../../src/domain/artifact.ts"
import { SecretReference } from "../../src/domain/config/secret-reference.ts"
import { EffectClass } from "../../src/domain/effect-class.ts"
import { InputFile, Segment } from "../../src/domain/names.ts"
import { Duration, Size } from "../../src/domain/quantity.ts"

/** An argument or a variable of a program. */
export const Text = Schema.String.check(
  Schema.makeFilter((text) => !text.includes("\0") || "must not contain a NUL character"),
)
const VariableName = Schema.String.check(
  Schema.isPattern(/^[A-Za-z_][A-Za-z0-9_]*$/, { message: "must be the name of an environment variable" }),
)
const FilePath = Schema.String.check(Schema.isMinLength(1))

/** What a `command` task runs, and what it takes back. Paths are relative to the project. */
export const CommandInput = Schema.Struct({
  argv: Schema.NonEmptyArray(Text).annotate({
    description: "Program and arguments. No shell reads them, unless the program is one.",
  }),
  env: Schema.optionalKey(Schema.Record(Schema.String, Text).check(Schema.isPropertyNames(VariableName))).annotate({
    description: "Variables for the program, beside PATH, HOME, LANG and TZ.",
  }),
  secrets: Schema.optionalKey(
    Schema.Record(Schema.String, SecretReference).check(Schema.isPropertyNames(VariableName)),
  ).annotate({
    description: "Variables whose values are secrets, by reference. They are kept out of the log and the output.",
  }),
  cwd: Schema.optionalKey(FilePath).annotate({ description: "Folder it runs in. Default: the project's." }),
  stdin: Schema.optionalKey(Schema.String).annotate({ description: "Text for its standard input. Default: none." }),
  expectExit: Schema.optionalKey(Schema.NonEmptyArray(Schema.Int)).annotate({
    description: "Exit codes that mean success. Default: [0].",
  }),
  grace: Schema.optionalKey(
    Duration.annotate({
      description: "Time between SIGINT and SIGTERM, and again to SIGKILL, when it is stopped. Default: 5s.",
    }),
  ),
  memory: Schema.optionalKey(
    Size.annotate({ description: "Resident memory of the program and all that it starts; above it they are killed." }),
  ),
  reads: Schema.optionalKey(Schema.Array(InputFile)).annotate({
    description: "Files and folders that it reads: their digests are part of the cache key.",
  }),
  outputs: Schema.optionalKey(Schema.Record(Schema.String, FilePath).check(Schema.isPropertyNames(Segment))).annotate({
    description: "Files to keep as artifacts after success: name and path.",
  }),
  parseOutput: Schema.optionalKey(Schema.Literals(["none", "json"])).annotate({
    description: "json: standard output, without its progress lines, is one JSON value. Default: none.",
  }),
  effects: Schema.optionalKey(EffectClass.pick(["pure", "idempotent", "once"])).annotate({
    description: "What the program does to the world. Default: once.",
  }),
}).annotate({ identifier: "CommandInput" })
export type CommandInput = typeof CommandInput.Type

/** How a command ended. `stdout` and `stderr` are the last 65,536 characters. */
export const CommandOutput = Schema.Struct({
  exitCode: Schema.Int,
  stdout: Schema.String,
  stderr: Schema.String,
  json: Schema.optionalKey(Schema.Json),
  artifacts: Schema.Array(Artifact),
}).annotate({ identifier: "CommandOutput" })
export type CommandOutput = typeof CommandOutput.Type

const Argv = Schema.Array(Schema.String)

/** The program ended with an exit code that does not mean success, or by a signal. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  argv: Argv,
  exitCode: Schema.Int,
  signal: Schema.optionalKey(Schema.String),
  /** The last lines of standard error. */
  stderr: Schema.String,
}) {
  /** Its own exit tells that it failed; a signal leaves open how far it came. */
  get settled() {
    return this.signal === undefined
  }
  override get message() {
    const how = this.signal === undefined ? `exit code ${this.exitCode}` : `signal ${this.signal}`
    return `${this.argv[0]} ended with ${how}${this.stderr === "" ? "; it wrote nothing to stderr" : `:\n${this.stderr}`}`
  }
}

/** The program succeeded, but what it was to hand back is missing or not readable. */
export class CommandOutputUnusable extends Schema.TaggedError<CommandOutputUnusable>()("CommandOutputUnusable", {
  argv: Argv,
  what: Schema.String,
  reason: Schema.String,
}) {
  readonly settled = true
  override get message() {
    return `${this.argv[0]} succeeded, but ${this.what} cannot be used: ${this.reason}`
  }
}
