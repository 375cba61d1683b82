import { type PlanSide, usualValue } from "./plan-side.ts"
import { type Safeguard, type Weakness, pairedGates } from "./safeguard.ts"
import { at, isWeaker } from "./safeguards-of-config.ts"
import { isFields, same } from "./value-diff.ts"

type Fields = Readonly<Record<string, unknown>>

/** One check of one column, or of one list of columns where they are judged together. */
interface Unit {
  readonly key: string
  readonly label: string
  readonly check: Fields
}

/** Columns of bars: what a check looks at that names none. */
const barColumns = ["timestamp", "open", "high", "low", "close", "volume"]
const together = ["unique", "conflict"]

const unitsOf = (expectations: Fields): ReadonlyArray<Unit> => {
  const checks = Array.isArray(expectations.checks) ? expectations.checks.filter(isFields) : []
  return checks.flatMap((check) => {
    const kind = String(check.check)
    const unit = (column: string): Unit => ({
      key: `${kind}(${column})`,
      label: column === "*" ? kind : `${kind}(${column})`,
      check,
    })
    if (kind === "sql") return [{ key: `sql(${String(check.name)})`, label: `sql ${String(check.name)}`, check }]
    if (together.includes(kind))
      return [unit((Array.isArray(check.columns) ? check.columns : ["timestamp"]).join(", "))]
    if (Array.isArray(check.columns)) return check.columns.map((column) => unit(String(column)))
    return [unit(typeof check.column === "string" ? check.column : "*")]
  })
}

/** What a check leaves to the configuration, and what else it takes where it says nothing. */
const defaults = (check: Fields, { config }: PlanSide): Fields => {
  const section = config.dq
  const own: Readonly<Record<string, Fields>> = {
    max_gap: { max: at(section, "checks.max_gap") },
    spike: { factor: at(section, "checks.spike_factor"), max_rate: 0 },
    outlier: { sigma: at(section, "checks.outlier_sigma"), max_rate: 0 },
    stale: { repeats: 1, max_rate: 0 },
  }
  return { severity: "error", ...own[String(check.check)], ...check }
}

/** Values that only grow as a check gets weaker; of the rest any change replaces the check. */
const limits = ["max", "factor", "sigma", "max_rate", "repeats"]
const replaced = ["type", "pattern", "query"]

/** Where the newer form of a check is weaker; empty where it is not. */
const loosened = (was: Fields, now: Fields, label: string): ReadonlyArray<Weakness> => {
  const found = (key: string): Weakness => ({
    place: `${label}.${key}`,
    old: was[key],
    ...(now[key] === undefined ? {} : { new: now[key] }),
  })
  const severity = was.severity !== "warn" && now.severity === "warn" ? [found("severity")] : []
  const wider = limits.filter((key) => isWeaker("higher", was[key], now[key])).map(found)
  const other = replaced.filter((key) => was[key] !== undefined && !same(was[key], now[key])).map(found)
  const [before, after] = [was.values, now.values]
  const more =
    Array.isArray(before) && Array.isArray(after) && after.some((value) => !before.includes(value))
      ? [found("values")]
      : []
  return [...severity, ...wider, ...other, ...more]
}

const checksLoosened = (old: PlanSide, next: PlanSide, was: Fields, now: Fields): ReadonlyArray<Weakness> => {
  const there = unitsOf(now)
  return unitsOf(was).flatMap(({ key, label, check }) => {
    const [kind, column = ""] = key.slice(0, -1).split("(")
    const bar = barColumns.includes(column) ? `${kind}(*)` : key
    const candidates = there.filter((unit) => unit.key === key || unit.key === bar)
    if (candidates.length === 0) return [{ place: label, old: check }]
    const each = candidates.map((unit) => loosened(defaults(check, old), defaults(unit.check, next), label))
    return each.some((found) => found.length === 0) ? [] : (each[0] ?? [])
  })
}

/** True when a range lets more through. */
const isWider = (was: unknown, now: unknown): boolean => {
  if (!Array.isArray(was)) return false
  if (!Array.isArray(now)) return true
  const ends = ([low, high]: ReadonlyArray<unknown>): readonly [number, number] => [
    typeof low === "number" ? low : -Infinity,
    typeof high === "number" ? high : Infinity,
  ]
  const [[low, high], [newLow, newHigh]] = [ends(was), ends(now)]
  return newLow < low || newHigh > high
}

const boundsLoosened = (was: Fields, now: Fields): ReadonlyArray<Weakness> => {
  const found = (place: string, old: unknown, next: unknown): Weakness => ({
    place,
    old,
    ...(next === undefined ? {} : { new: next }),
  })
  const plain = (["min_rows", "max_missing_rate"] as const)
    .filter((key) => isWeaker(key === "min_rows" ? "lower" : "higher", was[key], now[key]))
    .map((key) => found(key, was[key], now[key]))
  const columns = isWeaker("fewer", was.required_columns, now.required_columns)
    ? [found("required_columns", was.required_columns, now.required_columns)]
    : []
  const [before, after] = [was.column_ranges, now.column_ranges]
  const ranges = Object.entries(isFields(before) ? before : {}).flatMap(([column, range]) => {
    const other = isFields(after) ? after[column] : undefined
    return isWider(range, other) ? [found(`column_ranges.${column}`, range, other)] : []
  })
  return [...plain, ...columns, ...ranges]
}

/** The rule about what data-quality gates expect: the file that a gate's input names as `expectations`. */
export const checkSafeguards: ReadonlyArray<Safeguard> = [
  {
    name: "expectations",
    why: "the gate expects less of the data",
    find: (old, next) =>
      pairedGates(old, next).flatMap(({ was, task }) => {
        const path = usualValue(old.plan, was.with.expectations)
        const newPath = usualValue(next.plan, task.with.expectations)
        const before = typeof path === "string" ? old.files.get(path) : undefined
        if (!isFields(before)) return []
        const after = typeof newPath === "string" ? next.files.get(newPath) : undefined
        const place = `tasks.${task.id}.with.expectations`
        if (!isFields(after)) return [{ place, old: path, new: newPath ?? null }]
        return [...boundsLoosened(before, after), ...checksLoosened(old, next, before, after)].map((found) => ({
          ...found,
          place: `${String(newPath)}: ${found.place}`,
        }))
      }),
  },
]
