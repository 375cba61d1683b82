import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as DataRetention from "../../src/domain/data-retention.ts"

const day = 86_400_000
const now = Date.UTC(2026, 0, 1)
const rules: DataRetention.Rules = {
  raw_days: 60,
  canonical_months: 36,
  features_months: 12,
  adopted_snapshots_months: 24,
  deletion_grace_days: 3,
}

const facts = (over: Partial<DataRetention.Facts> = {}): DataRetention.Facts => ({
  class: "raw",
  time: now - 100 * day,
  digest: "a",
  mark: undefined,
  why: undefined,
  ended: undefined,
  ...over,
})
const judge = (over: Partial<DataRetention.Facts> = {}, given = rules, at = now) =>
  DataRetention.judge(facts(over), given, at)

describe("the retention of data", () => {
  it("keeps each class as long as its key says", () => {
    const at = (kind: DataRetention.DataClass) =>
      new Date(DataRetention.oldest(kind, rules, now)).toISOString().slice(0, 10)
    assert.deepStrictEqual(
      DataRetention.DataClass.literals.map((kind) => [kind, at(kind), DataRetention.keptFor(kind, rules)]),
      [
        ["canonical", "2023-01-01", "36 months"],
        ["features", "2025-01-01", "12 months"],
        ["raw", "2025-11-02", "60 days"],
        ["snapshots", "2024-01-01", "24 months"],
      ],
    )
    assert.deepStrictEqual(judge({ time: now - 59 * day }), { is: "kept", why: "it is not 60 days old" })
    assert.strictEqual(judge({ time: now - 60 * day }).is, "due")
    assert.strictEqual(judge({ time: now + day }).is, "kept")
    assert.strictEqual(DataRetention.endOfMonth("2024-12"), Date.UTC(2025, 0, 1))
  })

  it("lets what is marked go when the grace is over, and without one with the next pass", () => {
    const mark = { digest: "a", since: now - 3 * day }
    assert.deepStrictEqual(judge(), { is: "due", since: now, from: now + 3 * day })
    assert.deepStrictEqual(judge({ mark }), { is: "ready", since: now - 3 * day, from: now })
    assert.deepStrictEqual(judge({ mark }, rules, now - 1), { is: "due", since: now - 3 * day, from: now })
    const none = { ...rules, deletion_grace_days: 0 }
    assert.strictEqual(judge({}, none).is, "due")
    assert.strictEqual(judge({ mark: { digest: "a", since: now } }, none).is, "ready")
  })

  it("begins the grace anew for other bytes, for what was put again, when the clock was set back, and after a hold", () => {
    const since = now - 10 * day
    assert.strictEqual(judge({ mark: { digest: "b", since } }).is, "due")
    assert.strictEqual(judge({ mark: { digest: "a", since: now - 101 * day } }).is, "due")
    assert.strictEqual(judge({ mark: { digest: "a", since: now + day } }).is, "due")
    assert.deepStrictEqual(judge({ mark: { digest: "a", since }, ended: now - day }), {
      is: "due",
      since,
      from: now + 2 * day,
    })
    assert.strictEqual(judge({ mark: { digest: "a", since }, ended: now - 3 * day }).is, "ready")
  })

  it("lets nothing go that is young, kept, or was not marked for the whole grace with the bytes that it has", () => {
    const given = fc.record({
      class: fc.constantFrom(...DataRetention.DataClass.literals),
      age: fc.integer({ min: -5, max: 1_500 }),
      digest: fc.constantFrom("a", "b"),
      mark: fc.option(fc.record({ digest: fc.constantFrom("a", "b"), ago: fc.integer({ min: -5, max: 1_500 }) }), {
        nil: undefined,
      }),
      why: fc.option(fc.constant("it is named"), { nil: undefined }),
      ended: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
      grace: fc.nat(9),
    })
    fc.assert(
      fc.property(given, ({ age, ended, grace, mark, ...one }) => {
        const own = { ...rules, deletion_grace_days: grace }
        const verdict = DataRetention.judge(
          {
            ...one,
            time: now - age * day,
            mark: mark === undefined ? undefined : { digest: mark.digest, since: now - mark.ago * day },
            ended: ended === undefined ? undefined : now - ended * day,
          },
          own,
          now,
        )
        if (verdict.is === "due") {
          assert.isUndefined(one.why)
          assert.isAtLeast(verdict.from, verdict.since + grace * day)
          assert.isAtMost(verdict.since, now)
        }
        if (verdict.is !== "ready") return
        assert.isUndefined(one.why)
        assert.isAtMost(now - age * day, DataRetention.oldest(one.class, own, now))
        assert.strictEqual(mark?.digest, one.digest)
        assert.isAtLeast(mark?.ago ?? -1, grace)
        assert.isAtMost(mark?.ago ?? Number.POSITIVE_INFINITY, age)
        assert.isTrue(ended === undefined || ended >= grace)
      }),
    )
  })
})
