import * as Schema from "effect/Schema"
import { GateResult, Verdict } from "../../src/domain/gate.ts"
import { Segment } from "../../src/domain/names.ts"
import { Duration } from "../../src/domain/quantity.ts"
import { Text } from "../command/schema.ts"

/** Milliseconds that a check may take where it does not say. */
export const usualMillis = 600_000

/** One program whose exit code 0 means that the code is right. */
export const Check = Schema.Struct({
  name: Segment.annotate({ description: "What reports call it." }),
  argv: Schema.NonEmptyArray(Text).annotate({
    description: "Program and arguments, run in the project's folder. No shell reads them.",
  }),
  timeout: Schema.optionalKey(Duration.annotate({ description: "After it the check has failed. Default: 10m." })),
  severity: Schema.optionalKey(Schema.Literals(["error", "warn"])).annotate({
    description: "warn: a failure is reported, and lets through. Default: error.",
  }),
}).annotate({ identifier: "ReleaseCheck" })
export type Check = typeof Check.Type

/** What has to hold of the project's code before it is released. */
export const ReleaseGateInput = Schema.Struct({
  checks: Schema.NonEmptyArray(Check)
    .check(
      Schema.makeFilter(
        (checks) =>
          new Set(checks.map(({ name }) => name)).size === checks.length || "each check must have a name of its own",
      ),
      Schema.isMinLength(1),
    )
    .annotate({ description: "Lint, types, tests, data quality: all of them run, even when one fails." }),
  parallel: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 64 })).annotate({
      description: "How many run at a time. Default: 1.",
    }),
  ),
}).annotate({ identifier: "ReleaseGateInput" })
export type ReleaseGateInput = typeof ReleaseGateInput.Type

/** How a check ended. Without `exitCode` it did not end by itself, and `observed` says why. `tail` are its last lines. */
export const CheckOutcome = Schema.Struct({
  name: Schema.String,
  severity: Schema.Literals(["error", "warn"]),
  passed: Schema.Boolean,
  observed: Schema.String,
  threshold: Schema.String,
  exitCode: Schema.optionalKey(Schema.Int),
  millis: Schema.Int,
  tail: Schema.String,
}).annotate({ identifier: "CheckOutcome" })
export type CheckOutcome = typeof CheckOutcome.Type

/** The verdict on the project's code. `code` is its digest, the subject of the receipt; `files` how many it has. */
export const ReleaseGateOutput = Schema.Struct({
  verdict: Verdict,
  code: Schema.String,
  files: Schema.Int,
  checks: Schema.Array(CheckOutcome),
  gate: GateResult,
}).annotate({ identifier: "ReleaseGateOutput" })
export type ReleaseGateOutput = typeof ReleaseGateOutput.Type

/** The code is not what it was when the checks began, so that nothing is known of either. */
export class CodeChanged extends Schema.TaggedError<CodeChanged>()("CodeChanged", {
  paths: Schema.Array(Schema.String),
  count: Schema.Int,
  failed: Schema.Array(Schema.String),
}) {
  override get message() {
    const more = this.count > this.paths.length ? ` and ${this.count - this.paths.length} more` : ""
    const failed = this.failed.length === 0 ? "" : ` (these checks failed: ${this.failed.join(", ")})`
    return `The project's code changed while it was checked: ${this.paths.join(", ")}${more}${failed}; run it again with nobody editing, and put into .gitignore what checks write`
  }
}
