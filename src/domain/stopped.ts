import * as Schema from "effect/Schema"
import { Name } from "./config/measure.ts"

/** The signals that stop a process, in their order. */
export const StopSignal = Schema.Literals(["SIGINT", "SIGTERM", "SIGKILL"]).annotate({ identifier: "StopSignal" })
export type StopSignal = typeof StopSignal.Type

/**
 * A process that is to be stopped: `pid` and `started` name it for good. `why` says by what it was found. Its arguments
 * are not kept: there may be secrets in them.
 */
export const DoomedProcess = Schema.Struct({
  pid: Schema.Int,
  started: Schema.String,
  parent: Schema.Int,
  group: Schema.Int,
  program: Schema.String,
  why: Schema.String,
}).annotate({ identifier: "DoomedProcess" })
export type DoomedProcess = typeof DoomedProcess.Type

/** A container that is to be stopped; `pid` is that of its first process on this machine. */
export const DoomedContainer = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  socket: Schema.String,
  pid: Schema.Int,
}).annotate({ identifier: "DoomedContainer" })
export type DoomedContainer = typeof DoomedContainer.Type

/** What still runs, or may, and why. */
export const Remaining = Schema.Struct({
  target: Schema.String,
  pid: Schema.optionalKey(Schema.Int),
  container: Schema.optionalKey(Schema.String),
  reason: Schema.String,
}).annotate({ identifier: "Remaining" })
export type Remaining = typeof Remaining.Type

/**
 * One stop of one target, written before the first signal and again as it goes on. `by` is the idempotency key of the
 * task that did it. Times are milliseconds since the epoch. Without `ended` its outcome was not written: it was killed.
 */
export const Stop = Schema.Struct({
  by: Schema.String,
  target: Schema.String,
  began: Schema.Int,
  processes: Schema.Array(DoomedProcess),
  containers: Schema.Array(DoomedContainer),
  signals: Schema.Array(Schema.Struct({ signal: StopSignal, at: Schema.Int, pids: Schema.Array(Schema.Int) })),
  ended: Schema.optionalKey(Schema.Int),
  remaining: Schema.Array(Remaining),
}).annotate({ identifier: "Stop" })
export type Stop = typeof Stop.Type

/** A process that has a target's words and is not it: the condition that it does not meet. */
export const NearMiss = Schema.Struct({ target: Name, pid: Schema.Int, reason: Schema.String }).annotate({
  identifier: "NearMiss",
})
export type NearMiss = typeof NearMiss.Type

/**
 * `stopped.json` of an incident. `boot` is the machine's boot that the processes belong to. `stops` are in the order in
 * which they began; a target that was started again has several. `remaining` is what the last call left running.
 */
export const Stopped = Schema.Struct({
  format: Schema.Literal("dandori-stopped/1"),
  by: Schema.String.annotate({ description: "idempotency key of the last task that stopped" }),
  drill: Schema.Boolean,
  boot: Schema.String,
  done: Schema.Boolean,
  stops: Schema.Array(Stop),
  near: Schema.Array(NearMiss),
  remaining: Schema.Array(Remaining),
}).annotate({ identifier: "Stopped" })
export type Stopped = typeof Stopped.Type
