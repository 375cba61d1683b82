import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Capacity } from "../domain/event.ts"
import type { PlanTask } from "../domain/plan.ts"
import { wantsOf } from "../services/lease-queue.ts"
import { both, type Lease, Leases, type LeasesUnavailable } from "../services/leases.ts"
import { Observer } from "../services/observer.ts"

/** An attempt that may start as soon as it holds what its task names. */
export interface Claim {
  readonly index: number
  readonly task: PlanTask
  readonly attempt: number
  readonly capacity: Capacity
}

/**
 * The claims of a run's attempts to pools, locks and machine capacity, which they share with other processes. A claim
 * waits in a fiber of its own; its lease is held until the attempt has ended, its terminal event appended and its
 * child processes gone. `place` is what the run itself holds, which every attempt needs besides. `collapse` is told what
 * breaks in a fiber, for which nobody waits.
 */
export const make = Effect.fnUntraced(function* <E>(
  run: string,
  place: () => Lease,
  scope: Scope.Scope,
  collapse: (cause: Cause.Cause<E>) => Effect.Effect<void>,
) {
  const leases = yield* Leases
  const observer = yield* Observer
  const waiting = new Map<number, Fiber.Fiber<unknown, unknown>>()

  const settled = (index: number) => Effect.sync(() => void waiting.delete(index))

  /** Starts an attempt: at once, where its task names nothing; else as soon as it holds all. The attempt settles the claim. */
  const start = <R>(
    { attempt, capacity, index, task }: Claim,
    attempted: (lease: Lease) => Effect.Effect<void, E, R>,
    refused: (error: LeasesUnavailable) => Effect.Effect<void, never, R>,
    isHeld: Effect.Effect<boolean>,
  ): Effect.Effect<void, never, R> => {
    const { priority = 0, resources } = task
    if (resources === undefined || wantsOf({ capacity, resources }).length === 0) {
      return Effect.asVoid(
        Effect.forkIn(Effect.onError(attempted(place()), collapse), scope, { startImmediately: true }),
      )
    }
    const request = { run, attempt: { task: task.id, attempt }, resources, capacity, priority }
    const claimed = leases
      .acquire(request, (what) => observer.onWaiting(task.id, what))
      .pipe(
        Effect.matchEffect({
          onFailure: refused,
          // A cordon may have come while it waited: the lease is given back, and the task is looked at again.
          onSuccess: (lease) =>
            Effect.flatMap(isHeld, (held) => (held ? settled(index) : attempted(both(place(), lease)))),
        }),
        Effect.scoped,
        Effect.onError(collapse),
      )
    return Effect.map(Effect.forkIn(claimed, scope), (fiber) => void waiting.set(index, fiber))
  }

  return {
    start,
    /** Whether any task waits for its lease. */
    isAnyWaiting: (): boolean => waiting.size > 0,
    /** Whether a task waits for its lease. */
    isWaiting: (index: number): boolean => waiting.has(index),
    /** A claim's wait is over. */
    settle: (index: number): void => void waiting.delete(index),
    /** Gives up the claims of tasks that no longer stand where they did: a cancel came. */
    dropUnless: (stands: (index: number) => boolean): Effect.Effect<void> => {
      if (waiting.size === 0) return Effect.void
      const dropped = [...waiting].filter(([index]) => !stands(index))
      if (dropped.length === 0) return Effect.void
      for (const [index] of dropped) waiting.delete(index)
      return Effect.asVoid(Effect.forkIn(Fiber.interruptAll(dropped.map(([, fiber]) => fiber)), scope))
    },
  }
})
