import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Postgres from "../../../src/services/postgres.ts"
import * as Servers from "./scoped.ts"

/** How a test uses a database. */
export const options = (url: string): Postgres.PostgresOptions => ({
  url: Effect.succeed(Redacted.make(url)),
  pool: { min: 0, max: 5 },
  timeoutMillis: 5_000,
  statementTimeoutMillis: 30_000,
  applicationName: "dandori tests",
  searchPath: ["public"],
})

/** Makes an empty database on one server, and gives its url; it is dropped with the scope. */
export const maker: Effect.Effect<Effect.Effect<string, never, Scope.Scope>, never, Scope.Scope> = Effect.gen(
  function* () {
    const server = yield* Servers.postgresUrl
    const sql = yield* Postgres.open(options(server))
    const create = Effect.gen(function* () {
      const name = `dandori_${crypto.randomUUID().replaceAll("-", "")}`
      yield* sql`CREATE DATABASE ${sql(name)}`
      const url = new URL(server)
      url.pathname = `/${name}`
      return url.href
    })
    const drop = (url: string) => sql`DROP DATABASE ${sql(new URL(url).pathname.slice(1))} WITH (FORCE)`
    return Effect.acquireRelease(Effect.orDie(create), (url) => Effect.orDie(drop(url)))
  },
)

/** The databases of a suite, all on one server. */
export class Databases extends Context.Service<
  Databases,
  { readonly make: Effect.Effect<string, never, Scope.Scope> }
>()("test/Databases") {}

export const layer: Layer.Layer<Databases> = Layer.effect(
  Databases,
  Effect.map(maker, (make) => ({ make })),
)
