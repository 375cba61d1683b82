import * as Effect from "effect/Effect"
import type { Verdict } from "../../src/domain/gate.ts"
import { DuckDbError } from "../../src/services/duckdb.ts"
import { barColumns, type Data, isMissing, isoText, sideBySide } from "./data.ts"
import type { Expectations } from "./expectations.ts"
import { outlierRows, type Rule, rules, type Setting, spikeRows } from "./rules.ts"
import type { CheckResult, FailingRow, FileFlags } from "./schema.ts"

/** A result, and the files that it speaks against. */
export interface Finding {
  readonly result: CheckResult
  readonly files: ReadonlyArray<string>
}

/** All findings of one look at the data. */
export interface Judgement {
  readonly verdict: Verdict
  readonly findings: ReadonlyArray<Finding>
  readonly flags: ReadonlyArray<FileFlags>
}

type Row = Readonly<Record<string, string | number | boolean | null>>

const failingRow = (row: Row): FailingRow => ({
  file: String(row["_file"] ?? ""),
  row: Number(row["_row"] ?? 0),
  ...(row["_symbol"] ? { symbol: String(row["_symbol"]) } : {}),
  ...(row["time"] ? { timestamp: String(row["time"]) } : {}),
  detail: String(row["detail"] ?? ""),
})

const percent = (share: number) => `${Number((share * 100).toPrecision(3))} %`

const finding = (
  rule: Rule,
  failing: number,
  observed: string,
  sample: ReadonlyArray<FailingRow>,
  files: ReadonlyArray<string>,
  passed: boolean,
): Finding => ({
  result: { name: rule.name, severity: rule.severity, passed, observed, threshold: rule.threshold, failing, sample },
  files: passed ? [] : files,
})

const judgeRows = Effect.fnUntraced(function* (data: Data, rule: Rule, rows: string, limit: number) {
  const { database } = data
  yield* database.run(
    `CREATE OR REPLACE TEMP TABLE _failing AS SELECT _file, _row, _position, _symbol, _ts, found.detail FROM (${rows}) AS found JOIN data USING (_position)`,
  )
  const counts = yield* database.rows(
    "SELECT _file AS file, count(*) AS failing FROM _failing GROUP BY _file ORDER BY min(_position)",
  )
  const failing = counts.reduce((sum, row) => sum + Number(row["failing"]), 0)
  const sample =
    failing === 0
      ? []
      : yield* database.rows(`SELECT *, ${isoText("_ts")} AS time FROM _failing ORDER BY _position LIMIT ${limit}`)
  const share = data.rows === 0 ? 0 : failing / data.rows
  const [observed] = rule.observed === undefined ? [] : yield* database.rows(rule.observed)
  const text =
    observed === undefined ? `${failing} of ${data.rows} rows (${percent(share)})` : String(Object.values(observed)[0])
  return finding(
    rule,
    failing,
    text,
    sample.map(failingRow),
    counts.map((row) => String(row["file"])),
    failing === 0 || share <= (rule.maxRate ?? 0),
  )
})

const judgeGroups = Effect.fnUntraced(function* (data: Data, rule: Rule, groups: string) {
  const rows = yield* data.database.rows(groups)
  const failed = rows.filter((row) => row["failed"] === true)
  const text = rows
    .map((row) => (row["_symbol"] ? `${row["_symbol"]}: ${row["observed"]}` : `${row["observed"]}`))
    .join("; ")
  const symbols = failed.map((row) => String(row["_symbol"]))
  const found = yield* data.database.rows("SELECT DISTINCT _file AS file, _symbol AS symbol FROM data")
  const files = found.flatMap((row) => (symbols.includes(String(row["symbol"])) ? [String(row["file"])] : []))
  const all = files.length === 0 ? [...data.rowsOf.keys()] : [...new Set(files)]
  return finding(rule, 0, text, [], all, failed.length === 0)
})

const judgeFree = Effect.fnUntraced(function* (data: Data, rule: Rule, query: string, limit: number) {
  const [count] = yield* data.database.rows(`SELECT count(*) AS failing FROM (${query})`)
  const failing = Number(count["failing"])
  const rows = yield* data.database.rows(`SELECT * FROM (${query}) LIMIT ${limit}`)
  const sample = rows.map((row) => failingRow({ ...row, detail: JSON.stringify(row) }))
  const files = sample.map(({ file }) => file).filter((file) => data.rowsOf.has(file))
  return finding(
    rule,
    failing,
    `${failing} rows`,
    sample,
    files.length === 0 ? [...data.rowsOf.keys()] : [...new Set(files)],
    failing === 0,
  )
})

const judgeOne = (data: Data, rule: Rule, limit: number): Effect.Effect<Finding, DuckDbError> => {
  if (rule.missing !== undefined) {
    const observed = `there is no column ${rule.missing}`
    return Effect.succeed(finding(rule, 0, observed, [], [...data.rowsOf.keys()], false))
  }
  const judged =
    rule.groups !== undefined
      ? judgeGroups(data, rule, rule.groups)
      : rule.free !== undefined
        ? judgeFree(data, rule, rule.free, limit)
        : judgeRows(data, rule, rule.rows ?? "", limit)
  return Effect.mapError(judged, (error) => new DuckDbError({ ...error, operation: `run the check ${rule.name}` }))
}

/** Lines that are no rows: always an error. */
const judgeLines = (data: Data, limit: number): Finding => {
  const { rejected } = data.loaded
  const rule: Rule = { name: "readable", severity: "error", threshold: "every line is a row" }
  const sample = rejected
    .slice(0, limit)
    .map(({ file, line, reason }) => ({ file, row: 0, detail: `line ${line}: ${reason}` }))
  return finding(
    rule,
    rejected.length,
    `${rejected.length} lines are no rows`,
    sample,
    [...new Set(rejected.map(({ file }) => file))],
    rejected.length === 0,
  )
}

/** Shares of each file's rows, and the flags that follow from them. */
const measureFiles = Effect.fnUntraced(function* (data: Data, expectations: Expectations, { section }: Setting) {
  const { database } = data
  const countBy = Effect.fnUntraced(function* (rows: string | undefined) {
    if (rows === undefined) return new Map<string, number>()
    const counts = yield* database.rows(
      `SELECT _file AS file, count(DISTINCT _position) AS n FROM (${rows}) AS found JOIN data USING (_position) GROUP BY _file`,
    )
    return new Map(counts.map((row) => [String(row["file"]), Number(row["n"])]))
  })
  const looked = [...new Set([...(expectations.required_columns ?? []), ...barColumns])].filter(data.has)
  const anyMissing = looked.map((column) => isMissing(data, column)).join(" OR ")
  const series = data.has("timestamp") && data.has("close")
  const missing = yield* countBy(
    looked.length === 0 ? undefined : `SELECT bars._position, '' AS detail ${sideBySide} WHERE ${anyMissing}`,
  )
  const outlier = yield* countBy(series ? "FROM _outlier" : undefined)
  const spike = yield* countBy(series ? "FROM _spike" : undefined)
  return [...data.rowsOf].map(([file, rows]): FileFlags => {
    const share = (counts: ReadonlyMap<string, number>) => (rows === 0 ? 0 : (counts.get(file) ?? 0) / rows)
    const shares = { missing: share(missing), outlier: share(outlier), spike: share(spike) }
    const flags = (["missing", "outlier", "spike"] as const).filter((flag) => shares[flag] > section.flags[flag])
    return { file, rows, ...shares, flags }
  })
})

/** The flags as checks: a spiking file warns, the graver ones fail. */
const judgeFlags = (flags: ReadonlyArray<FileFlags>, { section }: Setting): ReadonlyArray<Finding> =>
  (["missing", "outlier", "spike"] as const).map((flag) => {
    const flagged = flags.filter((each) => each.flags.includes(flag))
    const threshold = `at most ${percent(section.flags[flag])} of a file's rows`
    const worst = percent(Math.max(0, ...flags.map((each) => each[flag])))
    const sample = flagged.slice(0, section.checks.failing_rows).map((each) => ({
      file: each.file,
      row: 0,
      detail: `${percent(each[flag])} of its ${each.rows} rows`,
    }))
    const rule: Rule = { name: `flag_${flag}`, severity: flag === "spike" ? "warn" : "error", threshold }
    return finding(
      rule,
      0,
      `${flagged.length} of ${flags.length} files, worst ${worst}`,
      sample,
      flagged.map(({ file }) => file),
      flagged.length === 0,
    )
  })

/** Runs all checks on the data. The judgement depends on the bytes, the expectations and the setting, and on nothing else. */
export const judge = Effect.fn("dq.judge")(function* (data: Data, expectations: Expectations, setting: Setting) {
  const { outlier_sigma, spike_factor, spike_window_bars, failing_rows: limit } = setting.section.checks
  const ready = new Map<string, string>()
  if (data.has("timestamp") && data.has("close")) {
    ready.set(outlierRows(outlier_sigma), "_outlier").set(spikeRows(spike_factor, spike_window_bars), "_spike")
  }
  for (const [sql, table] of ready) yield* data.database.run(`CREATE TEMP TABLE ${table} AS ${sql}`)
  const judged = yield* Effect.forEach(rules(data, expectations, setting), (rule) => {
    const table = ready.get(rule.rows ?? "")
    return judgeOne(data, table === undefined ? rule : { ...rule, rows: `FROM ${table}` }, limit)
  })
  const flags = yield* measureFiles(data, expectations, setting)
  const findings = [judgeLines(data, limit), ...judged, ...judgeFlags(flags, setting)]
  const failed = findings.filter(({ result }) => !result.passed)
  const fails = failed.some(({ result }) => result.severity === "error" || setting.section.strict)
  return {
    verdict: fails ? "FAILED" : failed.length > 0 ? "WARNED" : "PASSED",
    findings,
    flags,
  } satisfies Judgement as Judgement
})
