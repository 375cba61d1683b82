/** What a simulation amounts to, in the numbers that the gate reads. A number that is not defined is null, never 0. */
import * as DailyEquity from "./daily-equity.ts"
import type { Simulation } from "./simulator.ts"

/** Rates and shares are fractions (0.12 is 12 %); money is dollars. */
export interface Performance {
  /** (last equity / capital)^(1/years) − 1; −1 when the capital is gone; null without bars. */
  readonly annualReturn: number | null
  /** Mean over sample standard deviation of daily returns, × √252, no risk-free rate; null when they do not vary. */
  readonly sharpe: number | null
  /** Largest fall below the highest equity before it (the capital counts as the first), by bar; null without bars. */
  readonly maxDrawdown: number | null
  /** Null without bars. */
  readonly tradesPerYear: number | null
  /** Share of trades with net > 0; null without trades. */
  readonly winRate: number | null
  /** Sum of winning trades' net over the sum of losing ones'; null without a losing trade. */
  readonly profitFactor: number | null
  /** Share of bars that close with a position open; null without bars. */
  readonly exposure: number | null
  /** Share of entry signals that the risk model vetoed, see `Simulation.haltRate`; null without signals. */
  readonly haltRate: number | null
  readonly trades: number
  /** From the first bar's start to the last bar's end, in years of 365.25 days. */
  readonly years: number
  readonly netProfit: number
  readonly totalCosts: number
}

const yearMillis = 365.25 * 86_400_000
const tradingDays = 252

/** Annualised Sharpe ratio of daily simple returns: mean / sample standard deviation × √252; null when undefined. */
export const sharpe = (returns: Float64Array): number | null => {
  const count = returns.length
  if (count < 2) return null
  let sum = 0
  for (let i = 0; i < count; i++) sum += returns[i]
  const mean = sum / count
  let squares = 0
  for (let i = 0; i < count; i++) squares += (returns[i] - mean) ** 2
  const ratio = (mean / Math.sqrt(squares / (count - 1))) * Math.sqrt(tradingDays)
  return squares > 0 && Number.isFinite(ratio) ? ratio : null
}

/** Largest fall of equity from its highest point so far, as a fraction of that point; starts from `capital`. */
export const maxDrawdown = (equity: Float64Array, capital: number): number | null => {
  if (equity.length === 0) return null
  let peak = capital
  let worst = 0
  for (let i = 0; i < equity.length; i++) {
    if (!Number.isFinite(equity[i])) return null
    peak = Math.max(peak, equity[i])
    worst = Math.max(worst, (peak - equity[i]) / peak)
  }
  return worst
}

/** Measures a simulation. */
export const measure = (simulation: Simulation): Performance => {
  const { timestamp, equity, trades, capital } = simulation
  const bars = timestamp.length
  const years = bars === 0 ? 0 : (timestamp[bars - 1] + simulation.barMillis - timestamp[0]) / yearMillis
  const count = trades.net.length
  let wins = 0
  let won = 0
  let lost = 0
  let totalCosts = 0
  for (let i = 0; i < count; i++) {
    const net = trades.net[i]
    totalCosts += trades.costs[i]
    if (net > 0) {
      wins++
      won += net
    } else lost -= net
  }
  const growth = bars === 0 ? Number.NaN : equity[bars - 1] / capital
  const annual = growth <= 0 ? -1 : growth ** (1 / years) - 1
  return {
    annualReturn: Number.isFinite(annual) ? annual : null,
    sharpe: sharpe(DailyEquity.returns(simulation.daily, capital)),
    maxDrawdown: maxDrawdown(equity, capital),
    tradesPerYear: bars === 0 ? null : count / years,
    winRate: count === 0 ? null : wins / count,
    profitFactor: lost > 0 ? won / lost : null,
    exposure: bars === 0 ? null : simulation.barsInMarket / bars,
    haltRate: simulation.haltRate,
    trades: count,
    years,
    netProfit: won - lost,
    totalCosts,
  }
}
