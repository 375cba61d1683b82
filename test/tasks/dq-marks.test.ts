import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { check, clean, defects, failed, iso, put, runbook, write } from "./dq-bars.ts"
import * as Workplace from "./workplace.ts"

describe("dq answers from its input alone", () => {
  it.effect(
    "leaves a quarantine with reasons, the same bytes for the same data, and lifts its own when the data passes",
    () =>
      Effect.gen(function* () {
        const root = yield* Workplace.project
        const bars = clean(300)
        defects[0].seed(bars)
        const file = yield* write(root, "csv", bars)
        const first = yield* check(root, [file], runbook)
        assert.deepStrictEqual(first.quarantine, ["bars.csv.__quarantine.json"])
        assert.deepStrictEqual(first.flags[0].flags, ["quarantined"])
        const mark = join(root, "bars.csv.__quarantine.json")
        const text = yield* Effect.promise(() => Fs.readFile(mark, "utf8"))
        const content = JSON.parse(text)
        assert.deepStrictEqual(
          content.reasons.map((each: { check: string }) => each.check),
          ["max_missing_rate(close)", "finite(close)"],
        )
        assert.deepStrictEqual(content.range, { first: iso(0), last: iso(299) })
        assert.strictEqual(content.sha256, first.gate.subjects[0].sha256)
        const again = yield* check(root, [file], runbook)
        assert.deepStrictEqual(again, first)
        assert.strictEqual(yield* Effect.promise(() => Fs.readFile(mark, "utf8")), text)
        yield* write(root, "csv", clean(300))
        assert.strictEqual((yield* check(root, [file], runbook)).verdict, "PASSED")
        assert.isFalse(yield* Effect.promise(() => Bun.file(mark).exists()))
      }),
  )

  it.effect("gives the same verdict whatever marks stand there, and leaves a person's alone", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const file = yield* write(root, "csv", clean(300))
      const before = yield* check(root, [file], runbook)
      assert.strictEqual(before.verdict, "PASSED")
      const note = '{"who":"anna","reason":"vendor recall"}'
      yield* put(root, "bars.csv.__quarantine.json", note)
      assert.deepStrictEqual(yield* check(root, [file], runbook), before)
      const text = Effect.promise(() => Fs.readFile(join(root, "bars.csv.__quarantine.json"), "utf8"))
      assert.strictEqual(yield* text, note)
      const failing = yield* check(root, [file], "name: x\nmin_rows: 301\n")
      assert.deepStrictEqual(failing.quarantine, ["bars.csv.__quarantine.json"])
      assert.strictEqual(yield* text, note)
    }),
  )

  it.effect("lifts no mark of other expectations, and does not replace it while the bytes are the same", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const file = yield* write(root, "csv", clean(300))
      const mark = () => Fs.readFile(join(root, "bars.csv.__quarantine.json"), "utf8")
      const strict = yield* check(root, [file], "name: strict\nmin_rows: 301\n")
      const text = yield* Effect.promise(mark)
      assert.strictEqual(JSON.parse(text).policy, strict.gate.policy.sha256)
      assert.strictEqual((yield* check(root, [file], "name: lax\nmin_rows: 0\n")).verdict, "PASSED")
      assert.strictEqual(yield* Effect.promise(mark), text)
      assert.strictEqual((yield* check(root, [file], "name: lax\nmin_rows: 302\n")).verdict, "FAILED")
      assert.strictEqual(yield* Effect.promise(mark), text)
      yield* write(root, "csv", clean(299))
      const other = yield* check(root, [file], "name: lax\nmin_rows: 302\n")
      assert.strictEqual(JSON.parse(yield* Effect.promise(mark)).sha256, other.gate.subjects[0].sha256)
    }),
  )

  it.effect("refuses SQL that asks for the time or for chance", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const file = yield* write(root, "csv", clean(30))
      const asking = (where: string) =>
        check(
          root,
          [file],
          `name: x\nchecks: [{ check: sql, name: q, query: "SELECT _row FROM data WHERE ${where}" }]\n`,
        )
      for (const where of [
        "timestamp > now()",
        "timestamp > CURRENT_DATE",
        "random () < 0.5",
        "age(timestamp) > '1d'",
      ]) {
        const error = yield* Effect.flip(asking(where))
        assert.strictEqual(error._tag, "ExpectationsInvalid")
        assert.include(error.message, "must not ask for the time or for chance")
      }
      assert.strictEqual((yield* asking("close < 0")).verdict, "PASSED")
    }),
  )

  it.effect("measures freshness at a time that it was given, and refuses to take the clock's", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const file = yield* write(root, "csv", clean(300))
      const expectations = "name: x\nchecks:\n  - { check: freshness, max: 2h }\n"
      const error = yield* Effect.flip(check(root, [file], expectations))
      assert.strictEqual(error._tag, "ExpectationsInvalid")
      assert.include(error.message, "e.yaml:3:5: checks[0] needs a time to measure at")
      const fresh = yield* check(root, [file], expectations, { asOf: iso(300) })
      assert.strictEqual(fresh.verdict, "PASSED")
      const old = yield* check(root, [file], expectations, { asOf: iso(302) })
      assert.deepStrictEqual(failed(old), ["freshness"])
      const own = expectations.replace("2h", `2h, as_of: '${iso(302)}'`)
      assert.strictEqual((yield* check(root, [file], own, { asOf: iso(300) })).verdict, "FAILED")
    }),
  )
})
