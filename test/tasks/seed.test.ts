import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Sha256 from "../../src/domain/sha256.ts"
import { DuckDb, numbers } from "../../src/services/duckdb.ts"
import * as DuckDbEmbedded from "../../src/services/duckdb-embedded.ts"
import seed from "../../tasks/seed/index.ts"
import { SeedInput } from "../../tasks/seed/schema.ts"
import * as Workplace from "./workplace.ts"

const run = (root: string, input: typeof SeedInput.Encoded) =>
  Schema.decodeUnknownEffect(SeedInput)(input).pipe(
    Effect.orDie,
    Effect.flatMap(seed.run),
    Effect.provide(Layer.merge(Workplace.attempt(root), DuckDbEmbedded.layer)),
  )
const put = (root: string, name: string, text: string | Uint8Array) =>
  Effect.promise(async () => {
    await Fs.mkdir(join(root, name, ".."), { recursive: true })
    await Fs.writeFile(join(root, name), text)
  })
const text = (...path: ReadonlyArray<string>) => Effect.promise(() => Fs.readFile(join(...path), "utf8"))
const tree = (root: string) =>
  Effect.promise(async () => {
    const names = await Fs.readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
    const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    return Object.fromEntries(
      await Promise.all(
        files.sort().map(async (file) => [file.slice(root.length + 1), Sha256.of(await Fs.readFile(file))]),
      ),
    )
  })
const canonical = (root: string) => join(root, ".dandori", "canonical")
const read = (root: string, path: string) =>
  Effect.flatMap(DuckDb, (duckdb) => duckdb.readColumns([join(root, path)])).pipe(Effect.provide(DuckDbEmbedded.layer))

const hourly = (count: number, from = Date.UTC(2025, 0, 1)) =>
  Array.from(
    { length: count },
    (_, i) => `${new Date(from + i * 3_600_000).toISOString()},1.0,1.2,0.9,${1 + (i % 9) / 100},${100 + i}`,
  )
const csv = (rows: ReadonlyArray<string>) => `timestamp,open,high,low,close,volume\n${rows.join("\n")}\n`
const base = {
  symbols: ["EURUSD"],
  timeframe: "1h",
  month: "2025-01",
  source: { kind: "file", path: "in.csv" },
} as const

describe("seed", () => {
  it.effect("puts a month under timeframe, symbol and month, with its expectations and its facts", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* put(root, "in.csv", csv(hourly(1000)))
      const { dataset } = yield* run(root, base)
      const [partition] = dataset.partitions
      assert.strictEqual(partition.path, ".dandori/canonical/1h/EURUSD/2025-01/canonical.parquet")
      assert.strictEqual(partition.rows, 744)
      assert.strictEqual(partition.lastTimestamp, "2025-01-31T23:00:00Z")
      assert.deepStrictEqual(Object.keys(yield* tree(canonical(root))), [
        "1h/EURUSD/2025-01/__meta.json",
        "1h/EURUSD/2025-01/canonical.parquet",
        "1h/EURUSD/2025-01/dq_expectations.yaml",
      ])
      const meta = JSON.parse(yield* text(canonical(root), "1h/EURUSD/2025-01/__meta.json"))
      assert.strictEqual(meta.sha256, partition.sha256)
      assert.strictEqual(meta.rows, 744)
      assert.strictEqual(meta.last_ts, "2025-01-31T23:00:00Z")
      assert.strictEqual(meta.synthetic, false)
      assert.strictEqual(meta.source.files[0].sha256, Sha256.of(csv(hourly(1000))))
      assert.strictEqual(dataset.digest, Sha256.of(`${partition.sha256}\n`))
      const bars = yield* read(root, partition.path)
      assert.deepStrictEqual(Object.keys(bars), ["timestamp", "open", "high", "low", "close", "volume"])
      assert.strictEqual(bars["timestamp"][1], Date.UTC(2025, 0, 1, 1))
      assert.strictEqual(bars["close"][8], 1.08)
    }),
  )

  it.effect("does nothing when the same bytes are there, and finishes what a crash left out", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* put(root, "in.csv", csv(hourly(1000)))
      const first = yield* run(root, base)
      const before = yield* tree(canonical(root))
      const meta = join(canonical(root), "1h/EURUSD/2025-01/__meta.json")
      const data = join(root, first.dataset.partitions[0].path)
      const inode = (yield* Effect.promise(() => Fs.stat(data))).ino
      yield* Effect.promise(() => Fs.rm(meta))
      assert.deepStrictEqual(yield* run(root, base), first)
      assert.deepStrictEqual(yield* tree(canonical(root)), before)
      assert.strictEqual((yield* Effect.promise(() => Fs.stat(data))).ino, inode)
    }),
  )

  it.effect("changes nothing where other data is, not even the months that are new, unless it is forced", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* put(root, "in.csv", csv(hourly(1000)))
      yield* run(root, { ...base, month: "2025-02" })
      const before = yield* tree(canonical(root))
      yield* put(root, "in.csv", csv(hourly(1100)))
      const { month: _, ...rest } = base
      const both = { ...rest, months: { from: "2025-01", to: "2025-02" } }
      const conflict = yield* Effect.flip(run(root, both))
      assert.strictEqual(conflict._tag, "DatasetConflict")
      assert.include(conflict.message, "2025-02/canonical.parquet")
      assert.notInclude(conflict.message, "2025-01/canonical.parquet")
      assert.deepStrictEqual(yield* tree(canonical(root)), before)
      const { dataset } = yield* run(root, { ...both, force: true })
      assert.deepStrictEqual(
        dataset.partitions.map(({ month, rows }) => [month, rows]),
        [
          ["2025-01", 744],
          ["2025-02", 356],
        ],
      )
    }),
  )

  it.effect("replaces the other format only when it is forced", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* put(root, "in.csv", csv(hourly(10)))
      yield* run(root, base)
      assert.strictEqual((yield* Effect.flip(run(root, { ...base, format: "json" })))._tag, "DatasetConflict")
      yield* run(root, { ...base, format: "json", force: true })
      assert.deepStrictEqual(
        Object.keys(yield* tree(canonical(root))).map((path) => path.split("/").at(-1)),
        ["__meta.json", "canonical.json", "dq_expectations.yaml"],
      )
    }),
  )

  it.effect("keeps what is wrong with the bars, so that dq can find it", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const rows = hourly(6)
      rows[1] = "2025-01-01T01:00:00Z,1,1.2,0.9,NaN,5"
      rows[2] = "2025-01-01T02:00:00Z,1,0.5,0.9,-1,"
      ;[rows[3], rows[4]] = [rows[4], rows[3]]
      rows.push(rows[5])
      yield* put(root, "in.csv", csv(rows))
      const { dataset } = yield* run(root, base)
      const bars = yield* read(root, dataset.partitions[0].path)
      const hours = Array.from(numbers(bars["timestamp"]), (time) => (time - Date.UTC(2025, 0, 1)) / 3_600_000)
      assert.deepStrictEqual(hours, [0, 1, 2, 4, 3, 5, 5])
      assert.deepStrictEqual(numbers(bars["close"]).slice(0, 3), Float64Array.of(1, Number.NaN, -1))
      assert.deepStrictEqual(bars["high"][2], 0.5)
      assert.isNaN(numbers(bars["volume"])[2])
      const json = yield* run(root, { ...base, format: "json", outputRoot: "json" })
      const written = JSON.parse(yield* text(root, json.dataset.partitions[0].path))
      assert.deepStrictEqual(written[1], {
        timestamp: "2025-01-01T01:00:00Z",
        open: 1,
        high: 1.2,
        low: 0.9,
        close: null,
        volume: 5,
      })
    }),
  )

  it.effect("refuses with file and row what no canonical format can hold, and writes nothing", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const rows = hourly(5)
      rows[1] = "2025-01-01T01:00:00Z,1,1.2,0.9,cheap,5"
      rows[3] = "yesterday,1,1.2,0.9,1,5"
      rows[4] = `${rows[4]},7`
      yield* put(root, "in.csv", csv(rows))
      const error = yield* Effect.flip(run(root, base))
      assert.strictEqual(error._tag, "SourceInvalid")
      assert.include(error.message, 'in.csv, row 2: close "cheap" is no number')
      assert.include(error.message, 'in.csv, row 4: timestamp "yesterday" is no time')
      assert.include(error.message, "in.csv, line 6: ")
      assert.deepStrictEqual(yield* tree(canonical(root)), {})
    }),
  )

  it.effect("says which months there are when one is missing", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* put(root, "in.csv", csv([...hourly(1500), ...hourly(3, Date.UTC(2025, 5, 1))]))
      const error = yield* Effect.flip(run(root, { ...base, month: "2025-04" }))
      assert.strictEqual(error.message, "in.csv has no bars of EURUSD in 2025-04; it has 2025-01 to 2025-03, 2025-06")
    }),
  )

  it.effect(
    "reads a MetaTrader export: tab-separated, gzip, date and time apart, broker's clock, one file per symbol",
    () =>
      Effect.gen(function* () {
        const root = yield* Workplace.project
        const export_ =
          "DATE\tTIME\tOPEN\tHIGH\tLOW\tCLOSE\tTICKVOL\tVOL\tSPREAD\r\n2025.01.02\t01:00:00\t1.1\t1.2\t1.0\t1.15\t900\t0\t5\r\n2025.01.02\t02:00:00\t1.15\t1.2\t1.1\t1.12\t800\t0\t6\r\n"
        for (const symbol of ["EURUSD", "GBPUSD"]) yield* put(root, `in/${symbol}_H1.csv.gz`, Bun.gzipSync(export_))
        const { dataset } = yield* run(root, {
          ...base,
          symbols: ["GBPUSD", "EURUSD"],
          source: {
            kind: "file",
            path: "in/{symbol}_*.csv.gz",
            columns: {
              timestamp: ["DATE", "TIME"],
              open: "OPEN",
              high: "HIGH",
              low: "LOW",
              close: "CLOSE",
              volume: "TICKVOL",
              spread: "SPREAD",
            },
            timestampFormat: "%Y.%m.%d %H:%M:%S",
            utcOffset: 2,
          },
        })
        assert.deepStrictEqual(
          dataset.partitions.map(({ rows, symbol }) => [symbol, rows]),
          [
            ["EURUSD", 2],
            ["GBPUSD", 2],
          ],
        )
        assert.strictEqual(dataset.partitions[0].firstTimestamp, "2025-01-01T23:00:00Z")
        assert.deepStrictEqual((yield* read(root, dataset.partitions[0].path))["spread"], Float64Array.of(5, 6))
      }),
  )

  it.effect("reads JSON, NDJSON and Parquet with the symbol as a column, extra numbers included", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const bar = (symbol: string, hour: number) => ({
        symbol,
        timestamp: `2025-01-01T0${hour}:00:00Z`,
        open: 1,
        high: 1.1,
        low: 0.9,
        close: 1.05,
        volume: 10,
        atr_ratio: 1.25,
      })
      const bars = [bar("EURUSD", 0), bar("GBPUSD", 0), bar("EURUSD", 1)]
      yield* put(root, "in.json", JSON.stringify(bars))
      yield* put(root, "in.ndjson", bars.map((each) => JSON.stringify(each)).join("\n"))
      const digests: Array<string> = []
      for (const path of ["in.json", "in.ndjson"]) {
        const { dataset } = yield* run(root, {
          ...base,
          symbols: ["EURUSD", "GBPUSD"],
          source: { kind: "file", path },
          outputRoot: path.slice(3),
        })
        assert.deepStrictEqual(
          dataset.partitions.map(({ rows }) => rows),
          [2, 1],
        )
        assert.deepStrictEqual(
          (yield* read(root, dataset.partitions[0].path))["atr_ratio"],
          Float64Array.of(1.25, 1.25),
        )
        digests.push(dataset.digest)
        if (path === "in.ndjson") {
          const again = yield* run(root, {
            ...base,
            source: { kind: "file", path: dataset.partitions[0].path },
            outputRoot: "again",
          })
          assert.strictEqual(again.dataset.partitions[0].sha256, dataset.partitions[0].sha256)
        }
      }
      assert.strictEqual(digests[0], digests[1])
    }),
  )

  it.effect("names the column that is missing and the one that was probably meant", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* put(root, "in.csv", csv(hourly(3)))
      const source = { kind: "file", path: "in.csv", columns: { timestamp: "timestmap" } } as const
      assert.include((yield* Effect.flip(run(root, { ...base, source }))).message, 'Did you mean "timestamp"?')
      const missing = yield* Effect.flip(
        run(root, { ...base, source: { ...source, columns: { timestamp: "timestamp", close: "close" } } }),
      )
      assert.include(missing.message, "no column open, high, low, volume")
    }),
  )

  it.effect("generates synthetic bars that say so, the same for the same seed", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const input = {
        symbols: ["EURUSD", "GBPUSD"],
        timeframe: "1h",
        month: "2024-03",
        source: { kind: "synthetic", seed: 7 },
      } as const
      const { dataset } = yield* run(root, input)
      assert.isTrue(dataset.synthetic)
      assert.match(dataset.source, /^synthetic: seed 7/)
      assert.isAbove(dataset.partitions[0].rows, 400)
      assert.strictEqual((yield* run(root, { ...input, outputRoot: "again" })).dataset.digest, dataset.digest)
      assert.notStrictEqual(
        (yield* run(root, { ...input, source: { kind: "synthetic", seed: 8 }, outputRoot: "other" })).dataset.digest,
        dataset.digest,
      )
    }),
  )

  it.effect("takes the shipped sample by default and marks it synthetic", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* put(root, "samples/data/synthetic_EURUSD_1h.csv", csv(hourly(800)))
      const { source: _, ...input } = base
      const { dataset } = yield* run(root, input)
      assert.isTrue(dataset.synthetic)
      assert.strictEqual(dataset.source, "samples/data/synthetic_EURUSD_1h.csv")
      assert.include((yield* Effect.flip(run(root, { ...input, timeframe: "4h" }))).message, "1h only")
    }),
  )

  it.effect("copies the given expectations and refuses paths outside the project", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* put(root, "in.csv", csv(hourly(3)))
      yield* put(root, "e.yaml", "name: mine\n")
      yield* run(root, { ...base, expectations: "e.yaml" })
      assert.strictEqual(yield* text(canonical(root), "1h/EURUSD/2025-01/dq_expectations.yaml"), "name: mine\n")
      assert.strictEqual((yield* Effect.flip(run(root, { ...base, outputRoot: "../elsewhere" })))._tag, "PathRefused")
      assert.strictEqual(
        (yield* Effect.flip(run(root, { ...base, source: { kind: "file", path: "/etc/{symbol}*.csv" } })))._tag,
        "PathRefused",
      )
      yield* Effect.promise(() => Fs.mkdir(join(root, "linked/1h"), { recursive: true }))
      yield* Effect.promise(() => Fs.symlink("/tmp", join(root, "linked/1h/EURUSD")))
      assert.strictEqual((yield* Effect.flip(run(root, { ...base, outputRoot: "linked" })))._tag, "PathRefused")
    }),
  )

  it.each([
    ["a symbol that is a path", { symbols: ["../z"] }],
    ["a symbol in small letters", { symbols: ["eurusd"] }],
    ["no symbol", { symbols: [] }],
    ["a timeframe that is a path", { timeframe: "../1h" }],
    ["a month that is a path", { month: "../../2025-01" }],
    ["a month that is none", { month: "2025-13" }],
    ["both month and months", { months: ["2025-01"] }],
    ["neither month nor months", { month: undefined }],
    ["a range that runs backwards", { month: undefined, months: { from: "2025-02", to: "2025-01" } }],
  ])("refuses %s", (_, change) => {
    const input = Object.fromEntries(Object.entries({ ...base, ...change }).filter(([, value]) => value !== undefined))
    assert.isTrue(Schema.decodeUnknownResult(SeedInput)(base)._tag === "Success")
    assert.isTrue(Schema.decodeUnknownResult(SeedInput)(input)._tag === "Failure")
  })
})
