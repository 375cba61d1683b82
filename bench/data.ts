/** Market data: rows that `seed` and `dq` take in, bars that features and the backtest go through, per second. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { Plan, PlanTask } from "../src/domain/plan.ts"
import type { AnyTaskType } from "../src/domain/task-type.ts"
import * as IntMap from "../src/engine/int-map.ts"
import * as Run from "../src/engine/run.ts"
import { runStatus } from "../src/engine/run-state.ts"
import { align, type Bars } from "../src/market/bars.ts"
import type { CostTable } from "../src/market/costs.ts"
import { features } from "../src/market/features.ts"
import { measure } from "../src/market/performance.ts"
import { simulate } from "../src/market/simulator.ts"
import { synthetic } from "../src/market/synthetic.ts"
import { DuckDb } from "../src/services/duckdb.ts"
import dqFile from "../tasks/dq-file/index.ts"
import seed from "../tasks/seed/index.ts"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Project from "./project.ts"

const start = Date.UTC(2020, 0, 1)

const expectations = `name: bench
required_columns: [timestamp, open, high, low, close, volume]
min_rows: 10
max_missing_rate: 0.05
column_ranges: {}
`

const costs: CostTable = {
  defaults: { spread_bps: 1, slippage_bps: 0.5, commission_bps: 0.2, swap_long_bps: 0.5, swap_short_bps: 0.25 },
  symbols: {},
  slippage_windows: [{ from: "22:00", to: "01:00", factor: 1.5 }],
  rollover: { time: "21:00", triple: "wednesday" },
}

const leg = (canonical_symbol: string) => ({
  canonical_symbol,
  tick_size: 0.00001,
  min_lot: 0.01,
  lot_step: 0.01,
  min_notional_usd: 100,
})

const csv = (bars: Bars): string => {
  const rows = Array.from(
    bars.timestamp,
    (time, i) =>
      `${new Date(time).toISOString()},${bars.open[i]},${bars.high[i]},${bars.low[i]},${bars.close[i]},${bars.volume[i]}`,
  )
  return `timestamp,open,high,low,close,volume\n${rows.join("\n")}\n`
}

const parquet = (path: string, bars: Bars) =>
  Effect.flatMap(DuckDb, (duckdb) =>
    duckdb.writeParquet(path, [
      { name: "timestamp", type: "timestamp", values: bars.timestamp },
      ...(["open", "high", "low", "close", "volume"] as const).map((name) => ({
        name,
        type: "double" as const,
        values: bars[name],
      })),
    ]),
  )

const planOf = (type: AnyTaskType, input: PlanTask["with"]): Plan => ({
  format: 1,
  id: "bench-data",
  params: {},
  env: [],
  audit: "required",
  tasks: [{ id: "work", type: type.type, version: type.version, effects: type.effects, needs: [], with: input }],
})

const monthsBetween = (from: number, to: number) => ({
  from: new Date(from).toISOString().slice(0, 7),
  to: new Date(to).toISOString().slice(0, 7),
})

/** Spread pairs: signals that trade now and then, from the features' own z-score. */
const signalsOf = (bars: ReturnType<typeof align>) => {
  const table = features(bars)
  const rows = bars.timestamp.length
  const z = table.columns.z
  return {
    z: Float64Array.from(z, (value) => value * 1.3),
    beta: new Float64Array(rows).fill(0.8),
    returnProb: new Float64Array(rows).fill(0.8),
    riskScore: Float64Array.from({ length: rows }, (_, i) => (i % 97 === 0 ? 0.9 : 0.1)),
  }
}

/** Whole tasks for `seed` and `dq`, as a run of one task; the bare functions for features and simulation. */
export const bench: Bench = (scale) =>
  Project.withProject(async (project) => {
    const full = scale === "full"
    const rounds = full ? 5 : 1
    const to = start + (full ? 6 * 365 : 40) * 86_400_000
    const [a, b] = synthetic({ seed: "bench", symbols: ["EURUSD", "GBPUSD"], timeframe: "15m", from: start, to })
    const rows = a.timestamp.length
    const files = { parquet: "bars.parquet", csv: "bars.csv" }
    writeFileSync(join(project.project, "expectations.yaml"), expectations)
    writeFileSync(join(project.project, files.csv), csv(a))
    await project.run(parquet(join(project.project, files.parquet), a))
    const work = async (type: AnyTaskType, input: PlanTask["with"]) => {
      const { state } = await project.runWith([type], Run.start(project.request(planOf(type, input), "fsync")))
      const status = runStatus(state)
      if (status === "failed" && type.type === dqFile.type) return
      if (status !== "succeeded" && status !== "warned") {
        throw new Error(
          `${type.type}: ${status} ${JSON.stringify(IntMap.entries(state.tasks).map(([, task]) => task.error))}`,
        )
      }
    }
    const figures: Array<Figure> = []
    for (const [format, file] of Object.entries(files)) {
      const millis = await Figures.times(rounds, () =>
        work(dqFile, { files: [file], expectations: "expectations.yaml" }),
      )
      figures.push(Figures.fromRates(`dq, ${rows.toLocaleString("en-US")} rows of ${format}`, "rows/s", rows, millis))
    }
    const months = monthsBetween(a.timestamp[0], a.timestamp[rows - 1])
    const seeding = await Figures.times(rounds, () =>
      work(seed, {
        symbols: ["EURUSD"],
        timeframe: "15m",
        months,
        source: { kind: "file", path: files.csv },
        force: true,
      }),
    )
    figures.push(Figures.fromRates("seed, the same CSV to monthly Parquet", "rows/s", rows, seeding))

    const pair = align(a, b)
    const bars = pair.timestamp.length
    const table = await Figures.times(rounds, () => features(pair))
    const input = {
      ...signalsOf(pair),
      pair,
      theta1: 0.6,
      theta2: 0.5,
      policy: { entry_z: 2, exit_z: 0.5, max_bars: 48, theta_stop: 0.95 },
      costs,
      instruments: { leg_A: leg("EURUSD"), leg_B: leg("GBPUSD") },
    }
    const simulated = await Figures.times(rounds, () => simulate(input))
    const measured = await Figures.times(rounds, () => measure(simulate(input)))
    const trades = simulate(input).trades.entryRow.length
    figures.push(
      Figures.fromRates(`features of ${bars.toLocaleString("en-US")} bars of a pair`, "bars/s", bars, table),
      Figures.fromRates("backtest, simulate", "bars/s", bars, simulated),
      Figures.fromRates("backtest, simulate and measure", "bars/s", bars, measured),
    )
    return {
      figures,
      notes: [
        `synthetic 15-minute bars; ${trades.toLocaleString("en-US")} trades in the simulation`,
        "dq and seed are whole runs of one task, with reading, checks, report and ledger, DuckDB on one thread",
      ],
    }
  })
