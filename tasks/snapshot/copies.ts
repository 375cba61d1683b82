import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import * as Durable from "../../src/services/durable-files.ts"
import { Evidence } from "../../src/services/evidence.ts"
import * as RegistryFiles from "../../src/services/model-registry-files.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as PostgresDump from "../../src/services/postgres-dump.ts"
import * as RedisCopy from "../../src/services/redis-copy.ts"
import { Secrets } from "../../src/services/secrets.ts"
import { Settings } from "../../src/services/settings.ts"
import { redisFile } from "../../src/services/snapshot-databases.ts"
import type { Source } from "../../src/services/snapshot-take.ts"

/** The registry as a moment's transaction sees it. */
const registryAt = ({ sql }: PostgresDump.Moment) =>
  Effect.map(
    Layer.build(Layer.fresh(Layer.provide(RegistrySql.layer, Layer.succeed(SqlClient.SqlClient, sql)))),
    Context.get(ModelRegistry),
  )

/** Registry and database in PostgreSQL: both as of one transaction, which is named. */
const atOneMoment = Effect.fnUntraced(function* (sources: ReadonlyArray<Source>) {
  const section = (yield* Settings).sections.database
  // Brings the tables forward, which a transaction that only reads cannot.
  yield* (yield* ModelRegistry).pendingOutbox(1)
  return yield* PostgresDump.atOneMoment(section, (moment) =>
    Effect.gen(function* () {
      for (const { kind, path } of sources) {
        yield* Durable.makeFolderDurably(path)
        if (kind === "registry") yield* RegistryFiles.write(path, yield* (yield* registryAt(moment)).copy)
        else yield* PostgresDump.dump(section, moment, path)
      }
      return moment.transaction
    }),
  )
})

const registry = Effect.fnUntraced(function* ({ path }: Source) {
  yield* Durable.makeFolderDurably(path)
  yield* RegistryFiles.write(path, yield* (yield* ModelRegistry).copy)
})

const redis = Effect.fnUntraced(function* ({ path }: Source) {
  const { url } = (yield* Settings).sections.messaging
  yield* Durable.makeFolderDurably(path)
  yield* RedisCopy.copyTo(yield* (yield* Secrets).resolve(url), join(path, redisFile))
})

/**
 * Writes copies of what does not lie in folders, and gives the consistency point: the registry's transaction, where it has
 * one, and then the ledger's head, which testifies to all that the registry says.
 */
export const makeCopies = Effect.fnUntraced(function* (sources: ReadonlyArray<Source>) {
  const { database, ledger } = (yield* Settings).sections
  const evidence = yield* Evidence
  const inDatabase = sources.filter(({ kind }) => kind === "registry" || kind === "postgres")
  const transaction =
    database.backend === "postgres" && inDatabase.length > 0 ? yield* atOneMoment(inDatabase) : undefined
  if (transaction === undefined) yield* Effect.forEach(inDatabase, registry, { discard: true })
  const head = yield* evidence.head
  for (const source of sources) {
    if (source.kind === "redis") yield* redis(source)
    if (source.kind === "ledger" && ledger.store === "postgres") yield* evidence.copyTo(source.path)
  }
  return { transaction, head }
}, Effect.scoped)
