import { assert, describe, it } from "@effect/vitest"
import * as PlanDiff from "../../src/compiler/plan-diff.ts"
import { takes } from "../../src/compiler/plan-side.ts"
import { type Beside, plan, released, side, task } from "./plan-sides.ts"

const { backtest, dq, publish, seed, train } = released
const all = [seed, dq, train, backtest, publish]
const tasksOf = (diff: PlanDiff.PlanDiff) => diff.tasks.map(({ change, id }) => `${change} ${id}`)

describe("a comparison of two plans", () => {
  it("of equal sides finds nothing", () => {
    const diff = PlanDiff.compare(side(all), side(all))
    assert.isFalse(PlanDiff.isChange(diff))
    assert.strictEqual(diff.from, diff.to)
  })

  it("without an older side finds everything new and nothing weaker", () => {
    const diff = PlanDiff.compare(undefined, side(all))
    assert.isTrue(PlanDiff.isChange(diff))
    assert.deepStrictEqual(tasksOf(diff), ["added seed", "added dq", "added train", "added backtest", "added publish"])
    assert.isUndefined(diff.from)
    assert.deepStrictEqual(diff.weaker, [])
  })

  it("tells tasks that came, that went and that are another, field by field", () => {
    const next = [seed, dq, { ...train, timeout: 60_000, with: { ...train.with, seed: 7 } }, backtest, task("extra")]
    const diff = PlanDiff.compare(side([...all, task("old")]), side(next))
    assert.deepStrictEqual(tasksOf(diff), ["changed train", "added extra", "removed publish", "removed old"])
    assert.deepStrictEqual(diff.tasks[0]?.fields, [
      { path: "timeout", new: 60_000 },
      { path: "with.seed", new: 7 },
    ])
  })

  it("compares whatever keys a plan and its tasks have, also ones of a later version", () => {
    const tasks = [task("a", { approval: { approvers: 2 } })]
    const next = [task("a", { approval: { approvers: 3 } })]
    const old: Beside = { plan: { schedule: { cron: "0 3 * * *" }, timeout: 1 } }
    const now: Beside = { plan: { schedule: { cron: "0 4 * * *" }, concurrency: { limit: 1 } } }
    const diff = PlanDiff.compare(side(tasks, old), side(next, now))
    assert.deepStrictEqual(diff.settings, [
      { path: "concurrency", new: { limit: 1 } },
      { path: "schedule.cron", old: "0 3 * * *", new: "0 4 * * *" },
      { path: "timeout", old: 1 },
    ])
    assert.deepStrictEqual(diff.tasks[0]?.fields, [{ path: "approval.approvers", old: 2, new: 3 }])
  })

  it("tells a task type that became a gate, though the plan is the same", () => {
    const diff = PlanDiff.compare({ ...side([dq]), gates: new Set() }, side([dq]))
    assert.deepStrictEqual(diff.settings, [{ path: "tasks.dq is a gate", old: false, new: true }])
    assert.isTrue(PlanDiff.isChange(diff))
    assert.deepStrictEqual(diff.weaker, [])
  })

  it("looks at the sections that its task types read, and at retention, and at no others", () => {
    const old = { dq: { strict: false }, retention: { logs_days: 1 }, messaging: { timeout: "1s" } }
    const next = { dq: { strict: true }, retention: { logs_days: 2 }, messaging: { timeout: "2s" } }
    const diff = PlanDiff.compare(side([dq], { config: old }), side([dq], { config: next }))
    assert.deepStrictEqual(diff.config, [
      { path: "dq.strict", old: false, new: true },
      { path: "retention.logs_days", old: 1, new: 2 },
    ])
    assert.isTrue(PlanDiff.isChange(diff))
  })

  it("looks into the files that tasks name", () => {
    const old: Beside = { files: { "e.yaml": { min_rows: 5 } } }
    const diff = PlanDiff.compare(side([dq], old), side([dq], { files: { "e.yaml": { min_rows: 9 } } }))
    assert.deepStrictEqual(diff.files, [{ path: "e.yaml: min_rows", old: 5, new: 9 }])
  })

  it("finds the one task that went from a large plan", () => {
    const tasks = Array.from({ length: 2_000 }, (_, i) => task(`t${i}`, { needs: i === 0 ? [] : [`t${i - 1}`] }))
    assert.lengthOf(PlanDiff.taskChanges(plan(tasks), plan(tasks.slice(1))), 1)
  })
})

describe("caches that go stale", () => {
  const cached = (...tasks: typeof all) => tasks.map((each) => ({ ...each, cache: true }))
  const staleOf = (old: ReturnType<typeof side>, next: ReturnType<typeof side>) =>
    PlanDiff.compare(old, next).stale.map(({ task: id, why }) => `${id}: ${why}`)
  const base = cached(dq, train)

  it("are those whose type has another version, and of those that take their outputs", () => {
    const next = [seed, { ...base[0], version: 2 }, base[1]]
    assert.deepStrictEqual(staleOf(side([seed, ...base]), side(next)), [
      "dq: dq has version 2 now",
      "train: it takes the output of dq",
    ])
  })

  it("are those behind an uncached task that changed", () => {
    const next = [{ ...seed, with: { months: 3 } }, ...base]
    assert.deepStrictEqual(staleOf(side([seed, ...base]), side(next)), [
      "dq: it takes the output of seed",
      "train: it takes the output of dq",
    ])
  })

  it("follow the configuration that a task type reads", () => {
    const old: Beside = { config: { training: { folds: 3 } } }
    assert.deepStrictEqual(
      staleOf(side([seed, ...base], old), side([seed, ...base], { config: { training: { folds: 4 } } })),
      ["train: the configuration's training changed"],
    )
  })

  it("follow a named file and the default of a param", () => {
    const param = (value: string) => ({ params: { month: { type: "string", default: value } } })
    const filed = [task("a", { type: "dq", cache: true, with: { expectations: "e.yaml" } })]
    const asked = [task("b", { cache: true, with: { month: "${{ params.month }}" } })]
    const old = side([...filed, ...asked], { files: { "e.yaml": { min_rows: 1 } }, plan: param("2025-01") })
    const next = side([...filed, ...asked], { files: { "e.yaml": { min_rows: 2 } }, plan: param("2025-02") })
    assert.deepStrictEqual(staleOf(old, next), ["a: e.yaml changed", "b: the default of param month changed"])
  })

  it("are none when only what does not enter the key changed", () => {
    const next = base.map((each) => ({ ...each, timeout: 5, retry: { attempts: 9 } }))
    assert.deepStrictEqual(staleOf(side([seed, ...base]), side([seed, ...next])), [])
  })

  it("are none of a task that was not cached before", () => {
    assert.deepStrictEqual(
      staleOf(side([task("a", { version: 1 })]), side([task("a", { version: 2, cache: true })])),
      [],
    )
  })
})

describe("what a task takes", () => {
  it("is what its expressions name among its needs, instances and sub-pipelines by their base", () => {
    const one = task("x", {
      needs: ["a", "b", "m[0]", "m[1]", "s/last"],
      with: { v: "${{ tasks.a.n + 1 }}", l: ["${{ tasks.m }}", { deep: "${{ tasks.s.model }}" }], t: "tasks.b" },
    })
    assert.deepStrictEqual(takes(one), ["a", "m[0]", "m[1]", "s/last"])
  })
})
