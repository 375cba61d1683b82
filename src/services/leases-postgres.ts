import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Queue from "./lease-queue.ts"
import { both, Leases, type LeaseRequest } from "./leases.ts"
import * as LeasesShared from "./leases-shared.ts"
import * as LeasesSqlite from "./leases-sqlite.ts"

/** What of a request all machines share: its pools and locks. */
const sharedOf = ({ resources: { locks, pools }, ...request }: LeaseRequest): LeaseRequest => ({
  ...request,
  resources: { ...(locks === undefined ? {} : { locks }), ...(pools === undefined ? {} : { pools }) },
})

/** What of a request is of one machine. */
const localOf = ({ resources: { locks: _locks, pools: _pools, ...resources }, ...request }: LeaseRequest) => ({
  ...request,
  resources,
})

const isEmpty = (request: LeaseRequest): boolean => Queue.wantsOf(request).length === 0

/** In a scope of its own that closes with the outer one, and at once when it fails or is interrupted. */
const apart = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E, Scope.Scope> =>
  Effect.gen(function* () {
    const own = yield* Scope.fork(yield* Effect.scope)
    return yield* Scope.provide(effect, own).pipe(
      Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(own, exit))),
    )
  })

const make = Effect.fnUntraced(function* (options: LeasesShared.SharedOptions) {
  const local = yield* Leases
  const shared = yield* LeasesShared.make(options)
  return Leases.of({
    // Pools and locks first: they may be waited for long, and what the machine has is free for others meanwhile.
    acquire: Effect.fn("Leases.acquire")(function* (request, onWaiting) {
      const [ofAll, ofMachine] = [sharedOf(request), localOf(request)]
      if (isEmpty(ofAll)) return yield* local.acquire(ofMachine, onWaiting)
      for (;;) {
        const own = yield* Scope.fork(yield* Effect.scope)
        const taken = Effect.gen(function* () {
          const lease = yield* shared.acquire(ofAll, onWaiting)
          if (isEmpty(ofMachine)) return lease
          const waited = apart(local.acquire(ofMachine, onWaiting))
          const rest = yield* Effect.raceFirst(waited, Effect.as(lease.loss, undefined))
          return rest === undefined ? undefined : both(lease, rest)
        })
        const lease = yield* Scope.provide(taken, own)
        if (lease !== undefined) return lease
        yield* Scope.close(own, Exit.void)
      }
    }),
    acquireNow: Effect.fn("Leases.acquireNow")(function* (request) {
      const [ofAll, ofMachine] = [sharedOf(request), localOf(request)]
      if (isEmpty(ofAll)) return yield* local.acquireNow(ofMachine)
      const lease = yield* shared.acquireNow(ofAll)
      return isEmpty(ofMachine) ? lease : both(lease, yield* local.acquireNow(ofMachine))
    }, apart),
    holders: (name) => (/^(lock|pool) /.test(name) ? shared.holders(name) : local.holders(name)),
  })
})

/**
 * Leases of all machines that share a ledger in PostgreSQL: pools, locks and concurrency groups are rows there, held until
 * their owner's term; what a machine has (cpu, memory, gpu) is counted in its own state store.
 */
export const layer = (options: LeasesShared.SharedOptions): Layer.Layer<Leases> =>
  Layer.effect(Leases, make(options)).pipe(Layer.provide(LeasesSqlite.layer(options.home)))
