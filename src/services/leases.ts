import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Capacity } from "../domain/event.ts"
import type { Resources } from "../domain/plan.ts"

/** Who holds a lease, or asked for it earlier. Without a task it is the run itself. */
export const Holder = Schema.Struct({
  run: Schema.String,
  task: Schema.optionalKey(Schema.String),
  attempt: Schema.optionalKey(Schema.Int),
  /** The process that holds it, and the machine that it is on, where several share the leases. */
  pid: Schema.Int,
  host: Schema.optionalKey(Schema.String),
})
export type Holder = typeof Holder.Type

/** What a request waits for: the first thing that it lacks, who holds it, and who asked for it before. */
export interface Waiting {
  /** `lock models/EURUSD-GBPUSD`, `pool trainers`, `cpu`, `memory`, `gpu`. */
  readonly name: string
  readonly holders: ReadonlyArray<Holder>
  readonly earlier: ReadonlyArray<Holder>
}

const listed = (holders: ReadonlyArray<Holder>): string => {
  const shown = holders
    .slice(0, 3)
    .map(({ host, pid, run }) => `run ${run}, pid ${pid}${host === undefined ? "" : ` on ${host}`}`)
  return `${shown.join("; ")}${holders.length > 3 ? `; and ${holders.length - 3} more` : ""}`
}

/** What is waited for, and because of whom, in one line. */
export const waitingText = ({ earlier, holders, name }: Waiting): string =>
  holders.length > 0
    ? `${name}, held by ${listed(holders)}`
    : earlier.length > 0
      ? `${name}, asked for earlier by ${listed(earlier)}`
      : name

/** Others hold what was asked for, and the request did not want to wait. */
export class LeaseHeld extends Schema.TaggedError<LeaseHeld>()("LeaseHeld", {
  name: Schema.String,
  holders: Schema.Array(Holder),
  earlier: Schema.Array(Holder),
}) {
  readonly transient = true
  readonly notApplied = true
  override get message() {
    return `It would have to wait for ${waitingText(this)}; wait for that run to end, or cancel it`
  }
}

/** Leases can neither be given nor looked at. */
export class LeasesUnavailable extends Schema.TaggedError<LeasesUnavailable>()("LeasesUnavailable", {
  path: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `Pools and locks cannot be taken in ${this.path}: ${this.reason}`
  }
}

/** What is asked for, all of it or nothing. */
export interface LeaseRequest {
  readonly run: string
  /** The attempt that it is for; none for a lease of the run itself. */
  readonly attempt?: { readonly task: string; readonly attempt: number }
  readonly resources: Resources
  /** How much there is of each thing, as this process's configuration says; a lock is there once. */
  readonly capacity: Pick<Capacity, "cpu" | "memory" | "gpu" | "pools">
  /** Higher ones are served first; equal ones in the order in which they asked. */
  readonly priority: number
}

/** What is held. One with a term may end before its scope does: then what it was for must stop, and counts no more. */
export interface Lease {
  /** Why it is held no more; undefined while it is. Looks at the clock: true at once when a stopped process goes on. */
  readonly lost: () => string | undefined
  /** Succeeds with that reason as soon as it is held no more, and before anyone else can hold it. */
  readonly loss: Effect.Effect<string>
  /** Succeeds when another may hold it: nothing is given a grace any more. */
  readonly over: Effect.Effect<void>
}

/** A lease that holds as long as its process lives. */
export const lasting: Lease = { lost: () => undefined, loss: Effect.never, over: Effect.never }

/** Two leases, held as long as both are. */
export const both = (one: Lease, other: Lease): Lease => {
  if (one === lasting) return other
  if (other === lasting) return one
  return {
    lost: () => one.lost() ?? other.lost(),
    loss: Effect.raceFirst(one.loss, other.loss),
    over: Effect.raceFirst(one.over, other.over),
  }
}

/**
 * Pools, locks and machine capacity, shared by all processes that work in the same project on one machine, or, in a
 * database, by all that use its ledger, on any machine. Before the leases of a dead process go to another on its machine,
 * the child processes of its attempts are stopped and confirmed gone.
 *
 * On one machine a lease holds until its scope closes or its process ends, however it ends; while the process is only
 * stopped it stays. In a database it holds until its scope closes or its owner's term is over (`Lease`).
 *
 * Requests are served by priority, then in the order in which they asked: a later one gets ahead only with what takes
 * nothing from those before it.
 */
export class Leases extends Context.Service<
  Leases,
  {
    /** Waits until all can be had; `onWaiting` is told what for, at first and when that changes. */
    readonly acquire: (
      request: LeaseRequest,
      onWaiting: (waiting: Waiting) => void,
    ) => Effect.Effect<Lease, LeasesUnavailable, Scope.Scope>
    /** As `acquire`, but fails at once where it would have to wait for a living process. */
    readonly acquireNow: (request: LeaseRequest) => Effect.Effect<Lease, LeaseHeld | LeasesUnavailable, Scope.Scope>
    /** Who holds something of this name (`pool concurrency/retrain`, `lock a`); only living processes. */
    readonly holders: (name: string) => Effect.Effect<ReadonlyArray<Holder>, LeasesUnavailable>
  }
>()("dandori/services/Leases") {
  /** Where no other process can be: a run lets its own attempts hold nothing together that they must not. */
  static readonly layerAlone: Layer.Layer<Leases> = Layer.succeed(Leases, {
    acquire: () => Effect.succeed(lasting),
    acquireNow: () => Effect.succeed(lasting),
    holders: () => Effect.succeed([]),
  })
}
