import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import * as GatePolicy from "../../src/domain/gate-policy.ts"
import type { Model } from "../../src/domain/model.ts"
import type { Warrant } from "../../src/domain/registry.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Costs from "../../src/market/costs.ts"
import { DuckDb } from "../../src/services/duckdb.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import { Settings } from "../../src/services/settings.ts"
import backtest from "../../tasks/backtest/index.ts"
import { BacktestInput, BacktestOutput } from "../../tasks/backtest/schema.ts"
import * as Fixture from "../market/fixtures/spread-market.ts"
import * as Place from "./backtest-place.ts"
import { output, run } from "./backtest-run.ts"

const criterion = ({ criteria }: BacktestOutput, name: string) => criteria.find((each) => each.name === name)
const text = ({ sha256 }: { readonly sha256: string }) =>
  Effect.flatMap(Artifacts, (artifacts) =>
    Effect.map(artifacts.get(sha256), (bytes) => new TextDecoder().decode(bytes)),
  )
const digests = ({ files, page }: BacktestOutput) => [...files, page].map(({ name, sha256 }) => [name, sha256])

/** Makes a version with these metrics champion of the model's slot. */
const deployed = (metrics: Readonly<Record<string, number>>) => (_: string, model: Model) =>
  Effect.gen(function* () {
    const registry = yield* ModelRegistry
    const warrant: Warrant = {
      who: "tester",
      reason: "test",
      intent: Sha256.of("intent"),
      run: "r",
      task: "t",
      key: "k",
    }
    const row = {
      version: "old",
      slot: model.slot,
      digest: Sha256.of("old"),
      path: "old",
      theta: {},
      metrics,
      datasets: [],
      receipts: [],
      synthetic: true,
    }
    yield* registry.register(row, "candidate", warrant)
    yield* registry.transition("old", "approved", warrant)
    yield* registry.deploy("old", { previousBecomes: "archived", receipt: null, outbox: [] }, warrant)
  })

describe("backtest", () => {
  it.effect(
    "lets a model through whose out-of-sample signals meet the policy, and names the bytes and the policy",
    () =>
      run({}, (made) =>
        Effect.gen(function* () {
          assert.strictEqual(made.verdict, "PASSED")
          assert.deepStrictEqual(made.gate.reasons, [])
          assert.deepStrictEqual(made.gate.subjects, [{ name: made.model.version, sha256: made.model.digest }])
          const { digest } = yield* Settings
          assert.deepStrictEqual(made.gate.policy, GatePolicy.backtest(digest))
          assert.deepStrictEqual(backtest.gate?.(made), made.gate)
          assert.deepStrictEqual(
            made.files.map(({ name }) => name),
            ["bt_summary.json", "bt_trades.parquet", "bt_daily_equity.parquet", "bt_stress_results.json"],
          )
          const artifacts = yield* Artifacts
          for (const { sha256 } of [...made.files, made.page]) assert.isTrue(yield* artifacts.has(sha256))
          const encoded = Schema.encodeSync(BacktestOutput)(made)
          assert.deepStrictEqual(Schema.decodeUnknownSync(BacktestOutput)(JSON.parse(JSON.stringify(encoded))), made)
          assert.strictEqual(made.summary.nonInferiority.compared, false)
        }),
      ),
  )

  it.effect(
    "names another policy when trading is cheaper or another pair is traded, not only for other thresholds",
    () =>
      Effect.gen(function* () {
        const digests = { backtest_policy: Sha256.of("p"), cost_table: Sha256.of("c"), universe: Sha256.of("u") }
        const policy = (over: Partial<typeof digests>) =>
          GatePolicy.backtest((section) => ({ ...digests, ...over })[section]).sha256
        const changed = GatePolicy.backtestSections.map((section) => policy({ [section]: Sha256.of("other") }))
        assert.strictEqual(new Set([policy({}), ...changed]).size, 4)
        const plain = yield* output()
        const dear = yield* output({ cost: Costs.plus(Fixture.costs, 20) })
        assert.notStrictEqual(dear.gate.policy.sha256, plain.gate.policy.sha256)
      }),
  )

  it.effect("takes no number of an earlier backtest over", () =>
    Effect.gen(function* () {
      const model = (made: Model) => ({ ...made, metrics: { ...made.metrics, bt_sharpe: 99, bt_invented: 1 } })
      const { metrics } = (yield* output({ model })).model
      assert.deepStrictEqual(metrics, (yield* output()).model.metrics)
    }),
  )

  it.effect("adds its numbers to the model's metrics and leaves its digest as it is", () =>
    Effect.gen(function* () {
      const { model, summary } = yield* output()
      const { performance } = summary
      assert.strictEqual(model.metrics["bt_sharpe"], performance.sharpe)
      assert.strictEqual(model.metrics["bt_max_drawdown"], performance.maxDrawdown)
      assert.strictEqual(model.metrics["bt_trades"], performance.trades)
      assert.strictEqual(model.metrics["bt_out_of_sample_rows"], Place.bars - Place.firstTested)
      assert.strictEqual(model.metrics["ai1_auc"], 0.7)
    }),
  )

  it.effect(
    "stops the same model under production's thresholds where trading is dear, each reason by name, with its report",
    () =>
      run({ policy: Place.production, cost: Costs.plus(Fixture.costs, 20), env: "prod" }, (made) =>
        Effect.gen(function* () {
          assert.strictEqual(made.verdict, "FAILED")
          assert.strictEqual(made.gate.verdict, "FAILED")
          assert.isTrue(made.gate.reasons.some((reason) => /^sharpe is -[\d.]+, must be > 1\.2$/.test(reason)))
          const page = yield* text(made.page)
          assert.include(page, "backtest policy of <strong>prod</strong>")
          assert.include(page, CanonicalJson.digest(Place.production))
        }),
      ),
  )

  it.effect("fails on a number that is missing", () =>
    Effect.gen(function* () {
      const never = Array.from({ length: Place.bars - Place.firstTested }, () => 0.1)
      const made = yield* output({ file: { returnProb: never } })
      assert.strictEqual(made.verdict, "FAILED")
      assert.strictEqual(made.summary.performance.trades, 0)
      for (const name of ["sharpe", "halt_rate", "shifted_sharpe_ratio"]) {
        assert.deepInclude(criterion(made, name), { observed: null, passed: false })
      }
      assert.include(made.gate.reasons, "sharpe is missing, must be > 0.1")
      assert.notProperty(made.model.metrics, "bt_sharpe")
    }),
  )

  it.effect("makes the same artifacts from the same input, and draws anew from another seed", () =>
    Effect.gen(function* () {
      const first = yield* output()
      assert.deepStrictEqual(digests(yield* output()), digests(first))
      const other = yield* output({ seed: 1 })
      assert.deepStrictEqual(other.summary.performance, first.summary.performance)
      assert.deepStrictEqual(other.files[1], first.files[1])
      assert.notDeepEqual(other.summary.bootstrap, first.summary.bootstrap)
      assert.notDeepEqual(other.stress, first.stress)
    }),
  )

  it.effect("trades out-of-sample bars only, and says which and how many they are", () =>
    run({}, (made, root) =>
      Effect.gen(function* () {
        const rows = made.summary.outOfSample
        const first = Fixture.weekdayHours(Place.bars)[Place.firstTested]
        assert.deepInclude(rows, { rows: 1000, bars: 1000, allBars: 1500, folds: 2, gapBars: 48 })
        assert.strictEqual(rows.from, new Date(first).toISOString())
        const path = join(root, "trades.parquet")
        yield* (yield* Artifacts).copyTo(made.files[1].sha256, path)
        const trades = yield* (yield* DuckDb).readColumns([path])
        assert.strictEqual(trades["net"].length, made.summary.performance.trades)
        assert.isAbove(Number(trades["entry_time"][0]), first)
        const net = trades["net"] as Float64Array
        assert.closeTo(
          net.reduce((sum, each) => sum + each, 0),
          made.summary.performance.netProfit,
          1e-6,
        )
        const page = yield* text(made.page)
        assert.include(page, "1000 bars out of sample")
        assert.include(page, "of 1500 bars of the data")
      }),
    ),
  )

  it.effect("does not let a bar in between be traded that no walk-forward model scored", () =>
    Effect.gen(function* () {
      const plain = Place.outOfSample()
      const gone = (column: ReadonlyArray<number | null>) =>
        column.map((value, i) => (i < 300 || i >= 700 ? value : null))
      const made = yield* output({ file: { returnProb: gone(plain.returnProb), riskScore: gone(plain.riskScore) } })
      assert.strictEqual(made.summary.outOfSample.rows, 600)
      assert.strictEqual(made.summary.outOfSample.bars, 1000)
      assert.isBelow(made.summary.performance.trades, (yield* output()).summary.performance.trades)
    }),
  )

  it.effect("says of every stress scenario whose signals it used, beside the final model on unchanged bars", () =>
    Effect.gen(function* () {
      const { stress, summary } = yield* output()
      assert.deepStrictEqual(
        stress.map(({ name, signals }) => [name, signals]),
        [
          ["unchanged bars", "final_model"],
          ["volatility ×1.5", "final_model"],
          ["correlation 0", "final_model"],
          ["cost +30 bps", "out_of_sample"],
          ["latency +1 bars", "out_of_sample"],
          ["gaps ±1 %", "final_model"],
        ],
      )
      assert.deepStrictEqual(stress[0].performance, summary.inSample)
      assert.isBelow(stress[3].performance.netProfit, summary.performance.netProfit)
      assert.strictEqual(summary.baseline.haltRate, 0)
      assert.isAbove(summary.classifiers.ai2.rows, 900)
    }),
  )
})

describe("the leakage tripwires", () => {
  it.effect("fail a model whose training came closer to the test than its labels look ahead", () =>
    Effect.gen(function* () {
      const made = yield* output({ file: { gapBars: 24 } })
      assert.strictEqual(made.verdict, "FAILED")
      assert.deepStrictEqual(made.gate.reasons, ["embargo_bars is 24, must be >= 48"])
    }),
  )

  it.effect("fail on bars that lie in the future", () =>
    Effect.gen(function* () {
      const made = yield* output({ now: Fixture.weekdayHours(Place.bars)[Place.bars - 3] })
      assert.strictEqual(made.verdict, "FAILED")
      assert.deepStrictEqual(made.gate.reasons, ["future_timestamps is 3, must be = 0"])
    }),
  )
})

describe("the comparison with the deployed model", () => {
  it.effect("fails a model that is worse than the deployed one", () =>
    Effect.gen(function* () {
      const made = yield* output({ before: deployed({ bt_sharpe: 20, bt_max_drawdown: 0.001 }) })
      assert.strictEqual(made.verdict, "FAILED")
      assert.deepInclude(criterion(made, "sharpe_vs_deployed"), { threshold: 19, passed: false })
      assert.deepInclude(criterion(made, "max_drawdown_vs_deployed"), { threshold: 0.031, passed: true })
      assert.deepStrictEqual(made.summary.nonInferiority, {
        compared: true,
        version: "old",
        sharpe: 20,
        maxDrawdown: 0.001,
      })
    }),
  )

  it.effect("passes a model that is not", () =>
    Effect.gen(function* () {
      const first = yield* output()
      const made = yield* output({ before: deployed(first.model.metrics) })
      assert.strictEqual(made.verdict, "PASSED")
      assert.deepInclude(criterion(made, "sharpe_vs_deployed"), { passed: true })
    }),
  )

  it.effect("warns when nobody knows the deployed model's numbers, and fails then under a strict policy", () =>
    Effect.gen(function* () {
      const before = deployed({ ai1_auc: 0.7 })
      const made = yield* output({ before })
      assert.strictEqual(made.verdict, "WARNED")
      assert.deepInclude(criterion(made, "sharpe_vs_deployed"), { threshold: null, severity: "warn", passed: false })
      const strict = { ...Place.lax, gate: { ...Place.lax.gate, strict: true } }
      const stopped = yield* output({ before, policy: strict })
      assert.strictEqual(stopped.verdict, "FAILED")
      assert.include(stopped.gate.reasons, "the policy is strict: a warning fails")
    }),
  )
})

describe("the tear sheet", () => {
  it.effect("shows the curves, the criteria, the stress, the policy and that the data is synthetic", () =>
    run({}, (made) =>
      Effect.gen(function* () {
        const page = yield* text(made.page)
        assert.include(page, "SYNTHETIC DATA")
        assert.strictEqual(page.split("data:image/svg+xml;base64,").length - 1, 2)
        for (const { name } of [...made.criteria, ...made.stress])
          assert.include(page, `<td>${name.replaceAll(">", "&#62;")}`)
        for (const part of ["Monthly returns", "Best", "Worst", "Bootstrap", "base rate", made.model.digest]) {
          assert.include(page, part)
        }
        assert.include(page, made.gate.policy.sha256)
        assert.include(page, CanonicalJson.digest(Place.lax))
      }),
    ),
  )

  it.effect("escapes what others wrote and asks for nothing from outside", () =>
    run({ data: (data) => ({ ...data, source: "<script>alert(1)</script>" }) }, (made) =>
      Effect.gen(function* () {
        const page = yield* text(made.page)
        assert.notInclude(page, "<script")
        assert.include(page, "&#60;script&#62;alert(1)")
        assert.include(page, "set &#60;by&#62; hand")
        assert.notMatch(page, /(src|href)="(?!data:)/)
      }),
    ),
  )

  it.effect("does not call real data synthetic", () =>
    run({ data: (data) => ({ ...data, synthetic: false }) }, (made) =>
      Effect.gen(function* () {
        assert.notInclude(yield* text(made.page), "SYNTHETIC")
      }),
    ),
  )
})

describe("the input", () => {
  it.effect("is a model and nothing more, and a dry run says what would be done", () =>
    run({}, ({ model }) =>
      Effect.gen(function* () {
        const input = Schema.decodeUnknownSync(BacktestInput)({
          model: Schema.encodeSync(BacktestOutput.fields.model)(model),
        })
        assert.strictEqual(
          yield* backtest.dryRun?.(input) ?? Effect.succeed(""),
          `would backtest 20250102_0304_${model.digest.slice(0, 8)} (EURUSD-GBPUSD/1h) and judge it`,
        )
      }),
    ),
  )
})
