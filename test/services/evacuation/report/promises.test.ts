import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Promises from "../../../../src/services/evacuation/report/promises.ts"

const promises = { first_byte: "30s", complete: "15m", coverage: 1 }
const second = 1_000

describe("the promises of a drill", () => {
  it("are kept when the first byte, the end and the coverage are as promised, to the millisecond", () => {
    const observed = { opened: 0, first: 30 * second, completed: 900 * second, coverage: { seen: 10, taken: 10 } }
    assert.deepStrictEqual(Promises.judge(promises, observed), [
      { name: "first_byte", promised: 30_000, observed: 30_000, kept: true },
      { name: "complete", promised: 900_000, observed: 900_000, kept: true },
      { name: "coverage", promised: 1, observed: 1, kept: true },
    ])
    const late = { opened: 0, first: 30_001, completed: 900_001, coverage: { seen: 10_000, taken: 9_999 } }
    assert.isTrue(Promises.judge(promises, late).every(({ kept }) => !kept))
  })

  it("are missed by what never came: no byte, no end, nothing seen", () => {
    for (const coverage of [undefined, { seen: 0, taken: 0 }]) {
      const judged = Promises.judge(promises, { opened: 0, coverage })
      assert.isTrue(judged.every(({ kept, observed }) => !kept && observed === undefined))
      assert.deepStrictEqual(judged.map(Promises.sentence), [
        "first byte confirmed: never, promised 30s",
        "complete: never, promised 15m",
        "coverage: not known, promised 100 %",
      ])
    }
  })

  it("are kept exactly when what was observed is within them", () => {
    const millis = fc.integer({ min: 0, max: 2_000_000 })
    fc.assert(
      fc.property(millis, millis, millis, fc.nat(100), fc.nat(100), (opened, first, completed, a, b) => {
        const [taken, seen] = [Math.min(a, b), Math.max(a, b)]
        const at = { opened, first: opened + first, completed: opened + completed, coverage: { seen, taken } }
        assert.deepStrictEqual(
          Promises.judge({ ...promises, coverage: 0.5 }, at).map(({ kept }) => kept),
          [first <= 30_000, completed <= 900_000, seen > 0 && taken * 2 >= seen],
        )
      }),
    )
  })
})
