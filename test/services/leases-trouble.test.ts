import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { Database } from "bun:sqlite"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as LeasesSqlite from "../../src/services/leases-sqlite.ts"
import { Leases, type Waiting } from "../../src/services/leases.ts"
import * as LeaseProcess from "../support/lease-process.ts"

const a = LeaseProcess.request("own", { locks: ["a"] })
const silent = () => {}

const withLeases = <A, E, R>(home: string, use: Effect.Effect<A, E, R>) =>
  Effect.provide(use, Layer.fresh(LeasesSqlite.layer(home)))

/** Changes the store as another program could. */
const inStore = (home: string, ...statements: ReadonlyArray<string>) => {
  const database = new Database(join(home, "state.db"))
  for (const statement of statements) database.run(statement)
  return database
}

/** A dead process that left the lock `a` taken. */
const dead = (home: string) =>
  inStore(
    home,
    "INSERT INTO lease_owners VALUES ('dead', 1, 'never', 'another boot')",
    "INSERT INTO lease_requests VALUES (900, 'dead', 'old', NULL, NULL, 0, 1)",
    "INSERT INTO lease_wants VALUES ('lock a', 900, 1, 1)",
  ).close()

describe("a wait for a lease", () => {
  it.live("ends when the dead holder's row is gone, though its file cannot be removed", () =>
    Effect.gen(function* () {
      const home = yield* LeaseProcess.home
      yield* withLeases(
        home,
        Effect.gen(function* () {
          const leases = yield* Leases
          yield* Effect.scoped(leases.acquire(a, silent))
          yield* Effect.promise(() => Fs.mkdir(join(home, "owners/dead.lock")))
          dead(home)
          yield* Effect.scoped(leases.acquire(a, silent))
        }),
      )
    }),
  )

  it.live("ends with the reason when what a dead process holds cannot be taken from it", () =>
    Effect.gen(function* () {
      const home = yield* LeaseProcess.home
      yield* withLeases(
        home,
        Effect.gen(function* () {
          const leases = yield* Leases
          yield* Effect.scoped(leases.acquire(a, silent))
          dead(home)
          inStore(
            home,
            "CREATE TRIGGER stuck BEFORE DELETE ON lease_owners BEGIN SELECT RAISE(ABORT, 'the disk is odd'); END",
          ).close()
          const error = yield* Effect.flip(Effect.scoped(leases.acquire(a, silent)))
          assert.match(error.message, /cannot be taken in .*the disk is odd/)
          const now = yield* Effect.flip(Effect.scoped(leases.acquireNow(a)))
          assert.match(now.message, /the disk is odd/)
          inStore(home, "DROP TRIGGER stuck").close()
          yield* Effect.scoped(leases.acquire(a, silent))
        }),
      )
    }),
  )

  it.live("says so while another program keeps the store locked, and goes on when that is over", () =>
    Effect.gen(function* () {
      const home = yield* LeaseProcess.home
      yield* withLeases(
        home,
        Effect.gen(function* () {
          const leases = yield* Leases
          yield* Effect.scoped(leases.acquire(a, silent))
          const foreign = inStore(home, "BEGIN IMMEDIATE")
          const told = yield* Deferred.make<Waiting>()
          const fiber = yield* Effect.forkChild(
            Effect.scoped(leases.acquire(a, (waiting) => Deferred.doneUnsafe(told, Effect.succeed(waiting)))),
          )
          assert.match((yield* Deferred.await(told)).name, /state\.db, which another program keeps locked/)
          foreign.run("ROLLBACK")
          foreign.close()
          yield* Fiber.join(fiber)
        }),
      )
    }),
  )
})
