import { assert, describe, it } from "@effect/vitest"
import { safeguards, weakenings } from "../../src/compiler/plan-diff-safeguards.ts"
import type { PlanSide } from "../../src/compiler/plan-side.ts"
import type { PlanTask } from "../../src/domain/plan.ts"
import { type Beside, released, side, task } from "./plan-sides.ts"

const { backtest, dq, publish, seed, train } = released
const all = [seed, dq, train, backtest, publish]

/** All tasks, these instead of those of the same id. */
const but = (...others: ReadonlyArray<PlanTask>) => all.map((each) => others.find(({ id }) => id === each.id) ?? each)
const without = (...ids: ReadonlyArray<string>) => all.filter(({ id }) => !ids.includes(id))

const policy = {
  gate: { sharpe: 1.2, max_drawdown: 0.12, trades_per_year: 150, halt_rate: 0.4, strict: true },
  non_inferiority: { sharpe_ratio: 0.95, drawdown_margin: 0.03 },
  bootstrap: { samples: 1_000, block_days: 10, confidence: 0.95 },
  stress: { volatility: [1.5, 2], correlation: [0], cost_bps: [10], latency_bars: [1], gap_percent: [1] },
}
const quality = {
  strict: true,
  flags: { missing: 0.05, outlier: 0.02, spike: 0.01 },
  checks: { max_gap: "72h", spike_factor: 12, outlier_sigma: 8 },
}
const config = { backtest_policy: policy, dq: quality, retention: { logs_days: 90, audit_years: 5 } }
const expectations = {
  min_rows: 400,
  max_missing_rate: 0.1,
  required_columns: ["timestamp", "close"],
  column_ranges: { close: [0.5, 2], volume: [1, null] },
  checks: [
    { check: "ordered", severity: "error" },
    { check: "finite", columns: ["open", "close"] },
    { check: "spike", severity: "error", factor: 10 },
    { check: "allowed_values", column: "side", values: ["buy", "sell"] },
    { check: "regex", column: "id", pattern: "^a" },
    { check: "sql", name: "no weekend", query: "SELECT * FROM data WHERE weekend" },
  ],
}
const full: Beside = { config, files: { "e.yaml": expectations } }
const old = side(all, full)
const withPolicy = (change: object) =>
  side(all, { ...full, config: { ...config, backtest_policy: { ...policy, ...change } } })
const withQuality = (change: object) => side(all, { ...full, config: { ...config, dq: { ...quality, ...change } } })
const withChecks = (change: object) => side(all, { ...full, files: { "e.yaml": { ...expectations, ...change } } })
const checksBut = (index: number, change: object) =>
  withChecks({ checks: expectations.checks.map((check, i) => (i === index ? { ...check, ...change } : check)) })
const tasked = (...tasks: ReadonlyArray<PlanTask>) => side(tasks, full)
const approved = (approval: NonNullable<PlanTask["approval"]>) =>
  tasked(...but(task("publish", { ...publish, approval })))
const bypass = {
  ...publish,
  needs: ["backtest", "train"],
  with: { ...publish.with, model: "${{ tasks.train.model }}" },
}

const lint = { name: "lint", argv: ["oxlint"] }
const checking = (...checks: ReadonlyArray<object>) =>
  tasked(...all, task("code", { type: "release-gate", effects: "idempotent", with: { checks } }))

interface Case {
  readonly rule: string
  readonly what: string
  readonly place: string
  readonly old?: PlanSide
  readonly next: PlanSide
}

const cases: ReadonlyArray<Case> = [
  {
    rule: "release-checks",
    what: "a check of the code that is gone",
    place: "tasks.code.with.checks.lint",
    old: checking({ name: "tests", argv: ["test"] }, lint),
    next: checking({ name: "tests", argv: ["test"] }),
  },
  {
    rule: "release-checks",
    what: "a check of the code that only warns",
    place: "tasks.code.with.checks.lint.severity",
    old: checking(lint),
    next: checking({ ...lint, severity: "warn" }),
  },
  {
    rule: "release-checks",
    what: "a check of the code by another program",
    place: "tasks.code.with.checks.lint.argv",
    old: checking(lint),
    next: checking({ ...lint, argv: ["true"] }),
  },
  {
    rule: "audit",
    what: "an audit that is lowered",
    place: "audit",
    next: side(all, { ...full, plan: { audit: "best-effort" } }),
  },
  {
    rule: "strict",
    what: "strict switched off",
    place: "tasks.publish.with.strict",
    next: tasked(...but({ ...publish, with: { model: publish.with.model } })),
  },
  {
    rule: "approval-removed",
    what: "an approval that is gone",
    place: "tasks.publish.approval",
    old: approved({ approvers: 2 }),
    next: old,
  },
  {
    rule: "approvers",
    what: "fewer approvers",
    place: "tasks.publish.approval.approvers",
    old: approved({ approvers: 2 }),
    next: approved({ approvers: 1 }),
  },
  {
    rule: "approval-timeout",
    what: "an approval that leaves its task out when nobody answers",
    place: "tasks.publish.approval.onTimeout",
    old: approved({ approvers: 1 }),
    next: approved({ approvers: 1, onTimeout: "skip" }),
  },
  { rule: "gate-removed", what: "a gate that is gone", place: "tasks.dq", next: tasked(...without("dq")) },
  {
    rule: "gate-removed",
    what: "a task that is no gate any more",
    place: "tasks.dq",
    next: tasked(...but({ ...dq, type: "command" })),
  },
  {
    rule: "gate-not-awaited",
    what: "a task that no longer waits for a gate",
    place: "tasks.publish",
    next: tasked(...but({ ...publish, needs: ["train"], with: { ...publish.with, model: "m" } })),
  },
  {
    rule: "gate-bypassed",
    what: "a way round a gate that is still waited for",
    place: "tasks.publish",
    next: tasked(...but(bypass)),
  },
  {
    rule: "gate-overruled",
    what: "a condition that lets a task start after a gate has failed",
    place: "tasks.publish.if",
    next: tasked(...but({ ...publish, if: "params.force" })),
  },
  {
    rule: "gate-failure-ignored",
    what: "continueOnError on a gate",
    place: "tasks.dq.continueOnError",
    next: tasked(...but({ ...dq, continueOnError: true })),
  },
  {
    rule: "expectations",
    what: "a check that is gone",
    place: "e.yaml: ordered",
    next: withChecks({ checks: expectations.checks.slice(1) }),
  },
  {
    rule: "expectations",
    what: "an error that became a warning",
    place: "e.yaml: ordered.severity",
    next: checksBut(0, { severity: "warn" }),
  },
  {
    rule: "expectations",
    what: "a column that is not checked any more",
    place: "e.yaml: finite(close)",
    next: checksBut(1, { columns: ["open"] }),
  },
  {
    rule: "expectations",
    what: "a wider threshold",
    place: "e.yaml: spike.factor",
    next: checksBut(2, { factor: 11 }),
  },
  {
    rule: "expectations",
    what: "a threshold left to a wider configuration",
    place: "e.yaml: spike.factor",
    next: checksBut(2, { factor: undefined }),
  },
  {
    rule: "expectations",
    what: "more allowed values",
    place: "e.yaml: allowed_values(side).values",
    next: checksBut(3, { values: ["buy", "sell", "hold"] }),
  },
  {
    rule: "expectations",
    what: "another pattern",
    place: "e.yaml: regex(id).pattern",
    next: checksBut(4, { pattern: "." }),
  },
  {
    rule: "expectations",
    what: "another query",
    place: "e.yaml: sql no weekend.query",
    next: checksBut(5, { query: "SELECT 1 WHERE false" }),
  },
  { rule: "expectations", what: "fewer rows", place: "e.yaml: min_rows", next: withChecks({ min_rows: 1 }) },
  {
    rule: "expectations",
    what: "more missing values",
    place: "e.yaml: max_missing_rate",
    next: withChecks({ max_missing_rate: 0.2 }),
  },
  {
    rule: "expectations",
    what: "a column that is not required any more",
    place: "e.yaml: required_columns",
    next: withChecks({ required_columns: ["timestamp"] }),
  },
  {
    rule: "expectations",
    what: "a wider range",
    place: "e.yaml: column_ranges.close",
    next: withChecks({ column_ranges: { close: [0.5, null], volume: [1, null] } }),
  },
  {
    rule: "expectations",
    what: "a range that is gone",
    place: "e.yaml: column_ranges.volume",
    next: withChecks({ column_ranges: { close: [0.5, 2] } }),
  },
  {
    rule: "expectations",
    what: "expectations that cannot be read before the run",
    place: "tasks.dq.with.expectations",
    next: tasked(...but({ ...dq, with: { ...dq.with, expectations: "${{ params.file }}" } })),
  },
  {
    rule: "expectations",
    what: "a param's default that names looser expectations",
    place: "loose.yaml: min_rows",
    next: side(but({ ...dq, with: { ...dq.with, expectations: "${{ params.expected }}" } }), {
      config,
      files: { "loose.yaml": { ...expectations, min_rows: 1 } },
      plan: { params: { expected: { type: "string", default: "loose.yaml" } } },
    }),
  },
  {
    rule: "backtest-policy",
    what: "a lower Sharpe ratio",
    place: "backtest_policy.gate.sharpe",
    next: withPolicy({ gate: { ...policy.gate, sharpe: 1.1 } }),
  },
  {
    rule: "backtest-policy",
    what: "a deeper drawdown",
    place: "backtest_policy.gate.max_drawdown",
    next: withPolicy({ gate: { ...policy.gate, max_drawdown: 0.2 } }),
  },
  {
    rule: "backtest-policy",
    what: "strict switched off in the policy",
    place: "backtest_policy.gate.strict",
    next: withPolicy({ gate: { ...policy.gate, strict: false } }),
  },
  {
    rule: "backtest-policy",
    what: "a stress that is not tried any more",
    place: "backtest_policy.stress.volatility",
    next: withPolicy({ stress: { ...policy.stress, volatility: [1.5] } }),
  },
  {
    rule: "dq",
    what: "a longer gap",
    place: "dq.checks.max_gap",
    next: withQuality({ checks: { ...quality.checks, max_gap: "4d" } }),
  },
  {
    rule: "dq",
    what: "a higher share of missing rows",
    place: "dq.flags.missing",
    next: withQuality({ flags: { ...quality.flags, missing: 0.1 } }),
  },
  {
    rule: "retention",
    what: "a shorter retention",
    place: "retention.audit_years",
    next: side(all, { ...full, config: { ...config, retention: { logs_days: 90, audit_years: 1 } } }),
  },
  {
    rule: "retention",
    what: "a shorter retention of runs",
    place: "retention.runs.succeeded",
    old: side(all, { ...full, config: { ...config, retention: { runs: { succeeded: "730d", at_least: 100 } } } }),
    next: side(all, { ...full, config: { ...config, retention: { runs: { succeeded: "17w", at_least: 100 } } } }),
  },
  {
    rule: "durability",
    what: "a record that is flushed later",
    place: "ledger",
    next: side(all, { ...full, config: { ...config, ledger: { durability: "batched", flushInterval: "1s" } } }),
  },
  {
    rule: "durability",
    what: "a longer flush interval",
    place: "ledger",
    old: side(all, { ...full, config: { ...config, ledger: { durability: "batched", flushInterval: "1s" } } }),
    next: side(all, { ...full, config: { ...config, ledger: { durability: "batched", flushInterval: "2s" } } }),
  },
]

const placesOf = (from: PlanSide, to: PlanSide) => weakenings(from, to).map(({ place, rule }) => `${rule} at ${place}`)

describe("a weaker safeguard", () => {
  for (const { next, old: from = old, place, rule, what } of cases) {
    it(`is ${what} (${rule})`, () => {
      assert.include(placesOf(from, next), `${rule} at ${place}`)
    })

    it(`is not the way back from ${what} (${rule})`, () => {
      const back = placesOf(next, from)
      // Another text of a query or a pattern, and another program, may be weaker either way: they count as weaker both times.
      if (/pattern|query|argv/.test(place)) assert.include(back, `${rule} at ${place}`)
      else assert.notInclude(back, `${rule} at ${place}`)
    })
  }

  it("has a case here for every rule", () => {
    assert.deepStrictEqual(
      [...new Set(cases.map(({ rule }) => rule))].toSorted(),
      safeguards.map(({ name }) => name).toSorted(),
    )
  })

  it("is none where nothing changed", () => {
    assert.deepStrictEqual(weakenings(old, side(all, full)), [])
  })

  it("is none in a gate that only got another name", () => {
    const quality = { ...dq, id: "quality" }
    const next = { ...train, needs: ["quality"], with: { dataset: "${{ tasks.quality.dataset }}" } }
    assert.deepStrictEqual(weakenings(old, tasked(seed, quality, next, backtest, publish)), [])
  })

  it("is none in a policy that no gate of the pipeline reads", () => {
    const tasks = [seed, task("tell")]
    const looser = { ...config, dq: { ...quality, strict: false } }
    assert.deepStrictEqual(weakenings(side(tasks, { config }), side(tasks, { config: looser })), [])
  })

  it("is none in a condition that asks for the gate's own verdict", () => {
    const next = { ...publish, if: 'tasks.backtest.status == "succeeded"' }
    assert.deepStrictEqual(weakenings(old, tasked(...but(next))), [])
  })

  it("is none in a check of every column instead of one", () => {
    const checks = expectations.checks.map((check, i) => (i === 1 ? { check: "finite" } : check))
    assert.deepStrictEqual(weakenings(old, withChecks({ checks })), [])
  })
})
