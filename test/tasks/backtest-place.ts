/** A project with a small synthetic pair, a hand-made model of it, and everything that `backtest` asks for. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { BacktestPolicySection } from "../../src/domain/config/backtest-policy.ts"
import type { Sections } from "../../src/domain/config/sections.ts"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import type { Dataset } from "../../src/domain/dataset.ts"
import { digest, Model, versionOf } from "../../src/domain/model.ts"
import * as Features from "../../src/market/features.ts"
import { headline } from "../../src/market/headline.ts"
import { defaultLabelSpec } from "../../src/market/labels.ts"
import * as Bundle from "../../src/market/model-bundle.ts"
import type { OutOfSampleFile } from "../../src/market/out-of-sample.ts"
import * as Scaling from "../../src/market/scaling.ts"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as DuckDbEmbedded from "../../src/services/duckdb-embedded.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import { Settings } from "../../src/services/settings.ts"
import * as Fixture from "../market/fixtures/spread-market.ts"
import * as TrainPlace from "./train-place.ts"
import * as Workplace from "./workplace.ts"

/** Bars of the pair, and the first bar that is out of sample. */
export const bars = 1500
export const firstTested = 500
const market = Fixture.market(bars, "backtest")

/** A policy that the hand-made model passes. */
export const lax: BacktestPolicySection = {
  trading: Fixture.policy,
  capital_usd: 100_000,
  leverage: 1,
  gate: { sharpe: 0.1, max_drawdown: 0.5, trades_per_year: 1, halt_rate: 1, strict: false },
  non_inferiority: { sharpe_ratio: 0.95, drawdown_margin: 0.03 },
  bootstrap: { samples: 100, block_days: 5, confidence: 0.9 },
  stress: { volatility: [1.5], correlation: [0], cost_bps: [30], latency_bars: [1], gap_percent: [1] },
}

/** The thresholds of the shipped base configuration. */
export const production: BacktestPolicySection = {
  ...lax,
  gate: { sharpe: 1.2, max_drawdown: 0.12, trades_per_year: 150, halt_rate: 0.4, strict: false },
}

const universe = {
  pairs: [{ id: "EURUSD-GBPUSD", session: "fx", ...Fixture.instruments }],
  sessions: [],
  limits: { leverage: 5, margin_used: 0.5 },
}

/** How a project differs from one that passes. */
export interface Variant {
  readonly policy?: BacktestPolicySection
  readonly cost?: typeof Fixture.costs
  readonly env?: "dev" | "prod"
}

/** The services of an attempt in a project. */
export const services = (root: string, { cost = Fixture.free, env = "dev", policy = lax }: Variant = {}) => {
  const sections = { backtest_policy: policy, cost_table: cost, universe } as unknown as Sections
  return RegistrySql.layerState.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        Workplace.attempt(root, { task: "backtest" }),
        ArtifactsDirectory.layer(join(root, ".dandori/artifacts")),
        DuckDbEmbedded.layer,
        Layer.succeed(Settings, { env, sections, digest: (name) => CanonicalJson.digest(sections[name]) }),
      ),
    ),
  )
}

const names = ["z", "abs_dz_ema"]
const classifier = (coefficients: ReadonlyArray<number>, intercept: number) => ({
  model: { kind: "logistic" as const, names, coefficients, intercept, iterations: 1, converged: true },
  calibration: { isotonic: { x: [0, 1], y: [0, 1] }, margin: 0.001 },
})

const spec = { ...Features.defaultFeatureSpec, window: 60 }
const table = Features.features(market.pair, spec)

const bundle: Bundle.ModelBundle = {
  ai1: classifier([0, 0], 1.5),
  ai2: classifier([0, 0], -2.5),
  theta: {
    theta1: 0.6,
    theta2: 0.4,
    searched: {
      from: "2024-01-01T00:00:00.000Z",
      until: "2024-02-01T00:00:00.000Z",
      method: "by hand",
      seed: 1,
      trials: 1,
      previous: { theta1: 0.7, theta2: 0.3 },
      best: { theta1: 0.6, theta2: 0.4, objective: null },
      changed: true,
      reason: "set <by> hand",
    },
  },
  featureSchema: {
    slot: { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" },
    features: names,
    spec,
    labels: { ...defaultLabelSpec, maxSpeed: 10 },
    scaler: Scaling.fit(
      { z: table.columns.z, abs_dz_ema: table.columns.abs_dz_ema },
      { rows: Features.completeRows(table) },
    ),
  },
}

/** Walk-forward predictions from `firstTested` on, as if two folds had made them. */
export const outOfSample = (over: Partial<OutOfSampleFile> = {}): OutOfSampleFile => {
  const { timestamp } = market.pair
  const rows = Array.from({ length: bars - firstTested }, (_, i) => firstTested + i)
  const fold = (from: number, until: number) => ({
    trainedUntil: timestamp[from - 49],
    from: timestamp[from],
    until: timestamp[until - 1],
    rows: until - from,
  })
  return {
    method: "walk-forward",
    gapBars: 48,
    folds: [fold(firstTested, 1000), fold(1000, bars)],
    timestamp: rows.map((row) => timestamp[row]),
    returnProb: rows.map((row) => (row % 7 === 0 ? 0.5 : 0.8)),
    riskScore: rows.map((row) => (row % 11 === 0 ? 0.42 : 0.1)),
    ...over,
  }
}

/** Puts the bars into the project. */
export const dataset = (root: string) =>
  TrainPlace.dataset(root, [
    { symbol: "EURUSD", timeframe: "1h", timestamp: market.pair.timestamp, ...market.pair.a },
    { symbol: "GBPUSD", timeframe: "1h", timestamp: market.pair.timestamp, ...market.pair.b },
  ])

const classifierMetrics = {
  kFold: {
    outOfSample: {
      calibrated: { rows: 90, baseRate: 0.6, auc: 0.7, prAuc: 0.8, logLoss: null, brier: 0.2, ece: 0.1 },
    },
  },
  walkForward: { outOfSample: { uncalibrated: { auc: 0.65 } } },
}
const metrics = {
  ai1: classifierMetrics,
  ai2: classifierMetrics,
  outOfFoldSimulation: { annualReturn: 0.1, sharpe: 1.5, maxDrawdown: 0.05, tradesPerYear: 200, haltRate: null },
}

const provenance = (data: Dataset) => ({
  predicate: {
    buildDefinition: {
      internalParameters: { synthetic: data.synthetic, created: "2025-01-02T03:04:05.000Z" },
      resolvedDependencies: data.partitions.map(({ month, sha256, symbol }) => ({
        name: `dataset/${symbol}/1h/${month}`,
        digest: { sha256 },
      })),
    },
  },
})

/** Puts a model of these bars into the artifact store. With `null` it has no out-of-sample predictions. */
export const model = Effect.fnUntraced(function* (data: Dataset, file: OutOfSampleFile | null) {
  const artifacts = yield* Artifacts
  const texts = {
    ...Bundle.encode(bundle),
    [Bundle.fileNames.metrics]: Bundle.jsonText(metrics),
    [Bundle.fileNames.provenance]: Bundle.jsonText(provenance(data)),
    ...(file === null ? {} : { [Bundle.fileNames.outOfSample]: Bundle.jsonText(file) }),
  }
  const files = yield* Effect.forEach(Object.entries(texts), ([name, text]) =>
    artifacts.put(name, "application/json", text),
  )
  return Schema.decodeUnknownSync(Model)({
    version: versionOf(Date.UTC(2025, 0, 2, 3, 4), digest(files)),
    slot: bundle.featureSchema.slot,
    digest: digest(files),
    files,
    data,
    datasets: data.partitions.map(({ sha256 }) => sha256),
    metrics: headline(metrics, bundle.theta),
    synthetic: data.synthetic,
  })
})
