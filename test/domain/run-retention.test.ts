import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import fc from "fast-check"
import { RetentionSection, usualRuns } from "../../src/domain/config/retention.ts"
import { FinalRunStatus } from "../../src/domain/final-run-status.ts"
import * as RunRetention from "../../src/domain/run-retention.ts"

const day = 86_400_000
const now = Date.UTC(2026, 0, 1)
const rules: RunRetention.Rules = { succeeded: "90d", others: "365d", at_least: 2 }

const run = (name: string, days: number, over: Partial<RunRetention.EndedRun> = {}): RunRetention.EndedRun => ({
  run: name,
  pipeline: "demo",
  status: "succeeded",
  ended: now - days * day,
  ...over,
})
const due = (runs: ReadonlyArray<RunRetention.EndedRun>, given = rules) =>
  RunRetention.judge(runs, given, now).flatMap((one) => (one.verdict.is === "due" ? [one.run] : []))

describe("the retention of runs", () => {
  it("lets a run go once it has ended so long ago as its status says, and not before", () => {
    const young = [run("new 1", 1), run("new 2", 1)]
    assert.deepStrictEqual(due([run("a", 90), run("b", 89.999), ...young]), ["a"])
    assert.deepStrictEqual(due([run("a", 364, { status: "failed" }), run("b", 365, { status: "lost" }), ...young]), [
      "b",
    ])
  })

  it("keeps the newest of each pipeline, however old, and says of each run why it stays", () => {
    const all = [run("a", 900), run("b", 800), run("c", 700), run("other", 900, { pipeline: "rare" })]
    assert.deepStrictEqual(due(all), ["a"])
    const why = RunRetention.judge(all, rules, now).map(({ verdict }) => (verdict.is === "kept" ? verdict.why : ""))
    assert.deepStrictEqual(why, [
      "",
      "it is among the newest 2 of demo",
      "it is among the newest 2 of demo",
      "it is among the newest 2 of rare",
    ])
    const [young] = RunRetention.judge([run("a", 1.5)], rules, now)
    assert.deepStrictEqual(young?.verdict, { is: "kept", why: "it ended 1d12h ago, and succeeded runs are kept 90d" })
  })

  it("keeps one that made a report until its months are over, counted by the calendar", () => {
    const keeps = (ended: number, months?: number) =>
      RunRetention.reportKeeps({ ended }, months === undefined ? rules : { ...rules, reports_months: months }, now)
    assert.isUndefined(keeps(now - day))
    assert.isUndefined(keeps(Date.UTC(2025, 9, 1), 3))
    assert.strictEqual(
      keeps(Date.UTC(2025, 9, 1) + 1, 3),
      "it made a report and ended 91d23h59m ago, and runs that made one are kept 3 months",
    )
  })

  it("never lets more than the rules say go: of each pipeline at least so many stay, and nothing young goes", () => {
    const one = fc.record({
      pipeline: fc.constantFrom("a", "b", "c"),
      status: fc.constantFrom(...FinalRunStatus.literals),
      age: fc.integer({ min: -5, max: 1_000 }),
    })
    const given = fc.record({ runs: fc.array(one), succeeded: fc.nat(400), others: fc.nat(400), least: fc.nat(4) })
    fc.assert(
      fc.property(given, ({ least, others, runs, succeeded }) => {
        const all = runs.map(({ age, pipeline, status }, n) => run(`run ${n}`, age, { pipeline, status }))
        const own = { succeeded: `${succeeded}d`, others: `${others}d`, at_least: least }
        const judged = RunRetention.judge(all, own, now)
        assert.deepStrictEqual(
          judged.map((each) => each.run),
          all.map((each) => each.run),
        )
        for (const [pipeline, each] of Map.groupBy(judged, (found) => found.pipeline)) {
          const stay = each.filter(({ verdict }) => verdict.is === "kept")
          assert.isAtLeast(stay.length, Math.min(least, each.length), pipeline)
          const oldestKept = stay.filter(
            ({ verdict }) => verdict.is === "kept" && verdict.why.startsWith("it is among"),
          )
          for (const gone of each.filter(({ verdict }) => verdict.is === "due")) {
            const days = (now - gone.ended) / day
            assert.isAtLeast(days, gone.status === "succeeded" ? succeeded : others)
            for (const kept of oldestKept) assert.isAtLeast(kept.ended, gone.ended)
          }
        }
      }),
    )
  })

  it("is the usual one where a configuration was written before there was any", () => {
    const keys = Object.keys(RetentionSection.fields).filter((key) => key !== "runs")
    const before = Object.fromEntries(keys.map((key) => [key, 3]))
    assert.deepStrictEqual(Schema.decodeUnknownSync(RetentionSection)(before).runs, usualRuns)
  })
})
