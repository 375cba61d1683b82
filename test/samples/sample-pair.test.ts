import { fileURLToPath } from "node:url"
import { layer as platform } from "@effect/platform-node/NodeServices"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { parse } from "yaml"
import * as SamplePair from "../../samples/sample-pair.ts"
import { align, slice } from "../../src/market/bars.ts"
import * as Features from "../../src/market/features.ts"
import * as Labels from "../../src/market/labels.ts"
import { synthetic } from "../../src/market/synthetic.ts"

const root = fileURLToPath(new URL("../../samples/", import.meta.url))
const read = (path: string) => Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(`${root}${path}`))

/** Area under the ROC curve by the rank sum. */
const auc = (scores: ReadonlyArray<number>, values: Uint8Array): number => {
  let wins = 0
  let pairs = 0
  scores.forEach((positive, i) =>
    scores.forEach((negative, j) => {
      if (values[i] !== 1 || values[j] !== 0) return
      pairs++
      wins += positive > negative ? 1 : positive === negative ? 0.5 : 0
    }),
  )
  return wins / pairs
}

describe("samples", () => {
  layer(platform)((it) => {
    it.effect("regenerates the first six weeks of the committed files from the seed", () =>
      Effect.gen(function* () {
        const weeks = synthetic({ ...SamplePair.spec, to: SamplePair.spec.from + 42 * 86_400_000 })
        for (const bars of weeks) {
          const [header, ...committed] = (yield* read(`data/${SamplePair.fileName(bars)}`)).split("\n")
          assert.strictEqual(header, SamplePair.header)
          const lines = SamplePair.lines(bars)
          assert.isAbove(lines.length, 700)
          assert.deepStrictEqual(lines, committed.slice(0, lines.length))
        }
      }),
    )

    it.effect("says in its meta file what the CSV files hold, and that they are synthetic", () =>
      Effect.gen(function* () {
        const meta = JSON.parse(yield* read("data/synthetic.json"))
        assert.strictEqual(meta.synthetic, true)
        assert.strictEqual(meta.seed, SamplePair.spec.seed)
        for (const { file, rows } of meta.files) {
          const text = yield* read(`data/${file}`)
          assert.strictEqual(text.trimEnd().split("\n").length - 1, rows)
          assert.isBelow(text.length, 750_000)
          assert.include(file, "synthetic")
        }
      }),
    )

    it.effect("ships the official three bars with expectations that they satisfy", () =>
      Effect.gen(function* () {
        const bars: ReadonlyArray<Record<string, number | string>> = JSON.parse(
          yield* read("data/sample_canonical.json"),
        )
        const expectations = parse(yield* read("data/sample_canonical_expectations.yaml"))
        assert.deepStrictEqual(bars[1], {
          timestamp: "2025-01-01T01:00:00Z",
          open: 1,
          high: 1.025,
          low: 0.995,
          close: 1.02,
          volume: 950,
          z: 0.4,
          rho_var_180: 0.022,
          atr_ratio: 1.15,
        })
        assert.strictEqual(bars.length, expectations.min_rows)
        const ranges: Record<string, [number, number]> = expectations.column_ranges
        for (const bar of bars) {
          for (const column of expectations.required_columns) assert.property(bar, column)
          for (const [column, [low, high]] of Object.entries(ranges)) {
            assert.isTrue(Number(bar[column]) >= low && Number(bar[column]) <= high, column)
          }
        }
      }),
    )

    it.effect("gives both models something to learn: base rates apart from 0 and 1, and features that tell", () =>
      Effect.sync(() => {
        const [a, b] = synthetic(SamplePair.spec)
        const table = Features.features(align(a, b))
        const reversion = Labels.reversion(table)
        const risk = Labels.risk(table)
        assert.isAtLeast(reversion.rows.length, 120)
        assert.isTrue(Labels.baseRate(reversion) > 0.4 && Labels.baseRate(reversion) < 0.8)
        assert.isTrue(Labels.baseRate(risk) > 0.05 && Labels.baseRate(risk) < 0.4)
        const { dz, half_life: halfLife, z } = table.columns
        const returning = Array.from(reversion.rows, (row) => -dz[row] * Math.sign(z[row]))
        assert.isAbove(auc(returning, reversion.values), 0.7)
        assert.isAbove(
          auc(
            Array.from(reversion.rows, (row) => -halfLife[row]),
            reversion.values,
          ),
          0.6,
        )
      }),
    )

    it.effect("has a full month 2025-01", () =>
      Effect.sync(() => {
        const [a] = synthetic(SamplePair.spec)
        const from = a.timestamp.findIndex((time) => time >= Date.UTC(2025, 0, 1))
        const to = a.timestamp.findIndex((time) => time >= Date.UTC(2025, 1, 1))
        const month = slice(a, from, to)
        assert.isAtLeast(month.close.length, 500)
      }),
    )
  })
})
