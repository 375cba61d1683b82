import { hostname, uptime } from "node:os"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as LeaseOwner from "./lease-owner.ts"
import type { TermRows } from "./lease-rows-postgres.ts"
import { type Lease, LeasesUnavailable } from "./leases.ts"
import * as Outage from "./outage.ts"
import { pause } from "./process-groups.ts"

/** An owner, and what all of its leases are: held until its term is over. */
export interface TermOwned {
  readonly id: string
  readonly lease: Lease
  /** Another process has removed it. */
  readonly removed: () => void
}

/** How an owner is kept. */
export interface Options {
  readonly rows: TermRows
  /** The same statements on a connection of their own: a pool that is in use delays no renewal. */
  readonly beating: TermRows
  /** Where owners' locks are. */
  readonly folder: string
  readonly termMillis: number
  /** Requests that were given back, and may still be there. */
  readonly dropped: () => ReadonlyArray<string>
}

/** How long an end of ours waits for the database, milliseconds; what it leaves goes with its term. */
const farewellMillis = 2_000

/**
 * Time that passes, in milliseconds, whatever happens to the clock; the time in which the machine slept is part of it (it
 * is told in whole seconds).
 */
const stopwatch = () => {
  const [start, up] = [performance.now(), uptime()]
  return () => Math.max(performance.now() - start, (uptime() - up - 1) * 1_000)
}

/**
 * Keeps this process an owner in the database. Its term is renewed by a heartbeat on the clock of the database. Here only
 * time that passes is measured, from before a renewal was sent, and a third of the term is left to stop what holds
 * leases: so they are known to be lost before anyone else can have them. Whoever lost them becomes another owner.
 */
export const make = Effect.fnUntraced(function* (options: Options) {
  const { beating, folder, rows, termMillis } = options
  const scope = yield* Effect.scope
  const passed = stopwatch()
  const trustMillis = (termMillis * 2) / 3
  const beatMillis = termMillis / 6
  let current: TermOwned | undefined

  const begin = Effect.gen(function* () {
    const taken = yield* LeaseOwner.take(folder, Bun.randomUUIDv7()).pipe(
      Effect.mapError(({ message }) => new LeasesUnavailable({ path: folder, reason: message })),
    )
    const file = LeaseOwner.fileId(folder, taken.id)
    let until = -Infinity
    let why: string | undefined
    let refusal = ""
    const loss = Deferred.makeUnsafe<{ readonly why: string; readonly leftMillis: number }>()
    const lose = (reason: string, leftMillis: number) => {
      why ??= reason
      Deferred.doneUnsafe(loss, Effect.succeed({ why, leftMillis }))
    }
    const removed = () =>
      lose("its term was over by the clock of the database, and another process took what it held", 0)
    /** Since before it was sent: the database cannot have begun the term earlier. */
    const since = <A, E>(statement: Effect.Effect<A, E>, isRenewed: (answer: A) => boolean) =>
      Effect.suspend(() => {
        const sent = passed()
        return Effect.map(statement, (answer) => {
          if (isRenewed(answer)) until = sent + trustMillis
          return isRenewed(answer)
        })
      })
    const added = since(rows.addOwner({ ...taken, host: hostname(), file }, termMillis), () => true)
    yield* Outage.outlast("Taking pools and locks", added)
    yield* Effect.addFinalizer(() =>
      rows.removeOwner(taken.id, true).pipe(
        Effect.map(() => LeaseOwner.forget(folder, taken.id)),
        Effect.ignore,
        Effect.raceFirst(pause(farewellMillis)),
      ),
    )
    const lost = () => {
      if (why === undefined && passed() >= until) {
        const reason = `its term could not be renewed in PostgreSQL for ${Math.round(trustMillis / 1_000)} s${refusal}`
        lose(reason, Math.max(0, until - trustMillis + termMillis - passed()))
      }
      return why
    }
    const watch = Effect.gen(function* () {
      while (lost() === undefined) yield* pause(Math.max(1, until - passed()))
    })
    const beat = Effect.gen(function* () {
      while (lost() === undefined) {
        const renewed = yield* Effect.result(since(beating.renew(taken.id, termMillis), (there) => there))
        if (renewed._tag === "Success" && !renewed.success) removed()
        refusal = renewed._tag === "Success" ? "" : ` (${renewed.failure.message})`
        const dropped = options.dropped()
        if (renewed._tag === "Success" && dropped.length > 0) yield* Effect.ignore(beating.removeAll(dropped))
        yield* pause(renewed._tag === "Success" ? beatMillis : beatMillis / 5)
      }
    })
    yield* Effect.forkScoped(watch)
    yield* Effect.forkScoped(beat)
    const known = Deferred.await(loss)
    const lease: Lease = {
      lost,
      loss: Effect.map(known, (told) => told.why),
      over: Effect.flatMap(known, ({ leftMillis }) => pause(leftMillis)),
    }
    return { id: taken.id, lease, removed } satisfies TermOwned
  })

  const anew = Effect.gen(function* () {
    const own = yield* Scope.fork(scope)
    return yield* Scope.provide(begin, own).pipe(
      Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(own, exit))),
    )
  })

  return {
    /** The owner that takes leases now. One at a time may ask. */
    owned: Effect.suspend(() => {
      if (current !== undefined && current.lease.lost() === undefined) return Effect.succeed(current)
      return Effect.tap(anew, (owned) => Effect.sync(() => void (current = owned)))
    }),
    /** The one that there is, to look with. */
    current: () => current?.id,
  }
})
export type LeaseTerm = Effect.Success<ReturnType<typeof make>>
