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

/** Looked up afresh: jumps after `from` and before `to`. */
const lookUp = (zone: string, from: number, to: number): ReadonlyArray<Transition> => {
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

/** Times are looked up by parts of this length: who asks for one tick asks for the next one soon. */
const part = 400 * 86_400_000
const mostParts = 5_000
const known = new Map<string, ReadonlyArray<Transition>>()

const inPart = (zone: string, index: number): ReadonlyArray<Transition> => {
  const key = `${zone} ${index}`
  const before = known.get(key)
  if (before !== undefined) return before
  if (known.size >= mostParts) known.clear()
  const found = lookUp(zone, index * part - 1, (index + 1) * part)
  known.set(key, found)
  return found
}

/** The jumps of a zone's clocks after `from` and before `to`, in order. */
export const transitions = (zone: string, from: number, to: number): ReadonlyArray<Transition> => {
  const found: Array<Transition> = []
  for (let index = Math.floor(from / part); index * part < to; index++) {
    for (const jump of inPart(zone, index)) if (jump.at > from && jump.at < to) found.push(jump)
  }
  return found
}
