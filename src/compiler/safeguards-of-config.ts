import { parseDuration } from "../domain/quantity.ts"
import * as Ledger from "../domain/config/ledger.ts"
import { RunRetention } from "../domain/config/retention.ts"
import { sections } from "../domain/config/sections.ts"
import { type PlanSide } from "./plan-side.ts"
import { type Safeguard, type Weakness } from "./safeguard.ts"
import { isFields, same } from "./value-diff.ts"

/** Which way a value of the configuration makes its gate weaker. */
type Weaker = "lower" | "higher" | "off" | "fewer"

/** Values of the configuration that decide what gates let through, by section and path. */
const thresholds: Readonly<Record<string, Readonly<Record<string, Weaker>>>> = {
  backtest_policy: {
    "gate.sharpe": "lower",
    "gate.max_drawdown": "higher",
    "gate.trades_per_year": "lower",
    "gate.halt_rate": "higher",
    "gate.strict": "off",
    "non_inferiority.sharpe_ratio": "lower",
    "non_inferiority.drawdown_margin": "higher",
    "bootstrap.samples": "lower",
    "bootstrap.confidence": "lower",
    "stress.volatility": "fewer",
    "stress.correlation": "fewer",
    "stress.cost_bps": "fewer",
    "stress.latency_bars": "fewer",
    "stress.gap_percent": "fewer",
  },
  dq: {
    strict: "off",
    "flags.missing": "higher",
    "flags.outlier": "higher",
    "flags.spike": "higher",
    "checks.max_gap": "higher",
    "checks.spike_factor": "higher",
    "checks.outlier_sigma": "higher",
  },
}

/** Everything that says how long something is kept: shorter is weaker. */
const kept: Readonly<Record<string, Weaker>> = Object.fromEntries(
  Object.keys(sections.retention.fields)
    .flatMap((key) => (key === "runs" ? Object.keys(RunRetention.fields).map((name) => `runs.${name}`) : [key]))
    .map((key) => [key, "lower" as const]),
)

/** A number, or a duration's milliseconds. */
const measure = (value: unknown): number | undefined =>
  typeof value === "number" ? value : typeof value === "string" ? parseDuration(value) : undefined

/** True when a value became weaker. One that is gone is. */
export const isWeaker = (way: Weaker, old: unknown, next: unknown): boolean => {
  if (old === undefined || same(old, next)) return false
  if (next === undefined) return way !== "off" || old === true
  if (way === "off") return old === true
  if (way === "fewer") {
    return Array.isArray(old) && Array.isArray(next) && old.some((item) => !next.some((other) => same(item, other)))
  }
  const [was, now] = [measure(old), measure(next)]
  return was === undefined || now === undefined || (way === "lower" ? now < was : now > was)
}

/** The value at a path of dots; undefined where there is none. */
export const at = (value: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((inner, key) => (isFields(inner) ? inner[key] : undefined), value)

const compared = (
  section: string,
  ways: Readonly<Record<string, Weaker>>,
  old: PlanSide,
  next: PlanSide,
): ReadonlyArray<Weakness> => {
  const [before, after] = [old.config[section], next.config[section]]
  if (before === undefined || after === undefined) return []
  return Object.entries(ways).flatMap(([path, way]) => {
    const [was, now] = [at(before, path), at(after, path)]
    return isWeaker(way, was, now)
      ? [{ place: `${section}.${path}`, old: was, ...(now === undefined ? {} : { new: now }) }]
      : []
  })
}

/** True when a gate of either side reads the section. */
const judgesBy = (section: string, ...sides: ReadonlyArray<PlanSide>): boolean =>
  sides.some(({ gates, plan, reads }) =>
    plan.tasks.some(({ id, type }) => gates.has(id) && reads.get(type)?.includes(section) === true),
  )

/** Milliseconds of acknowledged events that a crash may take; a configuration without the section says what is usual. */
const lossWindow = ({ config }: PlanSide): number => {
  const { durability = Ledger.usual.durability, flushInterval } = isFields(config.ledger) ? config.ledger : {}
  return durability === "fsync" ? 0 : (measure(flushInterval) ?? 0)
}

/** Rules about the configuration that gates and purges go by. */
export const configSafeguards: ReadonlyArray<Safeguard> = [
  ...Object.entries(thresholds).map(([section, ways]) => ({
    name: section.replace("_", "-"),
    why: "the gate lets more through",
    find: (old: PlanSide, next: PlanSide) => (judgesBy(section, old, next) ? compared(section, ways, old, next) : []),
  })),
  {
    name: "retention",
    why: "records or bytes are kept for a shorter time",
    find: (old, next) => compared("retention", kept, old, next),
  },
  {
    name: "durability",
    why: "a crash may take more of the record",
    find: (old, next) => {
      const [was, now] = [lossWindow(old), lossWindow(next)]
      return now > was ? [{ place: "ledger", old: old.config.ledger ?? Ledger.usual, new: next.config.ledger }] : []
    },
  },
]
