import { assert, describe, it } from "@effect/vitest"
import { movedDates } from "../../src/cli/schedule-dates.ts"
import type { Schedule } from "../../src/domain/schedule.ts"

const now = Date.UTC(2025, 0, 1)
const nightly: Schedule = {
  cron: "0 3 * * *",
  timezone: "Asia/Tokyo",
  params: {},
  overlap: "skip",
  catchup: { policy: "none" },
  dst: { gap: "shift", overlap: "first" },
}

describe("the dates of a schedule that move", () => {
  it("are none of a schedule that only names its cron differently", () => {
    const utc = { ...nightly, timezone: "UTC" }
    assert.deepStrictEqual(movedDates({ ...utc, cron: "0 0 * * *" }, { ...utc, cron: "@daily" }, now), [])
  })

  it("are the next ones, in UTC, that differ", () => {
    const moved = movedDates(nightly, { ...nightly, cron: "0 4 * * *" }, now)
    assert.lengthOf(moved, 5)
    assert.deepStrictEqual(moved[0], { old: "2025-01-01T18:00:00.000Z", new: "2025-01-01T19:00:00.000Z" })
  })

  it("are those that the policy for clock changes moves", () => {
    const berlin = { ...nightly, timezone: "Europe/Berlin", cron: "30 2 * * *" }
    const skips = { ...berlin, dst: { gap: "skip", overlap: "first" } } as const
    const moved = movedDates(berlin, skips, Date.UTC(2025, 2, 29, 12))
    assert.strictEqual(moved[0].old, "2025-03-30T01:00:00.000Z")
    assert.strictEqual(moved[0].new, "2025-03-31T00:30:00.000Z")
  })

  it("have no other side where a schedule comes or goes", () => {
    assert.deepStrictEqual(movedDates(undefined, nightly, now)[0], { new: "2025-01-01T18:00:00.000Z" })
  })
})
