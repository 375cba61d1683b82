import * as Schema from "effect/Schema"
import { Name } from "./config/measure.ts"

/**
 * One start of a target, written before it. `pid`, `started` and `boot` name the process for good; without them its
 * program did not begin. `ready` is when it had passed everything that was asked of it; `failed` why it did not, and then
 * it was stopped. Times are milliseconds since the epoch.
 */
export const RecoveredStart = Schema.Struct({
  by: Schema.String,
  name: Name,
  began: Schema.Int,
  pid: Schema.optionalKey(Schema.Int),
  started: Schema.optionalKey(Schema.String),
  boot: Schema.optionalKey(Schema.String),
  ready: Schema.optionalKey(Schema.Int),
  failed: Schema.optionalKey(Schema.String),
  log: Schema.String.annotate({ description: "what it said, relative to the incident's folder" }),
  note: Schema.optionalKey(Schema.String),
}).annotate({ identifier: "RecoveredStart" })
export type RecoveredStart = typeof RecoveredStart.Type

/** `recovered.json` of an incident: every start, in the order in which they began. */
export const Recovered = Schema.Struct({
  format: Schema.Literal("dandori-recovered/1"),
  by: Schema.String.annotate({ description: "idempotency key of the last task that brought up" }),
  drill: Schema.Boolean,
  done: Schema.Boolean,
  starts: Schema.Array(RecoveredStart),
}).annotate({ identifier: "Recovered" })
export type Recovered = typeof Recovered.Type

/** What a recovery came to, small enough for a task's output; the rest is in `recovered.json`. */
export const RecoverySummary = Schema.Struct({
  recovered: Schema.Array(Schema.Struct({ name: Name, pid: Schema.Int, millis: Schema.Int })),
  failed: Schema.Array(Schema.Struct({ name: Name, reason: Schema.String })),
  complete: Schema.Boolean,
}).annotate({ identifier: "RecoverySummary" })
export type RecoverySummary = typeof RecoverySummary.Type

/** The summary of what `recovered.json` says: of each target its last start. */
export const summaryOf = ({ done, starts }: Recovered): RecoverySummary => {
  const last = [...new Map(starts.map((start) => [start.name, start])).values()]
  const recovered = last.flatMap(({ began, name, pid, ready }) =>
    ready === undefined || pid === undefined ? [] : [{ name, pid, millis: ready - began }],
  )
  const failed = last.flatMap(({ failed: reason, name }) => (reason === undefined ? [] : [{ name, reason }]))
  return { recovered, failed, complete: done && recovered.length === last.length }
}
