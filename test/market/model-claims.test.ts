import { assert, describe, it } from "@effect/vitest"
import { type Model, versionOf } from "../../src/domain/model.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { headline, type HeadlineFile } from "../../src/market/headline.ts"
import * as ModelClaims from "../../src/market/model-claims.ts"

const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
const dataset = Sha256.of("EURUSD 2025-01")
const digest = Sha256.of("files")
const theta = { theta1: 0.7, theta2: 0.3 }
const classifier = {
  kFold: {
    outOfSample: {
      calibrated: { rows: 90, baseRate: 0.6, auc: 0.7, prAuc: 0.8, logLoss: null, brier: 0.2, ece: 0.1 },
    },
  },
  walkForward: { outOfSample: { uncalibrated: { auc: 0.65 } } },
}
const metrics: HeadlineFile = {
  ai1: classifier,
  ai2: classifier,
  outOfFoldSimulation: { annualReturn: 0.1, sharpe: 1.5, maxDrawdown: 0.05, tradesPerYear: 200, haltRate: null },
}
const texts: Readonly<Record<string, string>> = {
  "feature_schema.json": JSON.stringify({ slot }),
  "metrics.json": JSON.stringify(metrics),
  "theta.yaml": "theta1: 0.7\ntheta2: 0.3\n",
  "provenance.json": JSON.stringify({
    predicate: {
      buildDefinition: {
        internalParameters: { synthetic: true, created: "2025-01-02T03:04:05.000Z" },
        resolvedDependencies: [{ name: "dataset/EURUSD/1h/2025-01", digest: { sha256: dataset } }],
      },
    },
  }),
}
const data: Model["data"] = {
  timeframe: "1h",
  symbols: [],
  format: "parquet",
  partitions: [],
  rows: 0,
  synthetic: true,
  source: "test",
  digest,
}
const model: Model = {
  version: versionOf(Date.UTC(2025, 0, 2, 3, 4), digest),
  slot,
  digest,
  files: [],
  data,
  datasets: [dataset],
  metrics: headline(metrics, theta),
  synthetic: true,
}

describe("the claims of a model", () => {
  it("agree with the files that they were taken from, with a backtest's numbers or without", () => {
    assert.deepStrictEqual(ModelClaims.problems(model, texts), [])
    assert.deepStrictEqual(ModelClaims.versionProblems(model, texts), [])
    assert.deepStrictEqual(ModelClaims.problems({ ...model, metrics: { ...model.metrics, bt_sharpe: 1 } }, texts), [])
    assert.isFalse("oof_halt_rate" in model.metrics)
  })

  it("are each named when they are other ones", () => {
    const lie = {
      ...model,
      slot: { ...slot, legB: "USDJPY" },
      synthetic: false,
      datasets: [],
      metrics: { accuracy: 1 },
    }
    const fields = new Set(ModelClaims.problems(lie, texts).map((problem) => problem.split(/[.:]/)[0]))
    assert.deepStrictEqual([...fields], ["slot", "synthetic", "datasets", "metrics"])
    assert.match(
      ModelClaims.versionProblems({ ...model, version: "golden_v1" }, texts)[0],
      /^version: .* 20250102_0304_/,
    )
  })

  for (const file of ModelClaims.sources) {
    it(`hold of no model whose ${file} is missing or torn`, () => {
      const { [file]: _, ...rest } = texts
      assert.isNotEmpty(ModelClaims.problems(model, rest))
      assert.isNotEmpty(ModelClaims.problems(model, { ...texts, [file]: "{ torn" }))
    })
  }
})
