/**
 * Trades a pair's spread over past bars (design 05, backtest). A decision is made at a bar's close from what is known
 * then and filled at a later bar's open, so nothing of the future reaches a trade. Stakes are a fixed share of the
 * starting capital, not compounded. Money is US dollars.
 *
 * ```
 *         |z| ≥ entry, p > θ1, risk < θ2           due bar's open
 *   flat ────────────────────────────────> order ────────────────> open
 *    ^                                                               │ risk ≥ stop, |z| ≤ exit, bars > max
 *    └──────────── due bar's open, or the last bar's close ──────────┘
 * ```
 */
import type { PairBars } from "./bars.ts"
import { timeframeMillis } from "./bars.ts"
import type { CostTable } from "./costs.ts"
import * as DailyEquity from "./daily-equity.ts"
import type * as Instrument from "./instrument.ts"
import * as Position from "./position.ts"
import * as Trades from "./trades.ts"

/**
 * Levels of `backtest_policy.yaml`: enter at |z| ≥ `entry_z`; leave at |z| ≤ `exit_z`, when more than `max_bars` bars
 * were held, or at risk ≥ `theta_stop`.
 */
export interface Policy {
  readonly entry_z: number
  readonly exit_z: number
  readonly max_bars: number
  readonly theta_stop: number
}

/** What is known at each bar's close, parallel to the pair's bars; NaN is "not known". */
export interface Signals {
  readonly z: Float64Array
  /** Units of B that hedge one unit of A, as in the spread A − βB. */
  readonly beta: Float64Array
  /** AI1: probability that the spread returns. */
  readonly returnProb: Float64Array
  /** AI2: probability that the pair is in a risky state. */
  readonly riskScore: Float64Array
}

/** All that a simulation needs. */
export interface Input extends Signals {
  readonly pair: PairBars
  readonly theta1: number
  readonly theta2: number
  readonly policy: Policy
  readonly costs: CostTable
  readonly instruments: Instrument.Pair
  /** Dollars at the start; 100,000 where absent. */
  readonly capital?: number
  /** Notional of both legs together as a multiple of the capital; 1 where absent. */
  readonly leverage?: number
  /** Bars that a fill comes later than the next open; 0 where absent. */
  readonly latency?: number
}

/** The outcome of a simulation. */
export interface Simulation {
  readonly timestamp: Float64Array
  readonly barMillis: number
  readonly capital: number
  readonly trades: Trades.Trades
  /** Dollars at each bar's close: capital, closed trades' net, and the open position's mark. */
  readonly equity: Float64Array
  readonly daily: DailyEquity.DailyEquity
  /** Bars that close with a position open. */
  readonly barsInMarket: number
  /** Bars that ask for an entry (|z| ≥ entry level and p > θ1), whether or not a position was open. */
  readonly signals: number
  /** Those of `signals` whose risk score is not below θ2; a missing score is a veto. */
  readonly vetoed: number
  /** `vetoed / signals`; null without signals. */
  readonly haltRate: number | null
  /** Entries not made while flat: vetoed by risk; no positive β, or a leg below its smallest lot or notional. */
  readonly refused: { readonly risk: number; readonly size: number }
}

const refuseMisaligned = (input: Input, rows: number) => {
  for (const name of ["z", "beta", "returnProb", "riskScore"] as const) {
    if (input[name].length !== rows) {
      throw new RangeError(`${name} has ${input[name].length} rows, the pair has ${rows}; compute it on the same bars`)
    }
  }
}

const exitReason = (input: Input, row: number, held: number): Trades.ExitReason | undefined => {
  const { policy } = input
  if (!(input.riskScore[row] < policy.theta_stop)) return "risk"
  if (Math.abs(input.z[row]) <= policy.exit_z) return "target"
  return held > policy.max_bars ? "timeout" : undefined
}

/** Runs the strategy over the pair's bars. Throws RangeError on signals that are not as long as the bars. */
export const simulate = (input: Input): Simulation => {
  const { pair, z, beta, returnProb, riskScore, theta1, theta2, policy } = input
  const { timestamp, a, b } = pair
  const rows = timestamp.length
  refuseMisaligned(input, rows)
  const market = Position.market(input.instruments, input.costs)
  const capital = input.capital ?? 100_000
  const stake = capital * (input.leverage ?? 1)
  const delay = 1 + (input.latency ?? 0)
  const barMillis = timeframeMillis[pair.timeframe]

  const closed: Array<Trades.Trade> = []
  const equity = new Float64Array(rows)
  let realised = 0
  let order: Position.Order | undefined
  let position: Position.Position | undefined
  let leaving: Trades.ExitReason | undefined
  let due = -1
  let barsInMarket = 0
  let signals = 0
  let vetoed = 0
  let refusedByRisk = 0
  let refusedBySize = 0

  const close = (held: Position.Position, fill: Position.Fill, reason: Trades.ExitReason) => {
    const trade = Position.close(market, held, fill, reason)
    realised += trade.net
    closed.push(trade)
    position = undefined
    leaving = undefined
  }

  for (let row = 0; row < rows; row++) {
    if (row === due) {
      const fill = { row, time: timestamp[row], priceA: a.open[row], priceB: b.open[row] }
      if (position !== undefined && leaving !== undefined) close(position, fill, leaving)
      else if (order !== undefined) {
        position = Position.open(market, order, fill)
        order = undefined
      }
    }
    const time = timestamp[row] + barMillis
    if (position !== undefined && row === rows - 1) {
      close(position, { row, time, priceA: a.close[row], priceB: b.close[row] }, "end")
    }

    const wanted = Math.abs(z[row]) >= policy.entry_z && returnProb[row] > theta1
    const safe = riskScore[row] < theta2
    if (wanted) {
      signals++
      if (!safe) vetoed++
    }
    if (position !== undefined) {
      barsInMarket++
      equity[row] = capital + realised + Position.mark(market, position, a.close[row], b.close[row], time)
      if (leaving === undefined) {
        leaving = exitReason(input, row, row - position.entryRow + 1)
        if (leaving !== undefined) due = row + delay
      }
      continue
    }
    equity[row] = capital + realised
    if (!wanted || order !== undefined) continue
    if (!safe) {
      refusedByRisk++
      continue
    }
    order = Position.size(market, z[row] > 0 ? -1 : 1, beta[row], a.close[row], b.close[row], stake)
    if (order === undefined) refusedBySize++
    else due = row + delay
  }

  return {
    timestamp,
    barMillis,
    capital,
    trades: Trades.fromRows(closed),
    equity,
    daily: DailyEquity.make(timestamp, equity),
    barsInMarket,
    signals,
    vetoed,
    haltRate: signals === 0 ? null : vetoed / signals,
    refused: { risk: refusedByRisk, size: refusedBySize },
  }
}
