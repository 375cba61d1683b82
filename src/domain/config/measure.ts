/** The measures that configuration values are given in. Durations and sizes are text with a unit (`quantity.ts`). */
import * as Schema from "effect/Schema"
import { isTimeZone } from "../time-zone.ts"

/** A share between 0 and 1, both included. */
export const Fraction = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
/** A number above 0. */
export const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
/** A number that is 0 or more. */
export const NonNegative = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
/** A whole number that is 1 or more. */
export const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
/** A whole number that is 0 or more. */
export const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** A time of day, `HH:MM`. */
export const ClockTime = Schema.String.check(
  Schema.isPattern(/^([01]\d|2[0-3]):[0-5]\d$/, { message: "must be a time of day like 21:00, in quotes" }),
).annotate({ identifier: "ClockTime" })

/** A day of the week in lower case. */
export const Weekday = Schema.Literals([
  "sunday",
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
]).annotate({ identifier: "Weekday" })

/** The lower and the upper end of a range, both included. */
export const Range = Schema.Struct({ min: Schema.Finite, max: Schema.Finite }).check(
  Schema.makeFilter(({ max, min }) => min <= max || "min must not be above max"),
)

/** A name that other parts of the configuration refer to. */
export const Name = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, { message: "must be a name: letters, digits, '-', '_'" }),
)

/** An IANA time zone. */
export const TimeZone = Schema.String.check(
  Schema.makeFilter((name) => isTimeZone(name) || "must be an IANA time zone like Asia/Tokyo, or UTC"),
)
