/** The sample pair: what `generate.ts` writes under `samples/data/`, and how. Synthetic, not market data. */
import type { Bars } from "../src/market/bars.ts"
import type { SyntheticSpec } from "../src/market/synthetic.ts"

/** Seed, symbols and range of the committed files: 24 months of 1h bars. */
export const spec: SyntheticSpec = {
  seed: 8,
  symbols: ["EURUSD", "GBPUSD"],
  timeframe: "1h",
  from: Date.UTC(2024, 0, 1),
  to: Date.UTC(2026, 0, 1),
}

/** The header of the CSV files. */
export const header = "timestamp,open,high,low,close,volume"

/** The lines of one symbol's file, without the header: ISO 8601 times in UTC, five decimals, whole volume. */
export const lines = (bars: Bars): Array<string> =>
  Array.from(bars.timestamp, (time, i) =>
    [
      new Date(time).toISOString().replace(".000Z", "Z"),
      ...[bars.open, bars.high, bars.low, bars.close].map((column) => column[i].toFixed(5)),
      bars.volume[i],
    ].join(","),
  )

/** The file name of one symbol's bars under `samples/data/`. */
export const fileName = (bars: Bars): string => `synthetic_${bars.symbol}_${bars.timeframe}.csv`

/** What `samples/data/synthetic.json` says of the files. */
export const meta = (series: ReadonlyArray<Bars>) => ({
  synthetic: true,
  note: "Invented by src/market/synthetic.ts; not market data.",
  generator: "samples/generate.ts",
  seed: spec.seed,
  timeframe: spec.timeframe,
  from: new Date(spec.from).toISOString(),
  to: new Date(spec.to).toISOString(),
  files: series.map((bars) => ({ symbol: bars.symbol, file: fileName(bars), rows: bars.timestamp.length })),
})
