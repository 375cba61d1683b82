import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { SqlError } from "effect/sql/SqlError"
import * as LeaseOwner from "./lease-owner.ts"
import type { TermOwner, TermRows } from "./lease-rows-postgres.ts"
import { belongsTo } from "./lease-store.ts"
import * as Outage from "./outage.ts"
import { pause } from "./process-groups.ts"
import { stopLeftovers } from "./process-records.ts"

/** How owners are removed that are dead. */
export interface Options {
  readonly rows: TermRows
  /** The project's home here, and where its owners' locks are. */
  readonly home: string
  readonly folder: string
  /** The id of this process's own owner. */
  readonly own: () => string | undefined
  /** Called when one is gone, or cannot be removed. */
  readonly changed: () => void
}

/**
 * Removes owners whose term is over, or of whom this home knows by their lock that their process has ended. Before the
 * leases of one go to others, the child processes of its attempts, where they are here, are stopped and confirmed gone:
 * those of a process that is only stopped, too.
 */
export const make = Effect.fnUntraced(function* ({ changed, folder, home, own, rows }: Options) {
  const scope = yield* Effect.scope
  const running = new Map<string, Fiber.Fiber<void, SqlError>>()
  const refused = new Map<string, SqlError>()

  const remove = Effect.fnUntraced(function* (dead: TermOwner) {
    const seen = LeaseOwner.sightOf(folder, dead)
    if (seen !== "elsewhere") {
      const leases = yield* rows.heldBy(dead.id)
      const left = leases.length === 0 ? [] : yield* stopLeftovers(join(home, "processes"), belongsTo(dead, leases))
      if (left.some(({ remaining }) => remaining.length > 0)) return yield* pause(1_000)
    }
    yield* rows.removeOwner(dead.id, seen === "dead")
    if (seen === "dead") yield* Effect.ignore(Effect.try(() => LeaseOwner.forget(folder, dead.id)))
  })

  const reclaim = (dead: TermOwner): Effect.Effect<void, SqlError> =>
    Effect.gen(function* () {
      const work = remove(dead).pipe(
        Effect.tapError((error) =>
          Effect.sync(() => (Outage.isPassing(error) ? undefined : refused.set(dead.id, error))),
        ),
        Effect.ensuring(
          Effect.sync(() => {
            running.delete(dead.id)
            changed()
          }),
        ),
      )
      const fiber = running.get(dead.id) ?? (yield* Effect.forkIn(work, scope))
      running.set(dead.id, fiber)
      yield* Fiber.join(fiber)
    })

  return {
    isDead: (owner: TermOwner): boolean =>
      owner.id !== own() && (owner.expired || LeaseOwner.sightOf(folder, owner) === "dead"),
    reclaim,
    /** Removes an owner in the background; fails where the database did not let it go before: nobody must wait for that. */
    inBackground: (dead: TermOwner): Effect.Effect<void, SqlError> =>
      Effect.suspend(() => {
        const error = refused.get(dead.id)
        if (error !== undefined) return Effect.fail(error)
        return running.has(dead.id) ? Effect.void : Effect.asVoid(Effect.forkIn(Effect.ignore(reclaim(dead)), scope))
      }),
  }
})
