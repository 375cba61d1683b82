import { assert, describe, it } from "@effect/vitest"
import * as Moment from "../../src/domain/moment.ts"

describe("a moment", () => {
  it("is read with its offset, to the millisecond", () => {
    assert.strictEqual(Moment.parse("2026-01-05T22:00:00+09:00"), Date.UTC(2026, 0, 5, 13))
    assert.strictEqual(Moment.parse("2026-01-05T22:00Z"), Date.UTC(2026, 0, 5, 22))
    assert.strictEqual(Moment.parse("9999-12-31T23:59:59.999Z"), Date.UTC(9999, 11, 31, 23, 59, 59, 999))
  })

  it("without an offset is none: nobody could tell whose clocks it means", () => {
    assert.isUndefined(Moment.parse("2026-01-05T22:00:00"))
    assert.isUndefined(Moment.parse("2026-01-05"))
  })

  it("on a day that does not exist is none", () => {
    assert.isUndefined(Moment.parse("2026-02-30T00:00:00Z"))
    assert.isUndefined(Moment.parse("2026-13-01T00:00:00Z"))
    assert.isUndefined(Moment.parse("2026-04-31T12:00+09:00"))
    assert.strictEqual(Moment.parse("2028-02-29T00:00:00Z"), Date.UTC(2028, 1, 29))
  })

  it("is no number and no word", () => {
    for (const text of ["12", "tomorrow", "", "0", "2026-01-05T99:00:00Z", "2026-01-05T22:00:00+99:00"]) {
      assert.isUndefined(Moment.parse(text), text)
    }
  })

  it("ends a time in years on the calendar's day, or the one after it where a year has no such day", () => {
    assert.strictEqual(Moment.yearsAfter(Date.UTC(2026, 0, 5, 13), 7).toISOString(), "2033-01-05T13:00:00.000Z")
    assert.strictEqual(Moment.yearsAfter(Date.UTC(2024, 1, 29, 12), 5).toISOString(), "2029-03-01T12:00:00.000Z")
  })
})
