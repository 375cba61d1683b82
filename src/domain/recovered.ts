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
