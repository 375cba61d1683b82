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

/** A container that is to be stopped; `pid` and `started` name its first process, where it can be seen from here. */
export const DoomedContainer = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  socket: Schema.String,
  pid: Schema.optionalKey(Schema.Int),
  started: Schema.optionalKey(Schema.String),
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

/** What a stop came to, small enough for a task's output; the rest is in `stopped.json`. */
export const StopSummary = Schema.Struct({
  stopped: Schema.Array(
    Schema.Struct({
      target: Schema.String,
      processes: Schema.Int.annotate({ description: "processes and containers that ended" }),
      signal: Schema.Literals(["none", ...StopSignal.literals]).annotate({ description: "the last that was needed" }),
      millis: Schema.Int,
    }),
  ),
  remaining: Schema.Array(Remaining),
  near: Schema.Array(NearMiss).annotate({ description: "same words, and not stopped" }),
  listed: Schema.optionalKey(Schema.Array(Schema.Struct({ target: Schema.String, processes: Schema.Int }))).annotate({
    description: "in a drill: what would have been stopped",
  }),
  complete: Schema.Boolean,
}).annotate({ identifier: "StopSummary" })
export type StopSummary = typeof StopSummary.Type

const mostListed = 20

/** The summary of what `stopped.json` says. */
export const summaryOf = ({ done, drill, near, remaining, stops }: Stopped): StopSummary => {
  const targets = [...new Set(stops.map(({ target }) => target))].map((target) => {
    const own = stops.filter((stop) => stop.target === target)
    const sent = new Set(own.flatMap(({ signals }) => signals.map(({ signal }) => signal)))
    const all = own.reduce((sum, stop) => sum + stop.processes.length + stop.containers.length, 0)
    return {
      target,
      processes: all - own.reduce((sum, stop) => sum + stop.remaining.length, 0),
      signal: StopSignal.literals.findLast((signal) => sent.has(signal)) ?? ("none" as const),
      millis: own.reduce((sum, { began, ended, signals }) => sum + (ended ?? signals.at(-1)?.at ?? began) - began, 0),
    }
  })
  return {
    stopped: drill ? [] : targets.filter(({ processes }) => processes > 0),
    remaining: remaining.slice(0, mostListed),
    near: near.slice(0, mostListed),
    ...(drill ? { listed: targets.map(({ processes, target }) => ({ target, processes })) } : {}),
    complete: done && remaining.length === 0,
  }
}
