import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Cordons from "../../src/services/cordons.ts"
import * as CordonsPostgres from "../../src/services/cordons-postgres.ts"
import * as LeaseProcess from "./lease-process.ts"
import * as Databases from "./servers/databases.ts"

/** The cordons of a home, and the folder of its files. */
export interface Place {
  readonly folder: string
  readonly cordons: Cordons.Cordons["Service"]
}

const placeOf = (layerOf: (folder: string) => Layer.Layer<Cordons.Cordons>) =>
  Effect.gen(function* () {
    const folder = join(yield* LeaseProcess.home, "cordons")
    const built = yield* Layer.build(Layer.fresh(layerOf(folder)))
    return { folder, cordons: Context.get(built, Cordons.Cordons) } satisfies Place
  })

/** A home of its own whose cordons are files. */
export const alone: Effect.Effect<Place, never, Scope.Scope> = placeOf(Cordons.layer)

/** A home of its own that shares its cordons in a database. */
export const sharing = (url: string, timeoutMillis = 5_000): Effect.Effect<Place, never, Scope.Scope> =>
  placeOf((root) => CordonsPostgres.layer({ root, database: { ...Databases.options(url), timeoutMillis } }))

/** Makes places of one kind. */
export class Places extends Context.Service<Places, { readonly make: Effect.Effect<Place, never, Scope.Scope> }>()(
  "test/CordonPlaces",
) {}

export const files = Layer.succeed(Places, { make: alone })

/** Each in a database of its own. */
export const postgres = Layer.effect(
  Places,
  Effect.map(Databases.maker, (make) => ({ make: Effect.flatMap(make, (url) => sharing(url)) })),
)
