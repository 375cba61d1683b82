import { hostname } from "node:os"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Postgres from "../../src/services/postgres.ts"
import * as LeaseProcess from "./lease-process.ts"
import * as Databases from "./servers/databases.ts"

/** A home in which several processes take leases, in one of the stores. */
export interface Place {
  readonly home: string
  /** The locks of its owners. */
  readonly owners: string
  /** What a holder is said to be besides. */
  readonly holder: { readonly host?: string }
  readonly start: ReturnType<typeof LeaseProcess.start>
  readonly rowsLeft: Effect.Effect<Readonly<Record<string, number>>>
}

/** Makes places of one store. */
export class Places extends Context.Service<Places, { readonly make: Effect.Effect<Place, never, Scope.Scope> }>()(
  "test/LeasePlaces",
) {}

/** In the state store of the home. */
export const sqlite = Layer.succeed(Places, {
  make: Effect.map(LeaseProcess.home, (home) => ({
    home,
    owners: join(home, "owners"),
    holder: {},
    start: LeaseProcess.start(home),
    rowsLeft: Effect.sync(() => LeaseProcess.rowsLeft(home)),
  })),
})

/** How many rows the tables of leases in a database have. */
export const rowsIn = Effect.fnUntraced(function* (url: string) {
  const sql = yield* Postgres.open(Databases.options(url))
  const [row] = yield* Effect.orDie(
    sql<Readonly<Record<string, number>>>`SELECT (SELECT count(*) FROM core.lease_owners) AS owners,
      (SELECT count(*) FROM core.lease_requests) AS requests, (SELECT count(*) FROM core.lease_wants) AS wants`,
  )
  return { ...row }
}, Effect.scoped)

/** In a database of its own, with the usual term. */
export const postgres = Layer.effect(
  Places,
  Effect.map(Databases.maker, (make) => ({
    make: Effect.gen(function* () {
      const home = yield* LeaseProcess.home
      const url = yield* make
      return {
        home,
        owners: join(home, "term-owners"),
        holder: { host: hostname() },
        start: LeaseProcess.start(home, { url, termMillis: 30_000 }),
        rowsLeft: rowsIn(url),
      }
    }),
  })),
)
