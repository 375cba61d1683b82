/**
 * The features of a pair A/B, bar by bar (05-tasks.md, `features`). Row i is computed from bars up to i only, so a
 * table of a longer history begins with the rows of the shorter one.
 */
import * as Schema from "effect/Schema"
import type { PairBars } from "./bars.ts"
import * as Indicators from "./indicators.ts"
import * as Rolling from "./rolling.ts"

const Window = Schema.Int.check(Schema.isGreaterThanOrEqualTo(2))

/** Windows in bars, and clips. It is part of the cache key of a feature table. */
export const FeatureSpec = Schema.Struct({
  /** β, spread, z, correlation, half-life, stability, drawdown and the medians. */
  window: Window,
  zClip: Schema.Finite,
  zEmaSpan: Window,
  speedSpan: Window,
  atrWindow: Window,
  emaFast: Window,
  emaSlow: Window,
  slopeWindow: Window,
  rsiWindow: Window,
  halfLifeMax: Schema.Finite,
})
export type FeatureSpec = typeof FeatureSpec.Type

/** The windows of the specification. */
export const defaultFeatureSpec: FeatureSpec = {
  window: 180,
  zClip: 5,
  zEmaSpan: 12,
  speedSpan: 3,
  atrWindow: 14,
  emaFast: 12,
  emaSlow: 26,
  slopeWindow: 20,
  rsiWindow: 14,
  halfLifeMax: 240,
}

/** The columns of a feature table, in their order. */
export const featureNames = [
  "beta",
  "spread",
  "z",
  "dz",
  "z_ema12",
  "abs_dz_ema",
  "atr_a14",
  "atr_b14",
  "atr_ratio",
  "rho_180",
  "rho_var_180",
  "beta_stability",
  "half_life",
  "ema_gap",
  "slope_20",
  "rsi_14",
  "drawdown_recent",
] as const
export type FeatureName = (typeof featureNames)[number]

/** Columns parallel to `timestamp` (milliseconds, UTC). A value is NaN until the history that it needs is there. */
export interface FeatureTable {
  readonly timestamp: Float64Array
  readonly names: ReadonlyArray<string>
  readonly columns: Readonly<Record<string, Float64Array>>
}

const clip = (value: number, low: number, high: number) => (value < low ? low : value > high ? high : value)

/** Half-life −ln 2 / ln φ in bars of the AR(1) coefficient φ (discrete Ornstein-Uhlenbeck), clipped to [1, max]. */
export const halfLife = (phi: number, max: number): number =>
  Number.isNaN(phi) ? Number.NaN : phi <= 0 ? 1 : phi >= 1 ? max : clip(-Math.LN2 / Math.log(phi), 1, max)

/** φ of the residual A − βB, with each row's own β, from the lagged moments of A and B. */
const residualAutoregression = (a: Float64Array, b: Float64Array, beta: Float64Array, window: number) => {
  const a1 = Rolling.lag(a)
  const b1 = Rolling.lag(b)
  const aa = Rolling.moments(a, a1, window).covariance
  const ab = Rolling.moments(a, b1, window).covariance
  const ba = Rolling.moments(b, a1, window).covariance
  const bb = Rolling.moments(b, b1, window).covariance
  const lagged = Rolling.moments(a1, b1, window)
  return beta.map((k, i) => {
    const variance = lagged.varianceX[i] - 2 * k * lagged.covariance[i] + k * k * lagged.varianceY[i]
    return variance > 0 ? (aa[i] - k * (ab[i] + ba[i]) + k * k * bb[i]) / variance : Number.NaN
  })
}

/**
 * Computes the table.
 *
 * - `beta`: rolling OLS slope of A's close on B's, with intercept; `spread` S = A − βB in price units of A
 * - `z`: (S − mean) / sd of A − βB over the window with this bar's β, which is the standardised regression residual,
 *   clipped; with a β of its own in every row of the window, z would follow β's estimation error. `dz` = z − previous z
 * - `z_ema12`, `abs_dz_ema`: EMA of z, and of |Δz| ("speed", z a bar)
 * - `atr_a14`, `atr_b14`: Wilder's ATR in prices; `atr_ratio`: A's over B's, divided by its rolling median
 * - `rho_180`, `rho_var_180`: rolling correlation of log returns, and the rolling variance of that correlation
 * - `beta_stability`: 1 − sd(β)/|mean(β)| over the window, not below 0; 1 is constant
 * - `half_life`: of the AR(1) of A − βB over the window, in bars
 * - `ema_gap`, `slope_20`, `rsi_14`: of z: fast less slow EMA, OLS slope a bar, Wilder's RSI 0..100
 * - `drawdown_recent`: the larger of the legs' declines from their highest close of the window, as a fraction
 */
export const features = (pair: PairBars, spec: FeatureSpec = defaultFeatureSpec): FeatureTable => {
  const { window } = spec
  const a = pair.a.close
  const b = pair.b.close
  const {
    covariance,
    meanX: meanB,
    meanY: meanA,
    varianceX: varianceB,
    varianceY: varianceA,
  } = Rolling.moments(b, a, window)
  const beta = covariance.map((value, i) => (varianceB[i] > 0 ? value / varianceB[i] : Number.NaN))
  const spread = a.map((value, i) => value - beta[i] * b[i])
  const z = a.map((value, i) => {
    const variance = varianceA[i] - beta[i] * covariance[i]
    if (!(variance > 1e-12 * varianceA[i])) return Number.NaN
    return clip((value - meanA[i] - beta[i] * (b[i] - meanB[i])) / Math.sqrt(variance), -spec.zClip, spec.zClip)
  })
  const dz = Rolling.difference(z)

  const atrA = Indicators.atr(pair.a, spec.atrWindow)
  const atrB = Indicators.atr(pair.b, spec.atrWindow)
  const atrQuotient = atrA.map((value, i) => (atrB[i] > 0 ? value / atrB[i] : Number.NaN))
  const atrMedian = Rolling.median(atrQuotient, window)

  const rho = Rolling.correlation(Rolling.logReturn(a), Rolling.logReturn(b), window)
  const betaMoments = Rolling.moments(beta, beta, window)
  const phi = residualAutoregression(a, b, beta, window)
  const fast = Indicators.ema(z, spec.emaFast)
  const slow = Indicators.ema(z, spec.emaSlow)
  const highA = Rolling.maximum(a, window)
  const highB = Rolling.maximum(b, window)

  const columns: Record<FeatureName, Float64Array> = {
    beta,
    spread,
    z,
    dz,
    z_ema12: Indicators.ema(z, spec.zEmaSpan),
    abs_dz_ema: Indicators.ema(dz.map(Math.abs), spec.speedSpan),
    atr_a14: atrA,
    atr_b14: atrB,
    atr_ratio: atrQuotient.map((value, i) => value / atrMedian[i]),
    rho_180: rho,
    rho_var_180: Rolling.variance(rho, window),
    beta_stability: beta.map((_, i) =>
      Math.max(0, 1 - Math.sqrt(betaMoments.varianceX[i]) / Math.abs(betaMoments.meanX[i])),
    ),
    half_life: phi.map((value) => halfLife(value, spec.halfLifeMax)),
    ema_gap: fast.map((value, i) => value - slow[i]),
    slope_20: Rolling.slope(z, spec.slopeWindow),
    rsi_14: Indicators.rsi(z, spec.rsiWindow),
    drawdown_recent: a.map((value, i) => Math.max(1 - value / highA[i], 1 - b[i] / highB[i])),
  }
  return { timestamp: pair.timestamp, names: featureNames, columns }
}

/** The rows on which every named column has a finite value, ascending. */
export const completeRows = (table: FeatureTable, names: ReadonlyArray<string> = table.names): Int32Array => {
  const columns = names.map((name) => table.columns[name])
  return Int32Array.from(table.timestamp.keys()).filter((row) =>
    columns.every((column) => Number.isFinite(column[row])),
  )
}
