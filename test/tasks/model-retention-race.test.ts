import * as Fs from "node:fs"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as SqlClient from "effect/sql/SqlClient"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import * as ModelRetention from "../../src/services/model-retention.ts"
import * as Postgres from "../../src/services/postgres.ts"
import * as Databases from "../support/servers/databases.ts"
import deployType from "../../tasks/model-deploy/index.ts"
import * as Stage from "./publish/stage.ts"
import * as Place from "./retention-place.ts"

const server = ManagedRuntime.make(Databases.layer)
afterAll(() => server.dispose())

const inPostgres = Layer.provide(
  RegistrySql.layerWithHolds,
  Layer.effect(
    SqlClient.SqlClient,
    Effect.gen(function* () {
      const { make } = yield* Effect.promise(() => server.runPromise(Databases.Databases))
      return yield* Postgres.open(Databases.options(yield* make))
    }),
  ),
)

const how = { previousBecomes: "archived", receipt: null, outbox: [] } as const

/** Six archived versions that are ready, each purged while somebody deploys it: by the registry alone, or as the task does. */
const race = (root: string, wait: (days: number) => void) =>
  Effect.gen(function* () {
    const registry = yield* ModelRegistry
    const names = ["v1", "v2", "v3", "v4", "v5", "v6"]
    const models = yield* Effect.forEach([...names, "w1", "w2"], (version) => Place.publish(version))
    for (const version of names) {
      yield* registry.transition(version, "rejected", Place.warrant("r"))
      yield* registry.transition(version, "archived", Place.warrant("r"))
    }
    for (const { digest, version } of models.slice(3, 6)) {
      yield* Stage.receipt(root, { gate: "backtest", subjects: [digest], name: version })
    }
    wait(90)
    yield* Place.mark("m")
    wait(4)
    for (const [at, model] of models.slice(0, 6).entries()) {
      const { version } = model
      const key = `deploy ${version}`
      const deploying =
        at < 3
          ? Effect.asVoid(registry.deploy(version, how, Place.warrant(key)))
          : Effect.asVoid(Effect.provide(deployType.run({ model, reason: key }), Stage.attempt(key)))
      const purging = ModelRetention.purge([model], Place.warrant(`purge ${version}`))
      const [deployed, purged] = yield* Effect.all(
        at % 2 === 0 ? [Effect.exit(deploying), purging] : [Effect.exit(deploying), Effect.delay(purging, 3)],
        { concurrency: 2 },
      )
      const { row } = yield* registry.show(version)
      const isWhole = Fs.existsSync(join(root, ".dandori/models", version))
      assert.strictEqual(Exit.isSuccess(deployed), row.status === "deployed", version)
      assert.strictEqual(purged.purged.length === 0, isWhole, version)
      if (row.status === "deployed") assert.isTrue(isWhole, `${version} is deployed without its files`)
      yield* Place.stateOf(root, row)
    }
    assert.deepStrictEqual(yield* registry.verify, [])
    const all = yield* ModelRetention.survey()
    assert.deepStrictEqual(
      all.filter(({ row }) => row.status === "deployed").map(({ verdict }) => verdict.is),
      all.some(({ row }) => row.status === "deployed") ? ["kept"] : [],
    )
  })

const test = (name: string, registry: Layer.Layer<Layer.Success<typeof inPostgres>, unknown> | undefined) =>
  it.live(
    name,
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const root = yield* Stage.project
          const clock = Place.makeClock(Date.UTC(2025, 0, 15))
          const wait = (days: number) => void (clock.state.now += days * Place.dayMillis)
          const own = Place.timed(root, clock)
          yield* race(root, wait).pipe(Effect.provide(registry === undefined ? own : Layer.merge(own, registry)))
        }),
      ),
    60_000,
  )

describe("a purge while somebody deploys the same version", () => {
  test("has either a champion with its files, or none without them (SQLite)", undefined)
  test("has either a champion with its files, or none without them (PostgreSQL)", inPostgres)
})
