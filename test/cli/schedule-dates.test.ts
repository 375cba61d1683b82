import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { movedDates } from "../../src/cli/schedule-dates.ts"

const now = Date.UTC(2025, 0, 1)
const nightly = { cron: "0 3 * * *", timezone: "Asia/Tokyo" }

describe("the dates of a schedule that move", () => {
  it.effect("are none of a schedule that only names its cron differently", () =>
    Effect.map(movedDates({ cron: "0 0 * * *", timezone: "UTC" }, { cron: "@daily", timezone: "UTC" }, now), (moved) =>
      assert.deepStrictEqual(moved, []),
    ),
  )

  it.effect("are the next ones, in UTC, that differ", () =>
    Effect.map(movedDates(nightly, { ...nightly, cron: "0 4 * * *" }, now), (moved) => {
      assert.lengthOf(moved, 5)
      assert.deepStrictEqual(moved[0], { old: "2025-01-01T18:00:00.000Z", new: "2025-01-01T19:00:00.000Z" })
    }),
  )

  it.effect("have no other side where a schedule comes or goes", () =>
    Effect.map(movedDates(undefined, nightly, now), (moved) =>
      assert.deepStrictEqual(moved[0], { new: "2025-01-01T18:00:00.000Z" }),
    ),
  )
})
