import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Costs from "../src/market/costs.ts"
import * as Instrument from "../src/market/instrument.ts"
import type { Policy } from "../src/market/simulator.ts"
import { usual } from "../src/domain/config/evacuation-usual.ts"
import { roots } from "../src/domain/config/storage.ts"
import { parseDuration } from "../src/domain/quantity.ts"
import * as SettingsFiles from "../src/services/settings-files.ts"

const project = fileURLToPath(new URL("..", import.meta.url))

describe("the configuration that ships", () => {
  for (const env of ["dev", "stg", "prod"]) {
    it.effect(`loads for ${env}, every value with its file and line`, () =>
      Effect.gen(function* () {
        const { origins, sections } = yield* SettingsFiles.load(project, env)
        assert.deepStrictEqual(Object.keys(sections).toSorted(), [...SettingsFiles.sectionNames].toSorted())
        const pattern = new RegExp(`^configs/(base|envs/${env})/[a-z_]+\\.yaml$`)
        assert.isAbove(origins.length, 100)
        assert.deepStrictEqual(
          origins.filter(({ at }) => !pattern.test(at.file) || at.line < 1),
          [],
        )
      }),
    )
  }

  it.effect("evacuates as a project does whose configuration cannot be read any more", () =>
    Effect.gen(function* () {
      for (const env of ["dev", "stg", "prod"]) {
        assert.deepStrictEqual((yield* SettingsFiles.load(project, env)).sections.evacuation, usual, env)
      }
    }),
  )

  it.effect("keeps the records of runs for years, and in production as long as the audit wants", () =>
    Effect.gen(function* () {
      const days = (text: string) => (parseDuration(text) ?? 0) / 86_400_000
      for (const env of ["dev", "stg", "prod"]) {
        const { audit_years, runs } = (yield* SettingsFiles.load(project, env)).sections.retention
        assert.isAtLeast(days(runs.succeeded), env === "prod" ? audit_years * 365.25 - 1 : 365)
        assert.isAtLeast(days(runs.others), days(runs.succeeded))
        assert.isAtLeast(runs.at_least, 100)
      }
    }),
  )

  it.effect("keeps production's gate where the design puts it, and dev's below", () =>
    Effect.gen(function* () {
      const prod = (yield* SettingsFiles.load(project, "prod")).sections.backtest_policy
      const stg = (yield* SettingsFiles.load(project, "stg")).sections.backtest_policy
      const dev = (yield* SettingsFiles.load(project, "dev")).sections.backtest_policy
      const gate = { sharpe: 1.2, max_drawdown: 0.12, trades_per_year: 150, halt_rate: 0.4, strict: false }
      assert.deepStrictEqual(prod.gate, gate)
      assert.deepStrictEqual(stg, prod)
      assert.isBelow(dev.gate.sharpe, prod.gate.sharpe)
      assert.deepStrictEqual(dev.trading, prod.trading)
    }),
  )

  it.effect("puts dev under .dandori, stg and prod on their own volumes", () =>
    Effect.gen(function* () {
      for (const [env, prefix] of [
        ["dev", ".dandori/"],
        ["stg", "/mnt/stg/ml-assets-core/"],
        ["prod", "/mnt/prod/ml-assets-core/"],
      ]) {
        const { storage } = (yield* SettingsFiles.load(project, env)).sections
        assert.deepStrictEqual(
          roots(storage).filter(([, root]) => !root.startsWith(prefix)),
          [],
        )
      }
    }),
  )

  it.effect("keeps stg's records out of prod's folders and out of its chain of write-once records", () =>
    Effect.gen(function* () {
      const placesOf = (env: string) =>
        Effect.map(SettingsFiles.load(project, env), ({ sections: { storage } }) => [
          ...roots(storage).map(([, root]) => root),
          storage.offsite?.worm_location ?? "nowhere",
        ])
      const stg = yield* placesOf("stg")
      const prod = new Set(yield* placesOf("prod"))
      assert.strictEqual(stg.length, 7)
      assert.deepStrictEqual(
        stg.filter((place) => prod.has(place)),
        [],
      )
    }),
  )

  it.effect("sends nothing off a developer's machine", () =>
    Effect.gen(function* () {
      const { database, exporters, messaging, notifications, storage } = (yield* SettingsFiles.load(project, "dev"))
        .sections
      const ways = Object.values(notifications.channels).flatMap(({ routes }) => routes.map(({ to }) => to))
      assert.sameMembers([...new Set(ways)], ["console", "file"])
      assert.strictEqual(database.backend, "embedded")
      assert.strictEqual(messaging.backend, "embedded")
      assert.isUndefined(storage.offsite)
      assert.deepStrictEqual(exporters.exporters, [])
    }),
  )

  it.effect("lays dev's costs over the base's key by key", () =>
    Effect.gen(function* () {
      const { cost_table } = (yield* SettingsFiles.load(project, "dev")).sections
      assert.deepStrictEqual(cost_table.symbols, {
        EURUSD: { spread_bps: 4 },
        GBPUSD: { spread_bps: 4 },
        USDJPY: { spread_bps: 3 },
      })
      assert.strictEqual(cost_table.defaults.commission_bps, 0.5)
      assert.strictEqual(cost_table.defaults.spread_bps, 5)
    }),
  )

  it.effect("is what the simulator takes: instruments, costs and trading levels as they are", () =>
    Effect.gen(function* () {
      const { backtest_policy, cost_table, universe } = (yield* SettingsFiles.load(project, "dev")).sections
      const policy: Policy = backtest_policy.trading
      assert.deepStrictEqual(policy, { entry_z: 2, exit_z: 0.5, max_bars: 48, theta_stop: 0.45 })
      const legs = universe.pairs.flatMap((pair: Instrument.Pair) => [pair.leg_A, pair.leg_B])
      assert.deepStrictEqual(legs.flatMap(Instrument.problems), [])
      assert.strictEqual(Costs.rates(cost_table, "EURUSD").spread_bps, 4)
      const { fillBps } = Costs.prepare(cost_table, "GBPUSD")
      assert.deepStrictEqual([fillBps[12 * 60], fillBps[23 * 60], fillBps[60]], [3, 3.25, 3.1])
    }),
  )
})
