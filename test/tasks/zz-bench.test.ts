import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { DuckDb } from "../../src/services/duckdb.ts"
import * as DuckDbEmbedded from "../../src/services/duckdb-embedded.ts"
import { loadBars } from "../../src/services/duckdb-bar-files.ts"
import { prepare } from "../../tasks/dq/data.ts"
import { draw } from "../../tasks/dq/distributions.ts"
import { rules } from "../../tasks/dq/rules.ts"
import { section } from "./dq-bars.ts"
import * as Workplace from "./workplace.ts"
it.effect("bench", () => Effect.gen(function* () {
  const root = yield* Workplace.project
    const n = 1_000_000
    let x = 1
    const close = Float64Array.from({ length: n }, (_, i) => (x += Math.sin(i * 12.9898) * 0.0003))
    const duck = yield* DuckDb
    yield* duck.writeParquet(join(root, "big.parquet"), [
      { name: "timestamp", type: "timestamp", values: close.map((_, i) => i * 900_000) },
      ...(["open", "high", "low", "close", "volume"] as const).map((name) => ({ name, type: "double" as const, values: name === "high" ? close.map((c) => c + 1e-4) : name === "low" ? close.map((c) => c - 1e-4) : close })),
    ])
    let t = performance.now()
    const lap = (w: string) => { console.log(w, (performance.now() - t).toFixed(0)); t = performance.now() }
    const db = yield* duck.open({ paths: [join(root, "big.parquet")] })
    const loaded = yield* loadBars(db, [{ path: join(root, "big.parquet"), label: "x" }])
    lap("load")
    const e = { name: "x", required_columns: ["timestamp", "close"], max_missing_rate: 0, column_ranges: { close: [0, 2] as const } }
    const data = yield* prepare(db, loaded, e, ["x"])
    lap("prepare")
    for (const r of rules(data, e, { section, now: 0 })) { if (r.rows) { yield* db.run(`CREATE OR REPLACE TEMP TABLE f AS ${r.rows}`); lap(r.name) } }
    yield* draw(data)
    lap("draw")
}).pipe(Effect.scoped, Effect.provide(DuckDbEmbedded.layer)), 120_000)
