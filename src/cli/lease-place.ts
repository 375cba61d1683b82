import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LedgerPlace from "./ledger-place.ts"

const inDatabase = Effect.fnUntraced(function* (place: LedgerPlace.Place) {
  const section = yield* LedgerPlace.database(place)
  if (section === undefined) return undefined
  const [{ optionsOf }, Secrets] = yield* Effect.promise(() =>
    Promise.all([import("../services/postgres.ts"), import("../services/secrets.ts")]),
  )
  const secrets = Secrets.layer({ project: place.project })
  return optionsOf(section, yield* Effect.provide(Secrets.Secrets, secrets))
})

/**
 * The leases of a project: whoever shares its ledger shares its pools and locks. `termMillis` is how long those in a
 * database outlive a process that is gone.
 */
export const layer = (place: LedgerPlace.Place, term: { readonly termMillis?: number } = {}) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const database = yield* inDatabase(place)
      if (database !== undefined) {
        const { layer: shared } = yield* Effect.promise(() => import("../services/leases-postgres.ts"))
        return shared({ database, home: place.home, ...term })
      }
      const { layer: own } = yield* Effect.promise(() => import("../services/leases-sqlite.ts"))
      return own(place.home)
    }),
  )
