import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as RegistryFiles from "../../src/services/model-registry-files.ts"
import { Holds } from "../../src/services/holds.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import * as Postgres from "../../src/services/postgres.ts"
import * as Sqlite from "../../src/services/sqlite.ts"
import * as Databases from "../support/servers/databases.ts"

const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
const warrant = (key: string) => ({
  who: "ann",
  reason: "it is better; 日本",
  intent: Sha256.of(key),
  run: "run",
  task: "publish",
  key,
})

/** Puts versions in, each the champion after the one before; the last stays a candidate. */
const fill = (registry: ModelRegistry["Service"], versions: ReadonlyArray<string>) =>
  Effect.forEach(versions, (version, index) =>
    Effect.gen(function* () {
      const model = {
        version,
        slot,
        digest: Sha256.of(version),
        path: `models/${version}`,
        theta: { theta1: 0.7, history: [] },
        metrics: { sharpe: 1.25 },
        datasets: [Sha256.of("data")],
        receipts: [],
        synthetic: index % 2 === 0,
      }
      yield* registry.register(model, "candidate", warrant(version))
      if (index === versions.length - 1) return
      yield* registry.transition(version, "approved", warrant(version))
      const outbox = [{ kind: "notification", payload: { version, text: "é" } }]
      yield* registry.deploy(version, { previousBecomes: "archived", receipt: null, outbox }, warrant(version))
    }),
  )

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "registry copy "))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true })),
)
const registryOn = <E>(database: Layer.Layer<SqlClient.SqlClient, E>) =>
  Effect.map(Layer.build(Layer.fresh(Layer.provide(RegistrySql.layerWithHolds, database))), (context) => ({
    ...Context.get(context, ModelRegistry),
    holds: Context.get(context, Holds),
  }))
const onPostgres = Effect.gen(function* () {
  const url = yield* (yield* Databases.Databases).make
  return yield* registryOn(Postgres.layer(Databases.options(url)))
})
const onSqlite = Effect.gen(function* () {
  const path = join(yield* folder, "state.db")
  return yield* registryOn(Sqlite.layer({ path }))
})
const bytesOf = (path: string) =>
  Effect.promise(async () => {
    const names = (await Fs.readdir(path)).toSorted()
    return Promise.all(names.map(async (name) => [name, await Fs.readFile(join(path, name), "utf8")] as const))
  })

describe("a copy of the registry", () => {
  layer(Databases.layer, { excludeTestServices: true })((it) => {
    for (const [from, first, to, second] of [
      ["SQLite", onSqlite, "PostgreSQL", onPostgres],
      ["PostgreSQL", onPostgres, "SQLite", onSqlite],
      ["PostgreSQL", onPostgres, "PostgreSQL", onPostgres],
    ] as const) {
      it.effect(`goes from ${from} by its files into an empty ${to}, byte for byte, and the histories go on`, () =>
        Effect.gen(function* () {
          const source = yield* first
          yield* fill(source, ["a", "b", "c"])
          yield* source.holds.add({ id: "h", subject: "model/a", who: "ann", reason: "a dispute", until: null })
          yield* source.holds.release("h", { who: "bob", reason: "settled" })
          yield* source.recordFiles("a", "due", 7, warrant("retention"))
          yield* source.markDelivered([(yield* source.pendingOutbox(1))[0].id])
          const written = yield* folder
          yield* RegistryFiles.write(written, yield* source.copy)

          const target = yield* second
          const copy = yield* RegistryFiles.read(written)
          yield* target.load(copy)
          const again = yield* folder
          yield* RegistryFiles.write(again, yield* target.copy)
          assert.deepStrictEqual(yield* bytesOf(again), yield* bytesOf(written))
          assert.strictEqual((yield* target.pendingOutbox(10)).length, 1)

          assert.deepStrictEqual(yield* target.holds.list, yield* source.holds.list)

          yield* target.load(copy)
          assert.deepStrictEqual((yield* target.copy).events, copy.events)
          yield* target.transition("c", "approved", warrant("later"))
          assert.deepStrictEqual(yield* target.verify, [])
          assert.strictEqual((yield* target.copy).events.length, copy.events.length + 1)
        }),
      )
    }

    it.effect("is not put over another registry, which stays as it is", () =>
      Effect.gen(function* () {
        const source = yield* onSqlite
        yield* fill(source, ["a", "b"])
        const target = yield* onPostgres
        yield* fill(target, ["x", "y"])
        const before = yield* target.copy
        const refused = yield* Effect.flip(target.load(yield* source.copy))
        assert.strictEqual(refused._tag, "RegistryNotEmpty")
        assert.include(refused.message, "empty database")
        assert.deepStrictEqual(yield* target.copy, before)
      }),
    )

    it.effect("whose file was damaged is refused by name", () =>
      Effect.gen(function* () {
        const source = yield* onSqlite
        yield* fill(source, ["a", "b"])
        const written = yield* folder
        yield* RegistryFiles.write(written, yield* source.copy)
        yield* Effect.promise(() => Fs.appendFile(join(written, "alias_history.ndjson"), '{"sequence":'))
        const refused = yield* Effect.flip(RegistryFiles.read(written))
        assert.strictEqual(refused._tag, "RegistryFileDamaged")
        assert.include(refused.message, "alias_history.ndjson")
      }),
    )
  })
})
