import * as Effect from "effect/Effect"
import * as Charts from "../../src/services/charts.ts"
import { literal, numbers } from "../../src/services/duckdb.ts"
import type { Data } from "./data.ts"

const points = 800
const hour = 3_600_000

/** At most `points` of a series: per stretch its lowest and highest value, so that a single bad bar stays visible. */
const thinned = (times: Float64Array, values: Float64Array): ReadonlyArray<readonly [number, number]> => {
  const stretch = Math.max(1, Math.ceil((2 * times.length) / points))
  const kept: Array<readonly [number, number]> = []
  for (let from = 0; from < times.length; from += stretch) {
    let [low, high] = [from, from]
    for (let i = from; i < Math.min(times.length, from + stretch); i++) {
      if (!(values[i] >= values[low])) low = i
      if (!(values[i] <= values[high])) high = i
    }
    for (const i of low === high ? [low] : [Math.min(low, high), Math.max(low, high)]) kept.push([times[i], values[i]])
  }
  return kept
}

/** Charts of the data as `<img>`: close over time, returns, gaps between bars, volume; none without times and closes. */
export const draw = Effect.fn("dq.draw")(function* (data: Data) {
  if (!data.has("timestamp") || !data.has("close")) return []
  const symbols = (yield* data.database.rows("SELECT DISTINCT _symbol AS symbol FROM data ORDER BY symbol")).map(
    (row) => String(row["symbol"]),
  )
  const series = yield* Effect.forEach(symbols, (symbol) =>
    Effect.map(
      data.database.columns(
        `SELECT _ts, close, ${data.has("volume") ? "volume" : "NULL::DOUBLE AS volume"} FROM data WHERE _ts IS NOT NULL AND _symbol = ${literal(symbol)} ORDER BY _ts, _position`,
      ),
      (columns) => ({
        name: symbol === "" ? "close" : symbol,
        times: numbers(columns["_ts"]),
        close: numbers(columns["close"]),
        volume: numbers(columns["volume"]),
      }),
    ),
  )
  const images = [
    yield* Charts.timeLines(
      "Close",
      series.map(({ close, name, times }) => ({ name, points: thinned(times, close) })),
    ),
  ]
  for (const { close, name, times, volume } of series) {
    const returns = close.map((value, i) => (i === 0 ? Number.NaN : (value / close[i - 1] - 1) * 100))
    const gaps = times.map((time, i) => (i === 0 ? Number.NaN : (time - times[i - 1]) / hour))
    images.push(yield* Charts.histogram(`Returns per bar in %, ${name} (counts, logarithmic)`, returns))
    images.push(yield* Charts.histogram(`Hours between bars, ${name} (counts, logarithmic)`, gaps))
    if (volume.some(Number.isFinite))
      images.push(yield* Charts.histogram(`Volume, ${name} (counts, logarithmic)`, volume))
  }
  return images
})
