import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Artifacts } from "../../src/services/artifacts.ts"
import {
  type Bar,
  section,
  services,
  put,
  check,
  resultOf,
  rowsOf,
  failed,
  iso,
  clean,
  asCsv,
  write,
  runbook,
  defects,
} from "./dq-bars.ts"
import * as Workplace from "./workplace.ts"

describe("the checks of dq", () => {
  it.effect("says where a gap begins and ends and how long it is", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const bars = clean(300)
      defects[4].seed(bars)
      const result = resultOf(yield* check(root, [yield* write(root, "csv", bars)], runbook), "max_gap")
      assert.strictEqual(result.observed, "longest 168.0 h")
      assert.strictEqual(result.threshold, "at most 3d")
      assert.include(result.sample[0].detail, "nothing from 2025-01-14T07:00:00Z to 2025-01-21T07:00:00Z, 168.0 h")
    }),
  )

  it.effect("notices that a symbol begins later or ends earlier than another", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* put(root, "a.csv", asCsv(clean(400)))
      yield* put(root, "b.csv", asCsv(clean(400).slice(100, 250)))
      const files = ["a.csv", "b.csv"]
      const result = resultOf(
        yield* check(root, files, "name: x\nchecks: [{ check: max_gap }]\n", { symbols: ["EURUSD", "GBPUSD"] }),
        "max_gap",
      )
      assert.deepStrictEqual(result.sample, [
        {
          file: "b.csv",
          row: 1,
          symbol: "GBPUSD",
          timestamp: iso(100),
          detail: `nothing from ${iso(0)} to ${iso(100)}, 100.0 h, where another symbol has bars`,
        },
        {
          file: "b.csv",
          row: 150,
          symbol: "GBPUSD",
          timestamp: iso(249),
          detail: `nothing from ${iso(249)} to ${iso(399)}, 150.0 h, where another symbol has bars`,
        },
      ])
      assert.strictEqual(
        resultOf(yield* check(root, files, "name: x\nchecks: [{ check: unique }]\n"), "unique(timestamp)").failing,
        150,
      )
    }),
  )

  it.effect("flags files in the order quarantined, missing, outlier, spike; a spiking file only warns", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const bars = clean(300)
      for (let i = 60; i < 80; i++) bars[i].volume = null
      for (const i of [120, 160, 200, 240]) bars[i] = { ...bars[i], open: 1.15, high: 1.16, low: 1.14, close: 1.15 }
      const file = yield* write(root, "csv", bars)
      const all = yield* check(
        root,
        [file],
        "name: x\nchecks: []\n",
        {},
        { ...section, checks: { ...section.checks, outlier_sigma: 3 } },
      )
      assert.deepStrictEqual(all.flags[0].flags, ["quarantined", "missing", "outlier", "spike"])
      assert.deepStrictEqual(failed(all), ["flag_missing", "flag_outlier", "flag_spike"])
      const spiking = yield* check(
        root,
        [file],
        "name: x\nchecks: []\n",
        {},
        { ...section, flags: { missing: 0.5, outlier: 0.5, spike: 0.01 } },
      )
      assert.deepStrictEqual(spiking.flags[0].flags, ["spike"])
      assert.strictEqual(spiking.verdict, "WARNED")
      assert.deepStrictEqual(spiking.quarantine, [])
      const strict = yield* check(
        root,
        [file],
        "name: x\nchecks: []\n",
        {},
        { ...section, strict: true, flags: { missing: 0.5, outlier: 0.5, spike: 0.01 } },
      )
      assert.strictEqual(strict.verdict, "FAILED")
      assert.deepStrictEqual(strict.quarantine, ["bars.csv.__quarantine.json"])
    }),
  )

  const bars = clean(300)
  const rows: ReadonlyArray<
    readonly [
      says: string,
      checks: string,
      change: (bars: Array<Bar>) => void,
      name: string,
      rows: ReadonlyArray<number>,
    ]
  > = [
    [
      "values that are not allowed",
      "{ check: allowed_values, column: volume, values: [1000, 1013] }",
      () => bars.splice(3),
      "allowed_values(volume)",
      [3],
    ],
    [
      "text that does not match",
      "{ check: regex, column: timestamp, pattern: '^2025-.*Z$' }",
      (all) => (all[1].timestamp = "2024-12-31T00:00:00Z"),
      "regex(timestamp)",
      [2],
    ],
    [
      "a number that is no integer",
      "{ check: type, columns: [volume], type: integer }",
      (all) => (all[2].volume = 1.5),
      "type(volume)",
      [3],
    ],
    [
      "the same key with other values",
      "{ check: conflict }",
      (all) => (all[9].timestamp = iso(8)),
      "conflict(timestamp)",
      [9, 10],
    ],
    [
      "what an SQL query returns",
      "{ check: sql, name: cheap, query: 'SELECT _file, _row, close FROM data WHERE close < 1.1001' }",
      (all) => all.splice(5),
      "cheap",
      [1],
    ],
    ["a column that is not there", "{ check: unique, columns: [ticket] }", () => undefined, "unique(ticket)", []],
    ["columns out of order", "{ check: ordered, column: close }", (all) => all.splice(3), "ordered(close)", [3]],
    [
      "three equal bars in a row",
      "{ check: stale, repeats: 2 }",
      (all) => [4, 5].forEach((i) => Object.assign(all[i], { ...all[3], timestamp: all[i].timestamp })),
      "stale",
      [6],
    ],
    ["bars that are too old", "{ check: freshness, max: 2h, as_of: '2025-01-20' }", () => undefined, "freshness", []],
  ]
  for (const [says, checks, change, name, expected] of rows) {
    it.effect(`finds ${says}`, () =>
      Effect.gen(function* () {
        const root = yield* Workplace.project
        const changed = clean(300)
        change(changed)
        const output = yield* check(root, [yield* write(root, "csv", changed)], `name: x\nchecks:\n  - ${checks}\n`)
        assert.deepStrictEqual(
          failed(output).filter((each) => !each.startsWith("flag_")),
          [name],
        )
        if (name === "allowed_values(volume)") assert.strictEqual(rowsOf(output, name)[0], expected[0])
        else assert.deepStrictEqual(rowsOf(output, name), expected)
        const passing = yield* check(root, [yield* write(root, "csv", clean(300))], `name: x\nchecks: []\n`)
        assert.strictEqual(passing.verdict, "PASSED")
      }),
    )
  }

  it.effect("lets a share of rows fail where max_rate says so, and only warns where the severity says so", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const changed = clean(300)
      defects[11].seed(changed)
      const file = yield* write(root, "csv", changed)
      const lenient = yield* check(root, [file], "name: x\nchecks: [{ check: spike, max_rate: 0.01 }]\n")
      assert.strictEqual(lenient.verdict, "PASSED")
      assert.strictEqual(resultOf(lenient, "spike").failing, 2)
      assert.strictEqual((yield* check(root, [file], "name: x\nchecks: [{ check: spike }]\n")).verdict, "FAILED")
      assert.strictEqual(
        (yield* check(root, [file], "name: x\nchecks: [{ check: spike, severity: warn }]\n")).verdict,
        "WARNED",
      )
    }),
  )

  it.effect("reports lines that are no rows, and samples at most 20 of many failing rows", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const lines = asCsv(clean(300)).split("\n")
      lines[40] += ",1,2"
      yield* put(root, "bars.csv", lines.join("\n"))
      const torn = yield* check(root, ["bars.csv"], runbook)
      assert.include(resultOf(torn, "readable").sample[0].detail, "line 41")
      assert.strictEqual(torn.verdict, "FAILED")
      const many = yield* check(
        root,
        [
          yield* write(
            root,
            "json",
            clean(300).map((bar) => ({ ...bar, close: 9, high: 9 })),
          ),
        ],
        runbook,
      )
      assert.strictEqual(resultOf(many, "column_ranges(close)").failing, 300)
      assert.lengthOf(resultOf(many, "column_ranges(close)").sample, 20)
    }),
  )

  it.effect("names a required column that is missing and counts too few rows", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* put(root, "bars.csv", "timestamp,close\n2025-01-01T00:00:00Z,1\n")
      const output = yield* check(root, ["bars.csv"], runbook)
      assert.includeMembers(failed(output), ["required_columns(open)", "required_columns(volume)", "min_rows"])
      assert.strictEqual(resultOf(output, "min_rows").observed, "1")
      yield* put(root, "bars.csv", "timestamp,close\n")
      assert.include(failed(yield* check(root, ["bars.csv"], runbook)), "min_rows")
      yield* put(root, "bars.csv", "")
      assert.include((yield* Effect.flip(check(root, ["bars.csv"], runbook))).message, "the file is empty")
    }),
  )

  it.effect("says where the expectations are wrong and what was probably meant", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const file = yield* write(root, "csv", clean(3))
      const error = yield* Effect.flip(
        check(
          root,
          [file],
          "name: x\nmin_row: 3\nchecks:\n  - { check: unikue }\n  - { check: max_gap, max: 72 }\n  - check: spike\n    factr: 3\n",
        ),
      )
      assert.strictEqual(error._tag, "ExpectationsInvalid")
      assert.include(error.message, "e.yaml:2:1: min_row is not a known key; did you mean min_rows?")
      assert.match(error.message, /e\.yaml:4:\d+: checks\[0\]\.check must be one of .*did you mean unique\?/)
      assert.match(error.message, /e\.yaml:5:\d+: checks\[1\]\.max/)
      assert.match(error.message, /e\.yaml:7:5: checks\[2\]\.factr is not a known key; did you mean factor\?/)
    }),
  )

  it.effect("cannot be made to read another file by an SQL check", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const file = yield* write(root, "csv", clean(3))
      const error = yield* Effect.flip(
        check(
          root,
          [file],
          `name: x\nchecks: [{ check: sql, name: leak, query: "SELECT * FROM read_csv('/etc/passwd')" }]\n`,
        ),
      )
      assert.include(error.message, "disabled by configuration")
    }),
  )

  it.effect("passes the official sample of three bars under its own expectations", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const names = ["timestamp", "open", "high", "low", "close", "volume", "z", "rho_var_180", "atr_ratio"]
      const bars = [
        ["2025-01-01T00:00:00Z", 0.99, 1.01, 0.985, 1.0, 1000, 0.5, 0.02, 1.2],
        ["2025-01-01T01:00:00Z", 1.0, 1.025, 0.995, 1.02, 950, 0.4, 0.022, 1.15],
        ["2025-01-01T02:00:00Z", 1.02, 1.03, 1.0, 1.015, 1200, 0.6, 0.019, 1.1],
      ]
      yield* put(
        root,
        "sample.json",
        JSON.stringify(bars.map((bar) => Object.fromEntries(names.map((name, i) => [name, bar[i]])))),
      )
      const expectations = `name: sample_canonical
required_columns: [timestamp, close, volume]
min_rows: 3
max_missing_rate: 0.0
column_ranges: { close: [0.5, 2.0], volume: [100, 10000], rho_var_180: [0, 0.05], atr_ratio: [0.5, 2.5] }
`
      assert.strictEqual((yield* check(root, ["sample.json"], expectations)).verdict, "PASSED")
      const narrow = yield* check(root, ["sample.json"], expectations.replace("[0, 0.05]", "[0, 0.021]"))
      assert.deepStrictEqual(rowsOf(narrow, "column_ranges(rho_var_180)"), [2])
    }),
  )

  it.effect("names the check whose pattern or query is wrong", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const file = yield* write(root, "csv", clean(3))
      const pattern = yield* Effect.flip(
        check(root, [file], "name: x\nchecks: [{ check: regex, column: close, pattern: '(' }]\n"),
      )
      assert.include(pattern.message, "run the check regex(close)")
      const query = yield* Effect.flip(
        check(root, [file], "name: x\nchecks: [{ check: sql, name: odd, query: 'SELECT clsoe FROM data' }]\n"),
      )
      assert.match(query.message, /run the check odd: .*clsoe/s)
    }),
  )

  it.effect("binds its verdict to the file's bytes and to the expectations and the section", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const file = yield* write(root, "csv", clean(300))
      const { gate } = yield* check(root, [file], runbook)
      assert.strictEqual(gate.policy.name, "bars")
      assert.notStrictEqual(
        (yield* check(root, [file], `${runbook}# stricter\n`)).gate.policy.sha256,
        gate.policy.sha256,
      )
      const other = { ...section, flags: { ...section.flags, spike: 0.02 } }
      assert.notStrictEqual((yield* check(root, [file], runbook, {}, other)).gate.policy.sha256, gate.policy.sha256)
      yield* put(root, "bars.csv", `${asCsv(clean(300))}\n`)
      assert.notStrictEqual((yield* check(root, [file], runbook)).gate.subjects[0].sha256, gate.subjects[0].sha256)
    }),
  )

  it.effect("draws a page that stands alone and escapes what the data says", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const changed = clean(300)
      changed[7].close = "<script>alert(1)</script>"
      const output = yield* check(root, [yield* write(root, "json", changed)], runbook)
      const html = yield* Effect.flatMap(Artifacts, (artifacts) => artifacts.get(output.page.sha256)).pipe(
        Effect.map((bytes) => new TextDecoder().decode(bytes)),
        Effect.provide(services(root)),
      )
      assert.notInclude(html, "<script")
      assert.include(html, "&#60;script&#62;")
      assert.notMatch(html, /(src|href)="(?!data:)/)
      assert.include(html, "prefers-color-scheme: dark")
      assert.isAtLeast(html.split('src="data:image/svg+xml;base64,').length, 4)
      const again = yield* check(root, ["bars.json"], runbook)
      assert.strictEqual(again.page.sha256, output.page.sha256)
    }),
  )
})
