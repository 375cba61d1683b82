import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { DatabaseSection } from "../domain/config/database.ts"
import type { Sha256 } from "../domain/sha256.ts"
import * as Once from "./once.ts"
import * as Postgres from "./postgres.ts"
import type { Secrets } from "./secrets.ts"
import { type Migration, migrate, type SchemaTooNew } from "./sql-migrations.ts"
import * as Sqlite from "./sqlite.ts"
import type { Workspace } from "./workspace.ts"

/** The keys cannot be read or written: nothing is started, since it could be started twice. */
export class StartKeysUnavailable extends Schema.TaggedError<StartKeysUnavailable>()("StartKeysUnavailable", {
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `The keys of requests cannot be read or written, so nothing was started: ${this.reason}`
  }
}

/** A request that starts a run: who sent it and to what (`scope`), its key there, and the digest of what it says. */
export interface KeyedRequest {
  readonly scope: string
  readonly key: string
  readonly fingerprint: Sha256
}

/** In place of the digest of what a request says, where nothing is said yet. */
const nothing = ""

/** How long a key is remembered, milliseconds. */
const keptMillis = 2 * 86_400_000

/**
 * Which run a request with a key starts. The run's id is durable before the run is, so that a request that is sent again
 * after a crash starts that one and no other.
 */
export class StartKeys extends Context.Service<
  StartKeys,
  {
    /** The run of a request: the given one, or the one that the key had before, and what was said then. */
    readonly reserve: (
      request: KeyedRequest,
      run: string,
    ) => Effect.Effect<{ readonly run: string; readonly fingerprint: string }, StartKeysUnavailable>
    /**
     * Forgets what was said under a key whose request was refused, so that it may be sent again otherwise. The run stays that
     * of the key: a daemon that knew more may have begun it.
     */
    readonly release: (request: KeyedRequest, run: string) => Effect.Effect<void, StartKeysUnavailable>
  }
>()("dandori/services/StartKeys") {}

const columns = "scope TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, run TEXT NOT NULL"

const sqlite: ReadonlyArray<Migration> = [
  {
    name: "start keys",
    statements: [
      `CREATE TABLE start_keys (${columns}, reserved TEXT NOT NULL, PRIMARY KEY (scope, key)) STRICT`,
      "CREATE INDEX start_keys_reserved ON start_keys (reserved)",
    ],
  },
]
const postgres: ReadonlyArray<Migration> = [
  {
    name: "start keys",
    statements: [
      "CREATE SCHEMA IF NOT EXISTS core",
      `CREATE TABLE core.start_keys (${columns}, reserved timestamptz(3) NOT NULL, PRIMARY KEY (scope, key))`,
      "CREATE INDEX start_keys_reserved ON core.start_keys (reserved)",
    ],
  },
]

const decode = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ run: Schema.String, fingerprint: Schema.String })),
)

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const migrations = sql.onDialectOrElse({ pg: () => postgres, orElse: () => sqlite })
  const ready = yield* Once.untilItSucceeds(migrate(sql, "start keys", migrations))
  const told = <A>(effect: Effect.Effect<A, SqlError | SchemaTooNew | Schema.SchemaError>) =>
    Effect.mapError(
      Effect.andThen(ready, effect),
      (error) =>
        new StartKeysUnavailable({ reason: isSqlError(error) ? error.reason.message : error.message, cause: error }),
    )
  return StartKeys.of({
    reserve: Effect.fn("StartKeys.reserve")(function* ({ fingerprint, key, scope }, run) {
      const now = yield* Clock.currentTimeMillis
      const time = (millis: number) => new Date(millis).toISOString()
      const row = sql.insert({ scope, key, fingerprint, run, reserved: time(now) })
      const [found] = yield* told(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`DELETE FROM start_keys WHERE reserved < ${time(now - keptMillis)}`
            yield* sql`INSERT INTO start_keys ${row} ON CONFLICT (scope, key)
              DO UPDATE SET fingerprint = excluded.fingerprint WHERE start_keys.fingerprint = ${nothing}`
            const there = sql`SELECT run, fingerprint FROM start_keys WHERE scope = ${scope} AND key = ${key}`
            return yield* Effect.flatMap(there, decode)
          }),
        ),
      )
      return found ?? { run, fingerprint }
    }),
    release: ({ key, scope }, run) =>
      Effect.asVoid(
        told(
          sql`UPDATE start_keys SET fingerprint = ${nothing} WHERE scope = ${scope} AND key = ${key} AND run = ${run}`,
        ),
      ),
  })
})

/** Keys in a table of a database, which is made when it is first needed. */
export const layer: Layer.Layer<StartKeys, never, SqlClient.SqlClient> = Layer.effect(StartKeys, make)

/** Keys where the configuration says that the state is: in `<home>/state.db`, or in PostgreSQL. */
export const layerOf = (section: DatabaseSection): Layer.Layer<StartKeys, never, Workspace | Secrets> =>
  section.backend === "embedded"
    ? Layer.provide(layer, Sqlite.layerState)
    : Layer.provide(layer, Postgres.layerOf(section))
