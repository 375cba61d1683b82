/** The search of θ on out-of-fold probabilities, each trial a simulation with costs (05-tasks.md, `train`). */
import type { BacktestPolicySection } from "../domain/config/backtest-policy.ts"
import type { CorePolicySection } from "../domain/config/core-policy.ts"
import type { CostTableSection } from "../domain/config/cost-table.ts"
import type { UniversePair } from "../domain/config/universe.ts"
import type { Ohlcv } from "./bars.ts"
import { type ThetaFile, scatter } from "./model-bundle.ts"
import * as Performance from "./performance.ts"
import * as Simulator from "./simulator.ts"
import * as Theta from "./theta.ts"
import * as Samples from "./training-samples.ts"

/** The sections of the configuration that say how a model trades. */
export interface Trading {
  readonly core_policy: CorePolicySection
  readonly backtest_policy: BacktestPolicySection
  readonly cost_table: CostTableSection
}

/** The search's settings, as `core_policy.yaml` has them. */
export const policyOf = ({ objective, theta }: CorePolicySection): Theta.Policy => ({
  theta1_range: [theta.ranges.theta1.min, theta.ranges.theta1.max],
  theta2_range: [theta.ranges.theta2.min, theta.ranges.theta2.max],
  grid_step: theta.grid_step,
  trials: { min: theta.trials_min, max: theta.trials_max },
  early_stop: theta.early_stop_trials,
  max_step: theta.max_step,
  ewma: theta.ewma.candidate,
  min_trades: theta.min_out_of_sample_trades,
  penalties: {
    drawdown: objective.max_drawdown.weight,
    drawdown_over: objective.max_drawdown.above,
    trades: objective.trades_per_year.weight,
    trades_under: objective.trades_per_year.below,
    false_positives: objective.ai2_false_positives.weight,
  },
})

/** θ with its search, and what the out-of-fold signals earn at it. `file` is what `theta.yaml` holds. */
export interface Searched {
  readonly search: Theta.Search
  readonly performance: Performance.Performance
  readonly file: ThetaFile
}

const tail = (bars: Ohlcv, from: number): Ohlcv => ({
  open: bars.open.subarray(from),
  high: bars.high.subarray(from),
  low: bars.low.subarray(from),
  close: bars.close.subarray(from),
  volume: bars.volume.subarray(from),
})

/** Searches θ from the policy's initial one; all bars from the first sample on are simulated at every trial. */
export const search = (
  samples: Samples.Samples,
  probabilities: Samples.PerClassifier<Float64Array>,
  instruments: UniversePair,
  trading: Trading,
  seed: number,
): Searched => {
  const { pair, rows, table } = samples
  const from = rows[0]
  const column = (values: Float64Array) => scatter(table.timestamp.length, rows, values).subarray(from)
  const { backtest_policy, core_policy, cost_table } = trading
  const input = {
    pair: {
      timeframe: pair.timeframe,
      timestamp: pair.timestamp.subarray(from),
      a: tail(pair.a, from),
      b: tail(pair.b, from),
    },
    z: table.columns.z.subarray(from),
    beta: table.columns.beta.subarray(from),
    returnProb: column(probabilities.ai1),
    riskScore: column(probabilities.ai2),
    policy: backtest_policy.trading,
    costs: cost_table,
    instruments,
    capital: backtest_policy.capital_usd,
    leverage: backtest_policy.leverage,
  }
  const measure = (theta: Theta.Theta) => Performance.measure(Simulator.simulate({ ...input, ...theta }))
  const previous = core_policy.theta.initial
  const found = Theta.search(
    (theta) => {
      const { annualReturn, maxDrawdown, trades, tradesPerYear } = measure(theta)
      const falsePositiveRate = Theta.falsePositiveRate(probabilities.ai2, samples.labels.ai2, theta.theta2)
      return { annualReturn, maxDrawdown, trades, tradesPerYear, falsePositiveRate }
    },
    policyOf(core_policy),
    { seed, previous },
  )
  const { best, changed, reason, theta, trials } = found
  const { timestamp } = input.pair
  return {
    search: found,
    performance: measure(theta),
    file: {
      ...theta,
      searched: {
        from: new Date(timestamp[0]).toISOString(),
        until: new Date(timestamp[timestamp.length - 1]).toISOString(),
        method: "grid, then seeded refinement, on out-of-fold probabilities",
        seed,
        trials: trials.length,
        previous,
        best: {
          theta1: best.theta1,
          theta2: best.theta2,
          objective: Number.isFinite(best.objective) ? best.objective : null,
        },
        changed,
        reason,
      },
    },
  }
}
