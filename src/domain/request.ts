import * as Schema from "effect/Schema"
import { Sha256 } from "./sha256.ts"

const answered = { task: Schema.String, input: Sha256 }

/** What a person says to a request for agreement; it names the digest of the input that the person saw. */
export const ApprovalAnswer = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("approve"), ...answered, reason: Schema.optionalKey(Schema.String) }),
  Schema.Struct({ kind: Schema.Literal("refuse"), ...answered, reason: Schema.String }),
])
export type ApprovalAnswer = typeof ApprovalAnswer.Type

/** What a person asks of a run. */
export const Request = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("cancel"), reason: Schema.String }),
  ...ApprovalAnswer.members,
  Schema.Struct({
    kind: Schema.Literal("resolve"),
    task: Schema.String,
    as: Schema.Literals(["succeeded", "failed"]),
    reason: Schema.String,
    output: Schema.optionalKey(Schema.Unknown),
  }),
])
export type Request = typeof Request.Type

/** What the run's owner says to a request: done, or why not. `unrecorded`: why the record of it could not be written. */
export const Answer = Schema.Union([
  Schema.Struct({ done: Schema.Literal(true), unrecorded: Schema.optionalKey(Schema.String) }),
  Schema.Struct({ refused: Schema.String }),
])
export type Answer = typeof Answer.Type
