import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Database } from "bun:sqlite"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import Redis from "ioredis"
import { Signals } from "../../src/services/signals.ts"
import * as Servers from "../support/servers/scoped.ts"
import * as SignalsPlace from "../support/signals-place.ts"

export const fixture = join(import.meta.dirname, "signals-process.fixture.ts")
export const note = { reason: "the feed is late", source: "a test" }

const home = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-signals-"))),
  (folder) => Effect.promise(() => Fs.rm(folder, { recursive: true, force: true })),
)

export const place = Effect.map(home, (folder): SignalsPlace.Place => ({
  home: folder,
  name: `test:${crypto.randomUUID()}`,
}))

/** A place, and how its hash is written past the service. */
interface Rig {
  readonly place: SignalsPlace.Place
  readonly put: (fields: Readonly<Record<string, string>>) => Effect.Effect<void>
}

export const embedded: Effect.Effect<Rig, never, Scope.Scope> = Effect.map(place, (made) => ({
  place: made,
  put: (fields) =>
    Effect.sync(() => {
      const database = new Database(join(made.home, "signals.db"))
      const insert = database.query("INSERT OR REPLACE INTO hashes (key, field, value) VALUES (?, ?, ?)")
      for (const [field, value] of Object.entries(fields)) insert.run(`${made.name}:flags`, field, value)
      database.close()
    }),
}))

/** A client of the test's own. */
export const clientOf = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url, { retryStrategy: null })),
    (redis) => Effect.sync(() => redis.disconnect()),
  )

export const inRedis: Effect.Effect<Rig, never, Scope.Scope> = Effect.gen(function* () {
  const url = yield* Servers.redisUrl
  const made = { ...(yield* place), url }
  const redis = yield* clientOf(url)
  return {
    place: made,
    put: (fields) => Effect.promise(() => redis.hset(`${made.name}:flags`, fields)),
  }
})

/** Does something as a process of its own would. */
export const as = <A, E>(
  where: SignalsPlace.Place,
  use: (signals: Signals["Service"]) => Effect.Effect<A, E, Scope.Scope>,
) => Effect.scoped(Effect.provide(Effect.flatMap(Signals, use), SignalsPlace.layer(where)))

export const flagsOf = (where: SignalsPlace.Place) =>
  as(where, (signals) => Effect.flatMap(signals.look, ({ flags }) => Effect.fromResult(flags)))
