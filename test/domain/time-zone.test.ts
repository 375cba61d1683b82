import { assert, describe, it } from "@effect/vitest"
import * as TimeZone from "../../src/domain/time-zone.ts"

describe("a time zone", () => {
  it("is UTC or a zone of the IANA database, under its older names too", () => {
    const known = ["UTC", "Asia/Tokyo", "US/Eastern", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "asia/tokyo"]
    assert.deepStrictEqual(known.filter(TimeZone.isTimeZone), known)
    assert.isTrue(TimeZone.names().every(TimeZone.isTimeZone))
  })

  it("is neither an offset, nor an abbreviation, nor a name that nobody knows", () => {
    const none = [
      "",
      "EST",
      "+05:00",
      "Z",
      "Asia/",
      "Asia/Nowhere",
      "Asia/Tokyo ",
      "Asia/Tokyo[Asia/Tokyo]",
      "Etc/GMT+25",
    ]
    assert.deepStrictEqual(none.filter(TimeZone.isTimeZone), [])
  })
})
