import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { DqSection } from "../../src/domain/config/dq.ts"
import type { Sections } from "../../src/domain/config/sections.ts"
import type { StorageSection } from "../../src/domain/config/storage.ts"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"
import * as DuckDbEmbedded from "../../src/services/duckdb-embedded.ts"
import { Settings } from "../../src/services/settings.ts"
import dq from "../../tasks/dq/index.ts"
import { DqOutput } from "../../tasks/dq/schema.ts"
import seed from "../../tasks/seed/index.ts"
import * as Workplace from "./workplace.ts"

const section: DqSection = {
  strict: false,
  flags: { missing: 0.05, outlier: 0.02, spike: 0.01 },
  checks: { max_gap: "72h", spike_factor: 12, spike_window_bars: 180, outlier_sigma: 8, failing_rows: 20 },
}
const storage = { canonical_root: ".dandori/canonical" } as StorageSection
const services = (root: string) =>
  Layer.mergeAll(
    Workplace.attempt(root),
    DuckDbEmbedded.layer,
    ArtifactsDirectory.layer(join(root, ".dandori/artifacts")),
    Layer.succeed(Settings, {
      env: "dev",
      sections: { dq: section, storage } as Sections,
      digest: () => CanonicalJson.digest(section),
    }),
  )

const header = "timestamp,open,high,low,close,volume"
const rows = (symbol: number, days: number, from = Date.UTC(2025, 0, 1)) =>
  Array.from({ length: days * 24 }, (_, i) => {
    const close = symbol + ((i * 7) % 11) / 10_000
    return `${new Date(from + i * 3_600_000).toISOString()},${close},${close + 0.001},${close - 0.001},${close},${100 + (i % 17)}`
  })
const put = (root: string, name: string, lines: ReadonlyArray<string>) =>
  Effect.promise(() => Fs.writeFile(join(root, name), `${lines.join("\n")}\n`))
const expectations = [
  "name: pair",
  "required_columns: [timestamp, close]",
  "min_rows: 1400",
  "max_missing_rate: 0",
  "column_ranges: { close: [0.5, 2] }",
]

/** Seeds two months of two symbols; `change` damages the second's lines. */
const seeded = (root: string, format: "parquet" | "json", change: (lines: Array<string>) => void) =>
  Effect.gen(function* () {
    const second = rows(1.3, 59)
    change(second)
    yield* put(root, "EURUSD.csv", [header, ...rows(1.1, 59)])
    yield* put(root, "GBPUSD.csv", [header, ...second])
    yield* put(root, "e.yaml", expectations)
    return yield* seed.run({
      symbols: ["EURUSD", "GBPUSD"],
      timeframe: "1h",
      months: { from: "2025-01", to: "2025-02" },
      source: { kind: "file", path: "{symbol}.csv" },
      format,
    })
  })

describe("dq of a dataset", () => {
  for (const format of ["parquet", "json"] as const) {
    it.effect(`passes clean ${format} partitions and names each as a subject`, () =>
      Effect.gen(function* () {
        const root = yield* Workplace.project
        const output = yield* Effect.gen(function* () {
          const { dataset } = yield* seeded(root, format, () => undefined)
          return yield* dq.run({ dataset, expectations: "e.yaml" })
        }).pipe(Effect.provide(services(root)))
        assert.strictEqual(output.verdict, "PASSED")
        assert.deepStrictEqual(
          output.gate.subjects,
          output.dataset.partitions.map(({ path, sha256 }) => ({ name: path, sha256 })),
        )
        assert.strictEqual(output.gate.subjects.length, 4)
        const encoded = yield* Schema.encodeUnknownEffect(DqOutput)(output)
        assert.deepStrictEqual(yield* Schema.decodeUnknownEffect(DqOutput)(JSON.parse(JSON.stringify(encoded))), output)
      }),
    )

    it.effect(`quarantines only the partition at fault in ${format}, and lifts the mark once it is good`, () =>
      Effect.gen(function* () {
        const root = yield* Workplace.project
        yield* Effect.gen(function* () {
          const { dataset } = yield* seeded(
            root,
            format,
            (lines) => (lines[1000] = lines[1000].replace(/,[^,]*,(\d+)$/, ",-1,$1")),
          )
          const output = yield* dq.run({ dataset, expectations: "e.yaml" })
          assert.strictEqual(output.verdict, "FAILED")
          const mark = ".dandori/canonical/1h/GBPUSD/2025-02/__quarantine.json"
          assert.deepStrictEqual(output.quarantine, [mark])
          const found = output.checks.find(({ name }) => name === "column_ranges(close)")
          assert.deepStrictEqual(found?.sample, [
            {
              file: ".dandori/canonical/1h/GBPUSD/2025-02/canonical." + format,
              row: 1001 - 744,
              symbol: "GBPUSD",
              timestamp: "2025-02-11T16:00:00Z",
              detail: "close is -1.0",
            },
          ])
          yield* put(root, "GBPUSD.csv", [header, ...rows(1.3, 59)])
          const again = yield* seed.run({
            symbols: ["EURUSD", "GBPUSD"],
            timeframe: "1h",
            months: ["2025-02", "2025-01"],
            source: { kind: "file", path: "{symbol}.csv" },
            format,
            force: true,
          })
          assert.strictEqual((yield* dq.run({ dataset: again.dataset, expectations: "e.yaml" })).verdict, "PASSED")
          assert.isFalse(yield* Effect.promise(() => Bun.file(join(root, mark)).exists()))
        }).pipe(Effect.provide(services(root)))
      }),
    )
  }

  it.effect("counts rows and looks for gaps by symbol, across the months", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const output = yield* Effect.gen(function* () {
        const { dataset } = yield* seeded(root, "parquet", (lines) => lines.splice(700, 100))
        return yield* dq.run({ dataset, expectations: "e.yaml" })
      }).pipe(Effect.provide(services(root)))
      const named = (name: string) => output.checks.find((each) => each.name === name)
      assert.strictEqual(named("min_rows")?.observed, "EURUSD: 1416; GBPUSD: 1316")
      assert.isFalse(named("min_rows")?.passed)
      assert.strictEqual(
        named("max_gap")?.sample[0].detail,
        "nothing from 2025-01-30T03:00:00Z to 2025-02-03T08:00:00Z, 101.0 h",
      )
      assert.strictEqual(named("max_gap")?.failing, 1)
    }),
  )

  it.effect("refuses bytes that are not those of the dataset", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const error = yield* Effect.gen(function* () {
        const { dataset } = yield* seeded(root, "json", () => undefined)
        yield* Effect.promise(() => Fs.appendFile(join(root, dataset.partitions[2].path), " "))
        return yield* Effect.flip(dq.run({ dataset, expectations: "e.yaml" }))
      }).pipe(Effect.provide(services(root)))
      assert.strictEqual(error._tag, "DataChanged")
      assert.include(error.message, "GBPUSD/2025-01/canonical.json has changed")
    }),
  )
})
