/**
 * Synthetic bars of currency pairs: invented, seeded, and labelled synthetic wherever they are stored.
 *
 * In logarithms every symbol follows one common factor, a random walk with slow volatility and the FX day's pattern. The last
 * symbol is the reference; each other symbol k adds a spread x_k to the factor, so that (k, last) is a pair to trade.
 * The spread relaxes towards a target, x += (target − x)·(1 − e^(−h/τ)) + noise, and the target is set by flows: it
 * rests at 0, is pushed to ± an amplitude, holds for some hours, and goes back (a semi-Markov form of the
 * Ornstein-Uhlenbeck spread of pairs trading: R. Elliott, J. van der Hoek, W. Malcolm, "Pairs trading",
 * Quantitative Finance 5(3), 2005). A regime chain, shared by all symbols, changes the rules:
 *
 * | regime | what happens | share |
 * | --- | --- | --- |
 * | calm | flows are short and revert | most of the time |
 * | drift | flows build slowly and stay for days: extremes do not revert in time | |
 * | breakdown | the spread is a random walk of its own: correlation falls, no reversion | |
 * | burst | some hours of news: volatility of the spread's leg is a multiple | |
 */
import { type Bars, type Timeframe, timeframeMillis } from "./bars.ts"
import * as Random from "./random.ts"

/** The kinds of market that the generator knows. */
export type Regime = "calm" | "drift" | "breakdown" | "burst"

export interface SyntheticSpec {
  readonly seed: number | string
  /** One to many; the last one is the reference of the others. */
  readonly symbols: ReadonlyArray<string>
  readonly timeframe: Timeframe
  /** First and end (exclusive) time, milliseconds since the epoch, UTC. */
  readonly from: number
  readonly to: number
  /** Keeps one regime for the whole range; the chain of regimes without it. */
  readonly regime?: Regime
}

const hour = 3_600_000
const stepsPerBar = 8
const knownPrices: Readonly<Record<string, number>> = { EURUSD: 1.09, GBPUSD: 1.27, AUDUSD: 0.66, USDJPY: 148, USDCHF: 0.88 }

/** Mean hours in each regime, and the regimes that follow with their odds. */
const chain: Record<Regime, { readonly hours: number; readonly next: ReadonlyArray<readonly [Regime, number]> }> = {
  calm: { hours: 420, next: [["drift", 0.42], ["breakdown", 0.25], ["burst", 0.33]] },
  drift: { hours: 240, next: [["calm", 0.85], ["breakdown", 0.15]] },
  breakdown: { hours: 90, next: [["calm", 1]] },
  burst: { hours: 16, next: [["calm", 0.9], ["breakdown", 0.1]] },
}

/** Per hour, in logarithms of price. */
export const tuning = {
  factorVolatility: 0.0014,
  noise: 0.0001,
  amplitude: 0.0085,
  restMinimum: 18,
  restHours: 10,
  holdMinimum: 6,
  holdHours: 2,
  relaxHours: 0.9,
  calmTrending: 0.1,
  driftTrending: 0.8,
  trendReach: 1.8,
  trendRelaxHours: 30,
  trendHours: 75,
  breakdownVolatility: 0.0011,
  burstMultiple: 9,
}

/** Whether the FX market trades in the bar that starts at `time`: Sunday 22:00 to Friday 22:00 UTC. */
export const isOpen = (time: number): boolean => {
  const date = new Date(time)
  const day = date.getUTCDay()
  const hours = date.getUTCHours()
  return day === 0 ? hours >= 22 : day === 5 ? hours < 22 : day !== 6
}

/** Volatility by hour of the UTC day: quiet after New York's close, busy from London's opening to its end. */
const dayPattern = [
  0.6, 0.6, 0.6, 0.55, 0.55, 0.65, 0.9, 1.25, 1.3, 1.2, 1.1, 1.05, 1.25, 1.5, 1.55, 1.45, 1.15, 0.95, 0.8, 0.7, 0.6, 0.5,
  0.5, 0.55,
]

const exponential = (random: Random.Random, mean: number) => -mean * Math.log(1 - random.next())

interface Regimes {
  readonly advance: (hours: number) => Regime
}

const regimes = (random: Random.Random, fixed: Regime | undefined): Regimes => {
  let current: Regime = fixed ?? "calm"
  let left = exponential(random, chain[current].hours)
  return {
    advance: (hours) => {
      if (fixed !== undefined) return fixed
      left -= hours
      if (left <= 0) {
        let draw = random.next()
        const { next } = chain[current]
        current = next.find(([, odds]) => (draw -= odds) < 0)?.[0] ?? next[0][0]
        left = exponential(random, chain[current].hours)
      }
      return current
    },
  }
}

interface Spread {
  readonly advance: (hours: number, regime: Regime, activity: number) => number
}

const spread = (random: Random.Random): Spread => {
  let x = 0
  let target = 0
  let relax: number = tuning.relaxHours
  let left = tuning.restMinimum + exponential(random, tuning.restHours)
  const flow = (regime: Regime) => {
    if (target !== 0) {
      target = 0
      left = tuning.restMinimum + exponential(random, tuning.restHours)
      return
    }
    const trending = random.next() < (regime === "drift" ? tuning.driftTrending : tuning.calmTrending)
    target = (random.next() < 0.5 ? -1 : 1) * tuning.amplitude * (0.85 + 0.3 * random.next())
    if (trending) {
      target *= tuning.trendReach
      relax = tuning.trendRelaxHours
      left = tuning.trendHours * (0.6 + 0.8 * random.next())
    } else {
      relax = tuning.relaxHours
      left = tuning.holdMinimum + exponential(random, tuning.holdHours)
    }
  }
  return {
    advance: (hours, regime, activity) => {
      left -= hours
      if (left <= 0) flow(regime)
      const volatility = regime === "breakdown" ? tuning.breakdownVolatility : tuning.noise
      const pull = regime === "breakdown" ? 0 : (target - x) * (1 - Math.exp(-hours / relax))
      const multiple = regime === "burst" ? tuning.burstMultiple : 1
      x += pull + volatility * multiple * activity * Math.sqrt(hours) * random.normal()
      return x
    },
  }
}

/**
 * Bars of every symbol on the same timestamps, within the FX week; prices are rounded to a tenth of a pip and volume
 * to whole ticks. The same spec gives the same bars; a longer range begins with the bars of a shorter one.
 */
export const synthetic = (spec: SyntheticSpec): Array<Bars> => {
  const length = timeframeMillis[spec.timeframe]
  const times: Array<number> = []
  for (let time = Math.ceil(spec.from / length) * length; time < spec.to; time += length) {
    if (isOpen(time)) times.push(time)
  }
  const hours = length / hour / stepsPerBar
  const stream = (name: string) => Random.make(`${spec.seed}/${name}`)
  const common = stream("factor")
  const chainOf = regimes(stream("regime"), spec.regime)
  const legs = spec.symbols.map((symbol, k) => {
    const price = knownPrices[symbol] ?? 1
    return {
      symbol,
      log: Math.log(price),
      tick: symbol.endsWith("JPY") ? 1000 : 100_000,
      spread: k === spec.symbols.length - 1 ? undefined : spread(stream(`spread/${symbol}`)),
      noise: stream(`bar/${symbol}`),
      open: new Float64Array(times.length),
      high: new Float64Array(times.length),
      low: new Float64Array(times.length),
      close: new Float64Array(times.length),
      volume: new Float64Array(times.length),
      last: price,
    }
  })

  let factor = 0
  let heat = 0
  times.forEach((time, i) => {
    const activity = dayPattern[new Date(time).getUTCHours()]
    let regime: Regime = "calm"
    for (let step = 0; step < stepsPerBar; step++) {
      regime = chainOf.advance(hours)
      heat += -heat * (hours / 80) + 0.035 * Math.sqrt(hours) * common.normal()
      const volatility = tuning.factorVolatility * Math.exp(heat) * activity
      factor += -factor * (hours / 2500) + volatility * Math.sqrt(hours) * common.normal()
      for (const leg of legs) {
        const x = leg.spread?.advance(hours, regime, activity) ?? 0
        const price = Math.round(Math.exp(leg.log + factor + x) * leg.tick) / leg.tick
        if (step === 0) {
          leg.open[i] = i === 0 ? price : leg.last
          leg.high[i] = leg.open[i]
          leg.low[i] = leg.open[i]
        }
        leg.high[i] = Math.max(leg.high[i], price)
        leg.low[i] = Math.min(leg.low[i], price)
        leg.last = price
      }
    }
    for (const leg of legs) {
      leg.close[i] = leg.last
      const busy = activity * Math.exp(0.25 * leg.noise.normal() + heat) * (regime === "burst" ? 1.8 : 1)
      leg.volume[i] = Math.round(1200 * busy)
    }
  })
  const timestamp = Float64Array.from(times)
  return legs.map(({ symbol, open, high, low, close, volume }) => ({
    symbol, timeframe: spec.timeframe, timestamp, open, high, low, close, volume,
  }))
}
