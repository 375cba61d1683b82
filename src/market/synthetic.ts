/**
 * Synthetic bars of currency pairs: invented, seeded, and labelled synthetic wherever they are stored.
 *
 * In logarithms every symbol follows one common factor, a random walk with slow volatility and the FX day's pattern.
 * The last symbol is the reference; each other symbol k adds a spread x_k to the factor, so that (k, last) is a pair
 * to trade. The spread relaxes towards a target, x += (target − x)(1 − e^(−h/τ)) + noise, as the Ornstein-Uhlenbeck
 * spread of R. Elliott, J. van der Hoek, W. Malcolm, "Pairs trading", Quantitative Finance 5(3), 2005; flows move the
 * target: it rests at 0, is pushed to one side, holds for some hours, and goes back. A regime chain, shared by all
 * symbols, changes the rules; in brackets each regime's share of the hours:
 *
 * - calm (75 %): flows are sudden, short and revert; one in ten is a trend
 * - drift (18 %): most flows are trends: slower, further and for days, so that an extreme does not revert in time
 * - breakdown (6 %): the spread is noisy and slow to return; the correlation of returns falls
 * - burst (1 %): hours of news: the range of the spread's leg is a multiple of the other's
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
const knownPrices: Readonly<Record<string, number>> = {
  EURUSD: 1.09,
  GBPUSD: 1.27,
  AUDUSD: 0.66,
  USDJPY: 148,
  USDCHF: 0.88,
}

/** Mean hours in each regime, and the regimes that follow with their odds. */
const chain: Record<Regime, { readonly hours: number; readonly next: ReadonlyArray<readonly [Regime, number]> }> = {
  calm: {
    hours: 420,
    next: [
      ["drift", 0.42],
      ["breakdown", 0.25],
      ["burst", 0.33],
    ],
  },
  drift: {
    hours: 240,
    next: [
      ["calm", 0.85],
      ["breakdown", 0.15],
    ],
  },
  breakdown: { hours: 90, next: [["calm", 1]] },
  burst: {
    hours: 16,
    next: [
      ["calm", 0.9],
      ["breakdown", 0.1],
    ],
  },
}

/** Volatilities in log price per √hour at activity 1, amplitude in log price, times in hours, the rest are odds or factors. */
const parameters = {
  factorVolatility: 0.0014,
  factorRelaxHours: 2500,
  heatVolatility: 0.035,
  heatRelaxHours: 80,
  noise: 0.00008,
  amplitude: 0.0085,
  amplitudeJitter: 0.1,
  sideChange: 0.75,
  restMinimum: 24,
  restHours: 6,
  holdMinimum: 6,
  holdHours: 1.5,
  relaxHours: 0.7,
  trendOddsCalm: 0.1,
  trendOddsDrift: 0.8,
  trendReach: 1.6,
  trendRelaxHours: 10,
  trendHours: 85,
  breakdownVolatility: 0.0028,
  breakdownRelaxHours: 12,
  burstVolatility: 0.0035,
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
  0.6, 0.6, 0.6, 0.55, 0.55, 0.65, 0.9, 1.25, 1.3, 1.2, 1.1, 1.05, 1.25, 1.5, 1.55, 1.45, 1.15, 0.95, 0.8, 0.7, 0.6,
  0.5, 0.5, 0.55,
]

const exponential = (random: Random.Random, mean: number) => -mean * Math.log(1 - random.next())

/** Draws the regime of each next step. */
const regimes = (random: Random.Random, fixed: Regime | undefined) => {
  let current: Regime = fixed ?? "calm"
  let left = exponential(random, chain[current].hours)
  return (hours: number): Regime => {
    if (fixed !== undefined) return fixed
    left -= hours
    if (left <= 0) {
      let draw = random.next()
      const { next } = chain[current]
      current = next.find(([, odds]) => (draw -= odds) < 0)?.[0] ?? next[0][0]
      left = exponential(random, chain[current].hours)
    }
    return current
  }
}

/** Moves one spread by one step; returns it in log price. */
const spread = (random: Random.Random) => {
  let x = 0
  let target = 0
  let side = 1
  let pushed = false
  let relax: number = parameters.relaxHours
  let left = parameters.restMinimum + exponential(random, parameters.restHours)
  const flow = (regime: Regime) => {
    if (pushed) {
      pushed = false
      target = 0
      left = parameters.restMinimum + exponential(random, parameters.restHours)
      return
    }
    pushed = true
    const trending = random.next() < (regime === "drift" ? parameters.trendOddsDrift : parameters.trendOddsCalm)
    if (random.next() < parameters.sideChange) side = -side
    target = side * parameters.amplitude * (1 + parameters.amplitudeJitter * (2 * random.next() - 1))
    if (trending) {
      target *= parameters.trendReach
      relax = parameters.trendRelaxHours
      left = parameters.trendHours * (0.6 + 0.8 * random.next())
    } else {
      relax = parameters.relaxHours
      left = parameters.holdMinimum + exponential(random, parameters.holdHours)
    }
  }
  return (hours: number, regime: Regime, activity: number): number => {
    left -= hours
    if (left <= 0) flow(regime)
    const volatility =
      regime === "breakdown"
        ? parameters.breakdownVolatility
        : regime === "burst"
          ? parameters.burstVolatility
          : parameters.noise
    const time = regime === "breakdown" ? parameters.breakdownRelaxHours : relax
    x += (target - x) * (1 - Math.exp(-hours / time)) + volatility * activity * Math.sqrt(hours) * random.normal()
    return x
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
  const regimeAfter = regimes(stream("regime"), spec.regime)
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
      regime = regimeAfter(hours)
      heat +=
        -heat * (hours / parameters.heatRelaxHours) + parameters.heatVolatility * Math.sqrt(hours) * common.normal()
      const volatility = parameters.factorVolatility * Math.exp(heat) * activity
      factor += -factor * (hours / parameters.factorRelaxHours) + volatility * Math.sqrt(hours) * common.normal()
      for (const leg of legs) {
        const x = leg.spread?.(hours, regime, activity) ?? 0
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
    symbol,
    timeframe: spec.timeframe,
    timestamp,
    open,
    high,
    low,
    close,
    volume,
  }))
}
