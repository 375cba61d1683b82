/** `1 file`, `2,000 files`. */
export const plural = (number: number, one: string, many: string): string =>
  `${number.toLocaleString("en-US")} ${number === 1 ? one : many}`

const zoned = (at: number, zone: string): Temporal.ZonedDateTime =>
  Temporal.Instant.fromEpochMilliseconds(Math.trunc(at)).toZonedDateTimeISO(zone)

const clock = (moment: Temporal.ZonedDateTime): string => moment.toPlainTime().toString({ smallestUnit: "second" })

/** A time in a zone, with its offset and its name: `2026-03-04 09:00:01 +09:00 (Asia/Tokyo)`. */
export const localTime = (at: number, zone: string): string => {
  const moment = zoned(at, zone)
  return `${moment.toPlainDate().toString()} ${clock(moment)} ${moment.offset} (${zone})`
}

/** A time in UTC: `2026-03-04 00:00:01 UTC`. */
export const utcTime = (at: number): string => {
  const moment = zoned(at, "UTC")
  return `${moment.toPlainDate().toString()} ${clock(moment)} UTC`
}

/** Date and time of a timeline's row in a zone: `2026-03-04 09:00:01`. */
export const rowTime = (at: number, zone: string): string => {
  const moment = zoned(at, zone)
  return `${moment.toPlainDate().toString()} ${clock(moment)}`
}

/** The zone of this machine. */
export const localZone = (): string => Temporal.Now.timeZoneId()
