/** The checks as SQL over `bars` (as written) and `data` (as numbers): each names the rows that fail it. */
import type { DqSection } from "../../src/domain/config/dq.ts"
import { formatDuration, parseDuration } from "../../src/domain/quantity.ts"
import { identifier, literal } from "../../src/services/duckdb.ts"
import { type Data, isMissing, isoText, numberOf, sideBySide, written } from "./data.ts"
import { type Check, type Expectations, usual } from "./expectations.ts"

/**
 * A check that is ready to run. `rows`: SQL that gives `_position` and `detail` of each failing row. `free`: SQL whose rows
 * fail as they are. `groups`: SQL that gives `_symbol`, `observed` and `failed` per symbol. `missing`: a column that it needs
 * and that is not there. `observed`: SQL for the observed value, else the share of rows that fail.
 */
export interface Rule {
  readonly name: string
  readonly severity: "error" | "warn"
  readonly threshold: string
  readonly rows?: string
  readonly free?: string
  readonly groups?: string
  readonly missing?: string
  readonly observed?: string
  readonly maxRate?: number
}

/** What the rules take from the configuration and the input. `asOf`: the time that freshness is measured at, in UTC. */
export interface Setting {
  readonly section: DqSection
  readonly asOf: string | undefined
}

const millis = (text: string) => parseDuration(text) ?? 0
const atMost = (rate: number) => (rate === 0 ? "no row" : `at most ${rate * 100} % of the rows`)
const key = (column: string) => (column === "timestamp" ? "_ts" : identifier(column))
const hours = (millis: string) => `CAST(round((${millis}) / 3600000.0, 2) AS VARCHAR) || ' h'`

/** Rows whose |Δclose| is more than `factor` times the median of the `window` changes before; from 20 changes on. */
export const spikeRows = (factor: number, window: number): string => `SELECT _position,
    'close moved by ' || round(change, 6) || ', ' || round(change / usual, 1) || ' times the median of the ' || seen || ' changes before' AS detail
  FROM (SELECT *, median(change) OVER before AS usual, count(change) OVER before AS seen
    FROM (SELECT _position, _symbol, _ts, abs(close - lag(close) OVER (PARTITION BY _symbol ORDER BY _ts, _position)) AS change
      FROM data WHERE isfinite(close) AND _ts IS NOT NULL)
    WINDOW before AS (PARTITION BY _symbol ORDER BY _ts, _position ROWS BETWEEN ${window} PRECEDING AND 1 PRECEDING))
  WHERE seen >= ${Math.min(20, window)} AND usual > 0 AND change > ${factor} * usual`

/** Rows whose return lies more than `sigma` standard deviations from the symbol's mean. */
export const outlierRows = (sigma: number): string => `SELECT _position,
    'return ' || round(r, 6) || ' is ' || round(abs(r - mean) / deviation, 1) || ' standard deviations from the mean' AS detail
  FROM (SELECT *, avg(r) OVER (PARTITION BY _symbol) AS mean, stddev_samp(r) OVER (PARTITION BY _symbol) AS deviation
    FROM (SELECT _position, _symbol, close / nullif(lag(close) OVER (PARTITION BY _symbol ORDER BY _ts, _position), 0) - 1 AS r
      FROM data WHERE isfinite(close) AND _ts IS NOT NULL))
  WHERE deviation > 0 AND abs(r - mean) > ${sigma} * deviation`

/**
 * All stretches without a bar: between two bars of a symbol, before its first bar where another symbol begins earlier, and
 * after its last where another goes on. `_position` is the bar after the stretch, or the last bar.
 */
const gapRows = `SELECT _position, _symbol, lag(_ts) OVER (PARTITION BY _symbol ORDER BY _ts, _position) AS since, _ts AS until, '' AS why FROM data WHERE _ts IS NOT NULL
  UNION ALL SELECT arg_min(_position, _ts), _symbol, (SELECT min(_ts) FROM data), min(_ts), ', where another symbol has bars' FROM data WHERE _ts IS NOT NULL GROUP BY _symbol
  UNION ALL SELECT arg_max(_position, _ts), _symbol, max(_ts), (SELECT max(_ts) FROM data), ', where another symbol has bars' FROM data WHERE _ts IS NOT NULL GROUP BY _symbol`

const staleRows = (data: Data, repeats: number) => {
  const columns = ["open", "high", "low", "close", "volume"].filter(data.has).map(identifier)
  const same = columns.map((column) => `${column} IS NOT DISTINCT FROM lag(${column}) OVER series`).join(" AND ")
  return `SELECT _position, 'the same bar as the ' || run || ' before it' AS detail
    FROM (SELECT *, row_number() OVER (PARTITION BY _symbol, block ORDER BY _ts, _position) - 1 AS run
      FROM (SELECT *, sum(CASE WHEN same THEN 0 ELSE 1 END) OVER (PARTITION BY _symbol ORDER BY _ts, _position) AS block
        FROM (SELECT _position, _symbol, _ts, (${same}) AND _ts > lag(_ts) OVER series AND close IS NOT NULL AS same
          FROM data WHERE _ts IS NOT NULL WINDOW series AS (PARTITION BY _symbol ORDER BY _ts, _position))))
    WHERE run >= ${repeats}`
}

const typeRows = (data: Data, column: string, type: "number" | "integer" | "boolean" | "timestamp") => {
  const raw = `bars.${identifier(column)}`
  const number = numberOf(data, column)
  const wrong = {
    number: `${number} IS NULL`,
    integer: `(${number} IS NULL OR ${number} <> floor(${number}))`,
    boolean: `TRY_CAST(CAST(${raw} AS VARCHAR) AS BOOLEAN) IS NULL`,
    timestamp: column === "timestamp" ? "bars._ts IS NULL" : `TRY_CAST(CAST(${raw} AS VARCHAR) AS TIMESTAMPTZ) IS NULL`,
  }[type]
  const present = column === "timestamp" ? "true" : `NOT ${isMissing(data, column)}`
  return `SELECT bars._position, ${literal(column)} || ' is ' || ${written(column)} AS detail ${sideBySide} WHERE ${present} AND ${wrong}`
}

const ohlcRows = `SELECT _position, detail FROM (SELECT _position, CASE
    WHEN high < low THEN 'high ' || high || ' is below low ' || low
    WHEN high < open OR high < close THEN 'high ' || high || ' is below open ' || open || ' or close ' || close
    WHEN low > open OR low > close THEN 'low ' || low || ' is above open ' || open || ' or close ' || close
    WHEN least(open, high, low, close) <= 0 THEN 'a price is not above 0' END AS detail
  FROM data WHERE isfinite(open) AND isfinite(high) AND isfinite(low) AND isfinite(close)) WHERE detail IS NOT NULL`

const rulesOf = (data: Data, check: Check, { asOf, section }: Setting): ReadonlyArray<Rule> => {
  const severity = check.severity ?? "error"
  const base = { severity }
  const needing = (columns: ReadonlyArray<string>, rule: Rule): ReadonlyArray<Rule> => {
    const missing = columns.find((column) => !data.has(column))
    return [missing === undefined ? rule : { name: rule.name, severity, threshold: rule.threshold, missing }]
  }
  const over = (given: ReadonlyArray<string> | undefined, own: ReadonlyArray<string>, make: (column: string) => Rule) =>
    (given ?? own).flatMap((column) => needing([column], make(column)))
  const named = (column: string) => `${check.name ?? check.check}(${column})`
  const name = check.name ?? check.check
  switch (check.check) {
    case "type":
      return over(check.columns, [...(data.has("timestamp") ? ["timestamp"] : []), ...data.numeric], (column) => {
        const type = check.type ?? (column === "timestamp" ? "timestamp" : "number")
        return {
          ...base,
          name: named(column),
          threshold: `every value is a ${type}`,
          rows: typeRows(data, column, type),
        }
      })
    case "finite":
      return over(check.columns, data.numeric, (column) => ({
        ...base,
        name: named(column),
        threshold: "no NaN, no infinity",
        rows: `SELECT bars._position, ${literal(column)} || ' is ' || ${written(column)} AS detail ${sideBySide} WHERE NOT isfinite(${numberOf(data, column)})`,
      }))
    case "unique": {
      const columns = check.columns ?? ["timestamp"]
      const keys = columns.map(key)
      return needing(columns, {
        ...base,
        name: `${name}(${columns.join(", ")})`,
        threshold: "each key once",
        rows: `SELECT _position, 'the same ${columns.join(", ").replaceAll("'", "''")} as in row ' || first AS detail
          FROM (SELECT _position, row_number() OVER same AS n, first_value(_row) OVER same AS first FROM data
            WHERE ${keys.map((each) => `${each} IS NOT NULL`).join(" AND ")}
            WINDOW same AS (PARTITION BY _symbol, ${keys.join(", ")} ORDER BY _position)) WHERE n > 1`,
      })
    }
    case "ordered": {
      const column = check.column ?? "timestamp"
      const value = column === "timestamp" ? isoText("previous") : "previous"
      return needing([column], {
        ...base,
        name: `${name}(${column})`,
        threshold: "never below the row before",
        rows: `SELECT _position, 'comes after ' || ${value} AS detail FROM (SELECT _position, ${key(column)} AS v,
          lag(${key(column)}) OVER (PARTITION BY _symbol ORDER BY _position) AS previous FROM data WHERE ${key(column)} IS NOT NULL) WHERE v < previous`,
      })
    }
    case "max_gap": {
      const max = check.max ?? section.checks.max_gap
      return needing(["timestamp"], {
        ...base,
        name,
        threshold: `at most ${formatDuration(millis(max))}`,
        rows: `SELECT _position, 'nothing from ' || ${isoText("since")} || ' to ' || ${isoText("until")} || ', ' || ${hours("until - since")} || why AS detail FROM (${gapRows}) WHERE until - since > ${millis(max)}`,
        observed: `SELECT coalesce('longest ' || ${hours("max(until - since)")} || max_by(CASE WHEN _symbol = '' THEN '' ELSE ', ' || _symbol || ' from ' || ${isoText("since")} END, until - since), 'no gap') FROM (${gapRows})`,
      })
    }
    case "ohlc_consistent":
      return needing(["open", "high", "low", "close"], {
        ...base,
        name,
        threshold: "0 < low <= open, close <= high",
        rows: ohlcRows,
      })
    case "allowed_values": {
      const values = check.values.map((value) => literal(String(value))).join(", ")
      const numbers = check.values.filter((value) => typeof value === "number")
      const text = `CAST(bars.${identifier(check.column)} AS VARCHAR)`
      const equalNumber =
        numbers.length === 0 ? "false" : `coalesce(TRY_CAST(${text} AS DOUBLE) IN (${numbers.join(", ")}), false)`
      return needing([check.column], {
        ...base,
        name: named(check.column),
        threshold: `one of ${check.values.join(", ")}`,
        rows: `SELECT _position, 'is ' || ${written(check.column)} AS detail FROM bars WHERE ${text} NOT IN (${values}) AND NOT ${equalNumber}`,
      })
    }
    case "regex":
      return needing([check.column], {
        ...base,
        name: named(check.column),
        threshold: `matches ${check.pattern}`,
        rows: `SELECT _position, 'is ' || ${written(check.column)} AS detail FROM bars WHERE NOT regexp_matches(CAST(bars.${identifier(check.column)} AS VARCHAR), ${literal(check.pattern)})`,
      })
    case "freshness": {
      const at = `epoch_ms(CAST(${literal(check.as_of ?? asOf ?? "")} AS TIMESTAMPTZ))`
      return needing(["timestamp"], {
        ...base,
        name,
        threshold: `at most ${formatDuration(millis(check.max))} old`,
        groups: `SELECT _symbol, coalesce('newest ' || ${isoText("max(_ts)")} || ', ' || ${hours(`${at} - max(_ts)`)} || ' old', 'no bar') AS observed,
          coalesce(${at} - max(_ts) > ${millis(check.max)}, true) AS failed FROM data GROUP BY _symbol ORDER BY _symbol`,
      })
    }
    case "spike": {
      const factor = check.factor ?? section.checks.spike_factor
      const window = check.window ?? section.checks.spike_window_bars
      const maxRate = check.max_rate ?? 0
      return needing(["timestamp", "close"], {
        ...base,
        name,
        maxRate,
        threshold: `${atMost(maxRate)} beyond ${factor} × median(|Δclose|, ${window})`,
        rows: spikeRows(factor, window),
      })
    }
    case "outlier": {
      const sigma = check.sigma ?? section.checks.outlier_sigma
      const maxRate = check.max_rate ?? 0
      return needing(["timestamp", "close"], {
        ...base,
        name,
        maxRate,
        threshold: `${atMost(maxRate)} beyond ±${sigma}σ`,
        rows: outlierRows(sigma),
      })
    }
    case "stale": {
      const maxRate = check.max_rate ?? 0
      return needing(["timestamp", "close"], {
        ...base,
        name,
        maxRate,
        threshold: `${atMost(maxRate)} repeats the bar before`,
        rows: staleRows(data, check.repeats ?? 1),
      })
    }
    case "conflict": {
      const columns = check.columns ?? ["timestamp"]
      const keys = columns.map(key)
      const others = [...data.loaded.columns.keys()].filter((column) => !columns.includes(column)).map(identifier)
      return needing(columns, {
        ...base,
        name: `${name}(${columns.join(", ")})`,
        threshold: "rows of one key are equal",
        rows: `SELECT _position, 'other values than row ' || first || ' with the same key' AS detail FROM data JOIN
          (SELECT _symbol, ${keys.join(", ")}, min(_row) AS first FROM data WHERE ${keys.map((each) => `${each} IS NOT NULL`).join(" AND ")}
            GROUP BY _symbol, ${keys.join(", ")} HAVING count(DISTINCT row(${others.length === 0 ? "0" : others.join(", ")})) > 1) USING (_symbol, ${keys.join(", ")})`,
      })
    }
    case "sql":
      return [{ ...base, name: check.name, threshold: "the query returns no row", free: check.query }]
  }
}

const range = ([min, max]: readonly [number | null, number | null]) => `${min ?? "−∞"} to ${max ?? "∞"}`

/** All rules of an expectations file, the runbook's keys first. */
export const rules = (data: Data, expectations: Expectations, setting: Setting): ReadonlyArray<Rule> => {
  const required = expectations.required_columns ?? []
  const list: Array<Rule> = []
  for (const column of required) {
    if (!data.has(column))
      list.push({ name: `required_columns(${column})`, severity: "error", threshold: "is there", missing: column })
  }
  const { min_rows: least, max_missing_rate: most } = expectations
  if (least !== undefined) {
    list.push({
      name: "min_rows",
      severity: "error",
      threshold: `at least ${least}`,
      groups: `SELECT s AS _symbol, count(_position) AS observed, count(_position) < ${least} AS failed
        FROM (SELECT DISTINCT _symbol AS s FROM data UNION SELECT '' WHERE (SELECT count(*) FROM data) = 0) LEFT JOIN data ON s = _symbol GROUP BY s ORDER BY s`,
    })
  }
  if (most !== undefined) {
    for (const column of required.filter(data.has)) {
      const rows = `SELECT bars._position, ${literal(column)} || ' is missing' AS detail ${sideBySide} WHERE ${isMissing(data, column)}`
      list.push({
        name: `max_missing_rate(${column})`,
        severity: "error",
        threshold: atMost(most),
        rows,
        maxRate: most,
      })
    }
  }
  for (const [column, limits] of Object.entries(expectations.column_ranges ?? {})) {
    const [min, max] = limits
    const value = identifier(column)
    const outside = [
      ...(min === null ? [] : [`${value} < ${min}`]),
      ...(max === null ? [] : [`${value} > ${max}`]),
    ].join(" OR ")
    const rule = { name: `column_ranges(${column})`, severity: "error" as const, threshold: range(limits) }
    list.push(
      data.has(column)
        ? {
            ...rule,
            rows: `SELECT _position, ${literal(column)} || ' is ' || ${value} AS detail FROM data WHERE NOT isnan(${value}) AND (${outside || "false"})`,
            observed: `SELECT coalesce(min(${value}) || ' to ' || max(${value}), 'no value') FROM data WHERE isfinite(${value})`,
          }
        : { ...rule, missing: column },
    )
  }
  const own =
    expectations.checks ??
    usual.filter((check) =>
      check.check === "type" || check.check === "finite"
        ? true
        : data.has("timestamp") &&
          (check.check !== "ohlc_consistent" || ["open", "high", "low", "close"].every(data.has)) &&
          (["unique", "ordered", "max_gap", "ohlc_consistent"].includes(check.check) || data.has("close")),
    )
  return [...list, ...own.flatMap((check) => rulesOf(data, check, setting))]
}
