/** Bars with defects in every format, and what runs dq on them. */
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { DqSection } from "../../src/domain/config/dq.ts"
import type { Sections } from "../../src/domain/config/sections.ts"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"
import { DuckDb } from "../../src/services/duckdb.ts"
import * as DuckDbEmbedded from "../../src/services/duckdb-embedded.ts"
import { Settings } from "../../src/services/settings.ts"
import dqFile from "../../tasks/dq-file/index.ts"
import type { DqFileInput, DqFileOutput } from "../../tasks/dq/schema.ts"
import * as Workplace from "./workplace.ts"

export const section: DqSection = {
  strict: false,
  flags: { missing: 0.05, outlier: 0.02, spike: 0.01 },
  checks: { max_gap: "72h", spike_factor: 12, spike_window_bars: 180, outlier_sigma: 8, failing_rows: 20 },
}
export const services = (root: string, dq: DqSection = section) =>
  Layer.mergeAll(
    Workplace.attempt(root),
    DuckDbEmbedded.layer,
    ArtifactsDirectory.layer(join(root, ".dandori/artifacts")),
    Layer.succeed(Settings, { env: "dev", sections: { dq } as Sections, digest: () => CanonicalJson.digest(dq) }),
  )
export const put = (root: string, name: string, text: string) =>
  Effect.promise(() => Fs.writeFile(join(root, name), text))
export const check = (
  root: string,
  files: ReadonlyArray<string>,
  expectations: string,
  more: Partial<DqFileInput> = {},
  dq?: DqSection,
) =>
  put(root, "e.yaml", expectations).pipe(
    Effect.andThen(dqFile.run({ files, expectations: "e.yaml", ...more })),
    Effect.provide(services(root, dq)),
  )
export const resultOf = (output: DqFileOutput, name: string) => {
  const found = output.checks.find((each) => each.name === name)
  if (found === undefined)
    throw new Error(`no check ${name} among ${output.checks.map((each) => each.name).join(", ")}`)
  return found
}
export const rowsOf = (output: DqFileOutput, name: string) => resultOf(output, name).sample.map(({ row }) => row)
export const failed = (output: DqFileOutput) => output.checks.filter(({ passed }) => !passed).map(({ name }) => name)

/** A bar's values as JSON has them: text where the defect is text; undefined is a NaN. */
export type Bar = {
  timestamp: string | null
  open: number
  high: number
  low: number
  close: number | string | null | undefined
  volume: number | null
}
export const start = Date.UTC(2025, 0, 6)
export const iso = (hour: number) => new Date(start + hour * 3_600_000).toISOString().replace(".000Z", "Z")
export const clean = (count: number): Array<Bar> =>
  Array.from({ length: count }, (_, i) => {
    const close = 1.1 + ((i * 7) % 11) / 10_000
    return {
      timestamp: iso(i),
      open: close - 0.0001,
      high: close + 0.0005,
      low: close - 0.0005,
      close,
      volume: 1000 + ((i * 13) % 101),
    }
  })

export const asJson = (bars: ReadonlyArray<Bar>) =>
  JSON.stringify(bars.map((bar) => (bar.close === undefined ? { ...bar, close: "NaN!" } : bar))).replaceAll(
    '"NaN!"',
    "NaN",
  )
export const asCsv = (bars: ReadonlyArray<Bar>) =>
  [
    "timestamp,open,high,low,close,volume",
    ...bars.map((bar) =>
      [bar.timestamp, bar.open, bar.high, bar.low, bar.close === undefined ? "NaN" : bar.close, bar.volume].join(","),
    ),
  ].join("\n")
/** Parquet whose timestamp and close are text when a value of them is, and native otherwise. */
export const putParquet = (root: string, name: string, bars: ReadonlyArray<Bar>) =>
  Effect.flatMap(DuckDb, (duckdb) => {
    const textual = bars.some(({ close }) => typeof close === "string")
    const garbage = bars.some(({ timestamp }) => timestamp === null || Number.isNaN(Date.parse(timestamp)))
    const number = (column: "open" | "high" | "low" | "volume") => ({
      name: column,
      type: "double" as const,
      values: bars.map((bar) => bar[column]),
    })
    return duckdb.writeParquet(join(root, name), [
      garbage
        ? { name: "timestamp", type: "text", values: bars.map(({ timestamp }) => timestamp) }
        : {
            name: "timestamp",
            type: "timestamp",
            values: Float64Array.from(bars, ({ timestamp }) => Date.parse(timestamp ?? "")),
          },
      number("open"),
      number("high"),
      number("low"),
      textual
        ? {
            name: "close",
            type: "text",
            values: bars.map(({ close }) => (close === undefined ? "NaN" : close === null ? null : String(close))),
          }
        : {
            name: "close",
            type: "double",
            values: bars.map(({ close }) =>
              close === undefined ? Number.NaN : typeof close === "number" ? close : null,
            ),
          },
      number("volume"),
    ])
  }).pipe(Effect.provide(DuckDbEmbedded.layer))
export const write = (root: string, format: string, bars: ReadonlyArray<Bar>) => {
  const name = `bars.${format}`
  if (format === "parquet") return Effect.as(putParquet(root, name, bars), name)
  const text =
    format === "json"
      ? asJson(bars)
      : format === "csv"
        ? asCsv(bars)
        : asJson(bars).slice(1, -1).replaceAll("},{", "}\n{")
  return Effect.as(put(root, name, text), name)
}

export const runbook = `name: bars
required_columns: [timestamp, open, high, low, close, volume]
min_rows: 100
max_missing_rate: 0.0
column_ranges:
  close: [0.5, 2.0]
  volume: [0, null]
`

export interface Defect {
  readonly defect: string
  readonly seed: (bars: Array<Bar>) => void
  readonly named: string
  readonly rows: ReadonlyArray<number>
  readonly verdict: "FAILED" | "WARNED"
}
export const defects: ReadonlyArray<Defect> = [
  {
    defect: "a NaN close",
    seed: (bars) => (bars[99].close = undefined),
    named: "finite(close)",
    rows: [100],
    verdict: "FAILED",
  },
  {
    defect: "text in a price",
    seed: (bars) => (bars[120].close = "cheap"),
    named: "type(close)",
    rows: [121],
    verdict: "FAILED",
  },
  {
    defect: "a duplicate timestamp",
    seed: (bars) => (bars[50].timestamp = iso(49)),
    named: "unique(timestamp)",
    rows: [51],
    verdict: "FAILED",
  },
  {
    defect: "disorder",
    seed: (bars) => ([bars[30], bars[31]] = [bars[31], bars[30]]),
    named: "ordered(timestamp)",
    rows: [32],
    verdict: "FAILED",
  },
  {
    defect: "a gap of 7 days",
    seed: (bars) => bars.slice(200).forEach((bar, i) => (bar.timestamp = iso(199 + 168 + i))),
    named: "max_gap",
    rows: [201],
    verdict: "FAILED",
  },
  {
    defect: "high below low",
    seed: (bars) => (bars[75].high = 1.05),
    named: "ohlc_consistent",
    rows: [76],
    verdict: "FAILED",
  },
  {
    defect: "a garbage timestamp",
    seed: (bars) => (bars[10].timestamp = "not a time"),
    named: "type(timestamp)",
    rows: [11],
    verdict: "FAILED",
  },
  {
    defect: "a close of -1",
    seed: (bars) => (bars[220].close = -1),
    named: "column_ranges(close)",
    rows: [221],
    verdict: "FAILED",
  },
  {
    defect: "a null close",
    seed: (bars) => (bars[5].close = null),
    named: "max_missing_rate(close)",
    rows: [6],
    verdict: "FAILED",
  },
  {
    defect: "a null volume",
    seed: (bars) => (bars[6].volume = null),
    named: "max_missing_rate(volume)",
    rows: [7],
    verdict: "FAILED",
  },
  {
    defect: "a stale bar",
    seed: (bars) => Object.assign(bars[150], { ...bars[149], timestamp: bars[150].timestamp }),
    named: "stale",
    rows: [151],
    verdict: "WARNED",
  },
  {
    defect: "a spike",
    seed: (bars) => Object.assign(bars[180], { open: 1.3, high: 1.31, low: 1.29, close: 1.3 }),
    named: "spike",
    rows: [181, 182],
    verdict: "WARNED",
  },
  {
    defect: "an outlier",
    seed: (bars) => Object.assign(bars[180], { open: 1.3, high: 1.31, low: 1.29, close: 1.3 }),
    named: "outlier",
    rows: [181, 182],
    verdict: "WARNED",
  },
]
export const formats = ["json", "ndjson", "csv", "parquet"]
