import { statSync } from "node:fs"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type { SqlError } from "effect/sql/SqlError"
import * as LeaseOwner from "./lease-owner.ts"
import * as Rows from "./lease-rows.ts"
import { LeasesUnavailable } from "./leases.ts"
import { pause } from "./process-groups.ts"
import { type ProcessRecord, stopLeftovers } from "./process-records.ts"
import * as Sqlite from "./sqlite.ts"
import { migrate } from "./sql-migrations.ts"

/** Milliseconds between two looks at what other processes did, at first and when nothing happens. */
const shortestPause = 2
const longestPause = 20
/** How long an end of ours waits for the store, milliseconds; what it leaves is removed by others. */
const farewellMillis = 2_000

const inodeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino

/** Whether a child process belongs to a lease of a dead owner: its attempt, or its run where the run holds it. */
export const belongsTo =
  (dead: LeaseOwner.Owner, leases: ReadonlyArray<{ readonly run: string; readonly task?: string; attempt?: number }>) =>
  ({ mark, owner }: ProcessRecord): boolean =>
    owner.pid === dead.pid &&
    owner.started === dead.started &&
    mark !== undefined &&
    leases.some(
      ({ attempt, run, task }) =>
        run === mark.run && (task === undefined || (task === mark.task && attempt === mark.attempt)),
    )

/**
 * The leases of a project as this process sees them: the tables, its owner's lock, and word of what changes. Waits for
 * other processes' transactions as long as they take.
 */
export const open = Effect.fnUntraced(function* (home: string) {
  const scope = yield* Effect.scope
  const path = join(home, "state.db")
  const folder = join(home, "owners")
  const sql = yield* Sqlite.open({ path, patienceMillis: Infinity })
  // Leases are worth nothing after a power cut, so their commits wait for no flush.
  yield* sql`PRAGMA synchronous = NORMAL`
  yield* migrate(sql, "leases", Rows.migrations)
  const inode = inodeOf(path)
  const rows = Rows.make(sql)
  const owner = yield* LeaseOwner.take(folder, Bun.randomUUIDv7())
  yield* Effect.acquireRelease(rows.addOwner(owner), () =>
    rows.removeOwner(owner.id).pipe(
      Effect.map(() => LeaseOwner.forget(folder, owner.id)),
      Effect.ignore,
      Effect.raceFirst(pause(farewellMillis)),
    ),
  )

  let changed = Latch.makeUnsafe(false)
  /** Wakes all who wait for a change. */
  const announce = () => {
    const before = changed
    changed = Latch.makeUnsafe(false)
    before.openUnsafe()
  }

  const reclaiming = new Map<string, Fiber.Fiber<void, SqlError>>()
  /** Removes a dead owner and its leases, once the child processes of its attempts are gone. */
  const reclaim = (dead: LeaseOwner.Owner): Effect.Effect<void, SqlError> =>
    Effect.gen(function* () {
      const work = Effect.gen(function* () {
        const leases = yield* rows.heldBy(dead.id)
        const left = leases.length === 0 ? [] : yield* stopLeftovers(join(home, "processes"), belongsTo(dead, leases))
        if (left.some(({ remaining }) => remaining.length > 0)) return yield* pause(1_000)
        yield* rows.removeOwner(dead.id)
        // Its file alone holds nobody up.
        yield* Effect.ignore(Effect.try(() => LeaseOwner.forget(folder, dead.id)))
        announce()
      }).pipe(Effect.ensuring(Effect.sync(() => reclaiming.delete(dead.id))))
      const running = reclaiming.get(dead.id) ?? (yield* Effect.forkIn(work, scope))
      reclaiming.set(dead.id, running)
      yield* Fiber.join(running)
    })

  for (const each of yield* rows.owners) {
    if (each.id !== owner.id && LeaseOwner.isDead(folder, each)) yield* Effect.forkIn(reclaim(each), scope)
  }

  const watched = new Map<number, ReadonlyArray<LeaseOwner.Owner>>()
  let polling = false
  /** Why other processes cannot be looked at, or the dead not removed; who waits must not wait for ever. */
  let blindness: Cause.Cause<SqlError> | undefined
  const goBlind = (cause: Cause.Cause<SqlError>) =>
    Effect.sync(() => {
      if (Cause.hasInterruptsOnly(cause)) return
      blindness = cause
      announce()
    })
  let rest = shortestPause
  const poll = Effect.gen(function* () {
    let last: number | undefined
    while (watched.size > 0) {
      yield* pause(rest)
      rest = Math.min(rest * 1.25, longestPause)
      const version = yield* Effect.orElseSucceed(rows.version, () => -1)
      if (version !== last) {
        last = version
        rest = shortestPause
        announce()
      }
      const owners = new Map([...watched.values()].flat().map((each) => [each.id, each]))
      for (const each of owners.values()) {
        if (reclaiming.has(each.id) || !LeaseOwner.isDead(folder, each)) continue
        yield* Effect.forkIn(Effect.onError(reclaim(each), goBlind), scope)
      }
    }
    // All have been told.
    blindness = undefined
  }).pipe(Effect.ensuring(Effect.sync(() => void (polling = false))), Effect.onError(goBlind))

  /** A ticket waits for these owners: they are looked after until `unwatch`. */
  const watch = (ticket: number, owners: ReadonlyArray<LeaseOwner.Owner>): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (!watched.has(ticket)) rest = shortestPause
      watched.set(
        ticket,
        owners.filter(({ id }) => id !== owner.id),
      )
      if (polling) return Effect.void
      polling = true
      return Effect.asVoid(Effect.forkIn(poll, scope))
    })

  return {
    path,
    owner,
    rows,
    /** Tickets of this process that wait or hold. */
    tickets: new Set<number>(),
    transaction: sql.withTransaction,
    isReplaced: () => inodeOf(path) !== inode,
    /** Fails where the look at other processes has failed. */
    sighted: Effect.suspend(() => (blindness === undefined ? Effect.void : Effect.failCause(blindness))),
    strangers: Effect.map(rows.owners, (known) => LeaseOwner.strangers(folder, new Set(known.map(({ id }) => id)))),
    /** Set once there are no strangers: nobody becomes one later. */
    familiar: false,
    isDead: (other: LeaseOwner.Owner) => other.id !== owner.id && LeaseOwner.isDead(folder, other),
    announce,
    /** Opens at the next change after this call, whoever makes it. */
    nextChange: () => changed,
    reclaim,
    watch,
    unwatch: (ticket: number) => void watched.delete(ticket),
    /** Removes a ticket; goes on in the background where the store makes it wait for long. */
    remove: (ticket: number): Effect.Effect<void> =>
      rows.remove(ticket).pipe(
        Effect.ignore,
        Effect.forkIn(scope),
        Effect.flatMap((fiber) => Effect.raceFirst(Fiber.await(fiber), pause(farewellMillis))),
        Effect.map(announce),
      ),
  }
})
/** An opened store. */
export type LeaseStore = Effect.Success<ReturnType<typeof open>>

/** The store was removed under a process that works in it. */
export const replaced = (path: string) =>
  new LeasesUnavailable({
    path,
    reason: "the file was removed or replaced while this process had leases in it; end this run and resume it",
  })
