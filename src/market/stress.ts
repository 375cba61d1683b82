/** The backtest again under worse conditions (design 05, backtest; 08, backtest_policy). */
import type { PairBars } from "./bars.ts"
import * as Costs from "./costs.ts"
import * as Performance from "./performance.ts"
import * as Random from "./random.ts"
import * as Simulator from "./simulator.ts"
import * as StressedBars from "./stressed-bars.ts"

/** Which scenarios to run: one for each number. */
export interface Policy {
  /** Factors of volatility, 1.5 is half as much again. */
  readonly volatility: ReadonlyArray<number>
  /** Correlations of the legs' returns. */
  readonly correlation: ReadonlyArray<number>
  /** Basis points added to each fill. */
  readonly cost_bps: ReadonlyArray<number>
  /** Bars that each fill comes later. */
  readonly latency_bars: ReadonlyArray<number>
  /** Sizes of gaps in percent of the price, up or down at random. */
  readonly gap_percent: ReadonlyArray<number>
}

/** One scenario, for example `volatility ×1.5`, and how the strategy did in it. */
export interface Outcome {
  readonly name: string
  readonly kind: keyof Policy
  readonly value: number
  readonly performance: Performance.Performance
}

interface Scenario {
  readonly name: string
  readonly kind: keyof Policy
  readonly value: number
  readonly change: (input: Simulator.Input, random: Random.Random) => Simulator.Input
}

const signed = (value: number) => (value < 0 ? `${value}` : `+${value}`)

const scenariosOf = (policy: Policy, respond: (pair: PairBars) => Simulator.Signals): ReadonlyArray<Scenario> => {
  const onBars =
    (stress: (pair: PairBars, random: Random.Random) => PairBars): Scenario["change"] =>
    (input, random) => {
      const pair = stress(input.pair, random)
      const { z, beta, returnProb, riskScore } = respond(pair)
      return { ...input, pair, z, beta, returnProb, riskScore }
    }
  return [
    ...policy.volatility.map((value): Scenario => ({
      name: `volatility ×${value}`,
      kind: "volatility",
      value,
      change: onBars((pair, random) => StressedBars.volatile(pair, value, random)),
    })),
    ...policy.correlation.map((value): Scenario => ({
      name: `correlation ${value}`,
      kind: "correlation",
      value,
      change: onBars((pair, random) => StressedBars.decorrelated(pair, value, random)),
    })),
    ...policy.cost_bps.map((value): Scenario => ({
      name: `cost ${signed(value)} bps`,
      kind: "cost_bps",
      value,
      change: (input) => ({ ...input, costs: Costs.plus(input.costs, value) }),
    })),
    ...policy.latency_bars.map((value): Scenario => ({
      name: `latency ${signed(value)} bars`,
      kind: "latency_bars",
      value,
      change: (input) => ({ ...input, latency: (input.latency ?? 0) + value }),
    })),
    ...policy.gap_percent.map((value): Scenario => ({
      name: `gaps ±${value} %`,
      kind: "gap_percent",
      value,
      change: onBars((pair, random) => StressedBars.gapped(pair, value / 100, random)),
    })),
  ]
}

/**
 * Runs each scenario of the policy in order. `respond` gives the signals for changed bars: features and models applied
 * again, so that the strategy sees what it trades. A scenario draws from its own stream, named by the seed and its
 * name: adding one leaves the others as they were.
 */
export const run = (
  input: Simulator.Input,
  policy: Policy,
  options: { readonly seed: number | string; readonly respond: (pair: PairBars) => Simulator.Signals },
): ReadonlyArray<Outcome> =>
  scenariosOf(policy, options.respond).map(({ name, kind, value, change }) => {
    const changed = change(input, Random.make(`${options.seed}/stress/${name}`))
    return { name, kind, value, performance: Performance.measure(Simulator.simulate(changed)) }
  })
