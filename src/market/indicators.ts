/**
 * Recursive smoothers and the indicators made of them. Row i reads rows up to i only. Each smoother starts from the
 * mean of the first full window of finite values and starts anew after a value that is not finite; rows before are NaN.
 */
import type { Ohlcv } from "./bars.ts"
import * as Rolling from "./rolling.ts"

const smooth = (x: Float64Array, window: number, weight: number): Float64Array => {
  const out = new Float64Array(x.length).fill(Number.NaN)
  let seen = 0
  let state = 0
  for (let i = 0; i < x.length; i++) {
    if (!Number.isFinite(x[i])) {
      seen = 0
      state = 0
      continue
    }
    seen++
    if (seen <= window) state += (x[i] - state) / seen
    else state += weight * (x[i] - state)
    if (seen >= window) out[i] = state
  }
  return out
}

/** Exponential moving average with weight 2 / (span + 1). */
export const ema = (x: Float64Array, span: number): Float64Array => smooth(x, span, 2 / (span + 1))

/** Wilder's moving average with weight 1 / window (J. W. Wilder, "New Concepts in Technical Trading Systems", 1978). */
export const wilder = (x: Float64Array, window: number): Float64Array => smooth(x, window, 1 / window)

/** True range: the widest of high − low, |high − previous close|, |low − previous close|, in price units. */
export const trueRange = ({ close, high, low }: Ohlcv): Float64Array =>
  high.map((top, i) =>
    i === 0 ? top - low[0] : Math.max(top - low[i], Math.abs(top - close[i - 1]), Math.abs(low[i] - close[i - 1])),
  )

/** Average true range: Wilder's average of the true range, in price units. */
export const atr = (bars: Ohlcv, window: number): Float64Array => wilder(trueRange(bars), window)

/** Wilder's relative strength index of a column's changes, 0..100; 50 where nothing moved. */
export const rsi = (x: Float64Array, window: number): Float64Array => {
  const change = Rolling.difference(x)
  const gain = wilder(
    change.map((value) => Math.max(value, 0)),
    window,
  )
  const loss = wilder(
    change.map((value) => Math.max(-value, 0)),
    window,
  )
  return gain.map((up, i) => (up + loss[i] === 0 ? 50 : (100 * up) / (up + loss[i])))
}
