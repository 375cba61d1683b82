import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import * as CanonicalJson from "../domain/canonical-json.ts"
import * as Durable from "./durable-files.ts"
import * as RegistryFiles from "./model-registry-files.ts"
import * as RegistrySql from "./model-registry-sql.ts"
import { ModelRegistry, type RegistryCopy } from "./model-registry.ts"
import * as PostgresRestore from "./postgres-restore.ts"
import * as Postgres from "./postgres.ts"
import * as RedisRestore from "./redis-restore.ts"
import { Secrets } from "./secrets.ts"
import { Settings } from "./settings.ts"
import type { SnapshotTarget } from "./snapshot-manifest.ts"
import * as Sqlite from "./sqlite.ts"

/** The environment has no service that a copy could go to. */
export class ServiceMissing extends Schema.TaggedError<ServiceMissing>()("ServiceMissing", {
  kind: Schema.String,
  setting: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `There is no ${this.kind} in this environment: ${this.setting}. Choose another environment (--env), or leave this target out`
  }
}

/** A restored registry is not what was copied. */
export class RegistryDiffers extends Schema.TaggedError<RegistryDiffers>()("RegistryDiffers", {
  problem: Schema.String,
}) {
  override get message() {
    return `The restored registry is not what was copied: ${this.problem}`
  }
}

/** File of Redis's copy in its target's folder. */
export const redisFile = "redis.rdb"

/** Where copies of databases are put: into services of their own that are gone afterwards, or into the configured ones. */
export type Into = "scratch" | "configured"

/** What is to be equal: the outbox is emptied by whoever delivers. */
const digestOf = (copy: RegistryCopy) => CanonicalJson.digest({ ...copy, messages: [] })

const registryOn = <E>(database: Layer.Layer<SqlClient.SqlClient, E>) =>
  Effect.map(Layer.build(Layer.fresh(Layer.provide(RegistrySql.layer, database))), Context.get(ModelRegistry))

/** A registry of its own, in the kind of database that the configuration names. */
const scratchRegistry = Effect.fnUntraced(function* (folder: string) {
  const section = (yield* Settings).sections.database
  if (section.backend === "embedded") {
    const path = join(folder, `registry-${crypto.randomUUID()}.db`)
    const remove = (file: string) => Durable.attempt("remove", file, () => Fs.rm(file, { force: true }))
    yield* Effect.addFinalizer(() =>
      Effect.ignore(Effect.forEach(["", "-wal", "-shm"], (end) => remove(`${path}${end}`), { discard: true })),
    )
    return yield* registryOn(Sqlite.layer({ path }))
  }
  const { url } = yield* PostgresRestore.scratchDatabase(section)
  const options = Postgres.optionsOf(section, yield* Secrets)
  return yield* registryOn(Postgres.layer({ ...options, url: Effect.succeed(url), pool: { min: 0, max: 1 } }))
})

const registry = Effect.fnUntraced(function* (folder: string, into: Into, scratch: string) {
  const copy = yield* RegistryFiles.read(folder)
  const target = yield* into === "scratch" ? scratchRegistry(scratch) : ModelRegistry
  yield* target.load(copy)
  const [broken] = yield* target.verify
  if (broken !== undefined) {
    return yield* new RegistryDiffers({ problem: `${broken.history} ${broken.sequence}: ${broken.problem}` })
  }
  if (digestOf(yield* target.copy) !== digestOf(copy)) {
    return yield* new RegistryDiffers({ problem: "its rows have another digest" })
  }
  return { name: "registry", count: copy.models.length, unit: "versions" as const }
}, Effect.scoped)

const postgres = Effect.fnUntraced(function* (folder: string, into: Into) {
  const section = (yield* Settings).sections.database
  if (section.backend === "embedded") {
    return yield* new ServiceMissing({ kind: "postgres", setting: "database.backend is embedded" })
  }
  const restore = into === "scratch" ? PostgresRestore.intoScratch : PostgresRestore.intoConfigured
  const { tables } = yield* restore(section, folder)
  return { name: "postgres", count: tables.reduce((sum, { rows }) => sum + rows, 0), unit: "rows" as const }
})

const redis = Effect.fnUntraced(function* (folder: string, into: Into) {
  const file = join(folder, redisFile)
  if (into === "scratch") return { name: "redis", count: (yield* RedisRestore.check(file)).keys, unit: "keys" as const }
  const section = (yield* Settings).sections.messaging
  if (section.backend === "embedded") {
    return yield* new ServiceMissing({ kind: "redis", setting: "messaging.backend is embedded" })
  }
  const { keys } = yield* RedisRestore.into(yield* (yield* Secrets).resolve(section.url), file)
  return { name: "redis", count: keys, unit: "keys" as const }
})

/**
 * Puts every copy of a database that lies in a restored snapshot into a database, and proves that it is equal. `folder` is
 * the restored snapshot, `scratch` an existing folder for what is made on the way.
 */
export const restore = Effect.fn("SnapshotDatabases.restore")(function* (
  targets: ReadonlyArray<SnapshotTarget>,
  folder: string,
  into: Into,
  scratch: string,
) {
  const of = (kind: SnapshotTarget["kind"]) => targets.filter((target) => target.kind === kind)
  // A whole database holds the registry too, so it goes first: into one that is still empty.
  return [
    ...(yield* Effect.forEach(of("postgres"), ({ name }) => postgres(join(folder, name), into))),
    ...(yield* Effect.forEach(of("registry"), ({ name }) => registry(join(folder, name), into, scratch))),
    ...(yield* Effect.forEach(of("redis"), ({ name }) => redis(join(folder, name), into))),
  ]
})
