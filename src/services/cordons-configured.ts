import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { DatabaseSection } from "../domain/config/database.ts"
import type { Sections } from "../domain/config/sections.ts"
import * as Cordons from "./cordons.ts"
import { Secrets } from "./secrets.ts"

/** The database whose users share their cordons: that of the ledger, or of the registry; undefined where it is embedded. */
export const sharedIn = ({ database, ledger }: Pick<Sections, "database" | "ledger">): DatabaseSection | undefined =>
  ledger.store === "postgres" || database.backend === "postgres" ? database : undefined

/**
 * The cordons of a home, and of a database where there is one; without one its driver is not even loaded. `atMostMillis`:
 * how long a call may wait for the database, whatever the configuration says.
 */
export const layer = (
  home: string,
  section: DatabaseSection | undefined,
  atMostMillis = Infinity,
): Layer.Layer<Cordons.Cordons, never, Secrets> => {
  const root = join(home, "cordons")
  if (section === undefined) return Cordons.layer(root)
  return Layer.unwrap(
    Effect.gen(function* () {
      const secrets = yield* Secrets
      const [{ layer: shared }, { optionsOf }] = yield* Effect.promise(() =>
        Promise.all([import("./cordons-postgres.ts"), import("./postgres.ts")]),
      )
      const database = optionsOf(section, secrets)
      return shared({
        root,
        database: { ...database, timeoutMillis: Math.min(database.timeoutMillis, atMostMillis) },
      })
    }),
  )
}
