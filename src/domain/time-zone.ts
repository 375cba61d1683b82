/** A jump of a zone's clocks at the instant `at`. Offsets are milliseconds east of UTC: local time is `at + offset`. */
export interface Transition {
  readonly at: number
  readonly before: number
  readonly after: number
}

const zoned = (zone: string, time: number): Temporal.ZonedDateTime =>
  Temporal.Instant.fromEpochMilliseconds(time).toZonedDateTimeISO(zone)

const offsetOf = (moment: Temporal.ZonedDateTime): number => moment.offsetNanoseconds / 1_000_000

/** True for a zone of the IANA database that this program knows, and for UTC. */
export const isTimeZone = (name: string): boolean => {
  if (name === "UTC") return true
  if (!/^[A-Za-z_]+\/.+$/.test(name)) return false
  try {
    zoned(name, 0)
    return true
  } catch {
    return false
  }
}

/** The names that this program offers for zones; older names (`US/Eastern`) are zones too. */
export const names = (): ReadonlyArray<string> => ["UTC", ...Intl.supportedValuesOf("timeZone")]

/** The zone's offset at an instant, in milliseconds east of UTC. */
export const offsetAt = (zone: string, time: number): number => offsetOf(zoned(zone, time))

/** The instant at which the zone's clocks show a local time (milliseconds, as if it were UTC); after a gap, the first of two. */
export const instantOf = (zone: string, local: number): number =>
  Temporal.Instant.fromEpochMilliseconds(local)
    .toZonedDateTimeISO("UTC")
    .toPlainDateTime()
    .toZonedDateTime(zone, { disambiguation: "compatible" }).epochMilliseconds

/** The jumps of a zone's clocks after `from` and before `to`, in order. */
export const transitions = (zone: string, from: number, to: number): ReadonlyArray<Transition> => {
  const found: Array<Transition> = []
  let moment = zoned(zone, from)
  while (true) {
    const next = moment.getTimeZoneTransition("next")
    if (next === null || next.epochMilliseconds >= to) return found
    const before = offsetAt(zone, next.epochMilliseconds - 1)
    const after = offsetOf(next)
    if (before !== after) found.push({ at: next.epochMilliseconds, before, after })
    moment = next
  }
}
