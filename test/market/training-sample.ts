/** A training of the sample pair with the shipped values, run in process; each part is computed once. */
import * as Result from "effect/Result"
import * as SamplePair from "../../samples/sample-pair.ts"
import type { CorePolicySection } from "../../src/domain/config/core-policy.ts"
import type { UniversePair } from "../../src/domain/config/universe.ts"
import { align } from "../../src/market/bars.ts"
import { synthetic } from "../../src/market/synthetic.ts"
import * as Fit from "../../src/market/training-fit.ts"
import * as Samples from "../../src/market/training-samples.ts"
import * as Training from "../../src/market/training.ts"
import { costs, policy } from "./fixtures/spread-market.ts"

export const [legA, legB] = synthetic(SamplePair.spec)
export const pair = align(legA, legB)
export const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" as const }

const core: CorePolicySection = {
  theta: {
    initial: { theta1: 0.7, theta2: 0.3 },
    ranges: { theta1: { min: 0.6, max: 0.85 }, theta2: { min: 0.2, max: 0.45 } },
    grid_step: 0.1,
    trials_min: 5,
    trials_max: 10,
    early_stop_trials: 5,
    max_step: 0.03,
    ewma: { previous: 0.7, candidate: 0.3 },
    min_out_of_sample_trades: 75,
  },
  objective: {
    max_drawdown: { weight: 2, above: 0.12 },
    trades_per_year: { weight: 0.05, below: 150 },
    ai2_false_positives: { weight: 0.1 },
  },
}

export const config: Training.TrainingConfig = {
  training: {
    splits: {
      folds: 5,
      purge_bars: 24,
      embargo_bars: 24,
      min_block_bars: 240,
      walk_forward: { initial_days: 360, step_days: 90 },
    },
    label_horizon_bars: 48,
    max_class_weight: 5,
    feature_builder: { missing: 0.05, outlier: 0.02, spike: 0.01, allow_warning: true },
  },
  dq: {
    strict: false,
    flags: { missing: 0.05, outlier: 0.02, spike: 0.01 },
    checks: { max_gap: "72h", spike_factor: 12, spike_window_bars: 180, outlier_sigma: 8, failing_rows: 20 },
  },
  core_policy: core,
  backtest_policy: {
    trading: policy,
    capital_usd: 100_000,
    leverage: 1,
    gate: { sharpe: 1.2, max_drawdown: 0.12, trades_per_year: 150, halt_rate: 0.4, strict: false },
    non_inferiority: { sharpe_ratio: 0.95, drawdown_margin: 0.03 },
    bootstrap: { samples: 10, block_days: 10, confidence: 0.95 },
    stress: { volatility: [], correlation: [], cost_bps: [], latency_bars: [], gap_percent: [] },
  },
  cost_table: {
    ...costs,
    symbols: {},
    slippage_windows: [...costs.slippage_windows],
    defaults: { ...costs.defaults, spread_bps: 1, slippage_bps: 0.3, commission_bps: 0.2 },
  },
}

const leg = (canonical_symbol: string) => ({
  canonical_symbol,
  tick_size: 0.0001,
  min_lot: 0.01,
  lot_step: 0.01,
  min_notional_usd: 100,
})
const instruments: UniversePair = { id: "EURUSD-GBPUSD", session: "fx", leg_A: leg("EURUSD"), leg_B: leg("GBPUSD") }

/** What every training here has in common. */
export const context: Training.TrainingContext = { slot, instruments, seed: 0, trainer: { kind: "builtin" } }

/** Samples of the whole pair. */
export const prepared: Training.Prepared = Result.getOrThrow(Training.prepare(legA, legB, config))

/** Fits the logistic models of some samples to all folds. */
export const fitAll = (samples: Samples.Samples): Samples.PerClassifier<Fit.Fitted> => {
  const using = Fit.trainers("logistic", { seed: 0, classRatio: 5 })
  const kFold = samples.kFold.map((fold) => Fit.fitFold(samples, fold, using))
  const walkForward = samples.walkForward.map((fold) => Fit.fitFold(samples, fold, using))
  const models = Fit.refit(samples, Samples.scalerOf(samples, Samples.every(samples)), using)
  const one = (name: Samples.ClassifierName) => {
    const model = models[name]
    if (model === undefined) throw new Error(`${name} has no labelled sample`)
    return {
      model,
      kFold: Fit.assemble(
        samples,
        samples.kFold,
        kFold.map((scores) => scores[name]),
      ),
      walkForward: Fit.assemble(
        samples,
        samples.walkForward,
        walkForward.map((scores) => scores[name]),
      ),
    }
  }
  return { ai1: one("ai1"), ai2: one("ai2") }
}

/** Calibrates, measures and searches θ for fitted samples. */
export const finish = (from: Training.Prepared, fitted: Samples.PerClassifier<Fit.Fitted>) =>
  Training.finish(from, Samples.scalerOf(from.samples, Samples.every(from.samples)), fitted, config, context)
