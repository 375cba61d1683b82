const form = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/

/**
 * Milliseconds since the epoch of a moment with its offset (RFC 3339; seconds may be left out). Undefined for any other
 * text, and for a day that its month does not have: the platform would take 30 February for 2 March.
 */
export const parse = (text: string): number | undefined => {
  const day = form.exec(text)?.[1]
  const millis = day === undefined ? Number.NaN : Date.parse(text)
  if (day === undefined || Number.isNaN(millis)) return undefined
  const midnight = new Date(`${day}T00:00Z`)
  return Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== day ? undefined : millis
}

/** The end of a time in years of the calendar, UTC. */
export const yearsAfter = (millis: number, years: number): Date => {
  const until = new Date(millis)
  until.setUTCFullYear(until.getUTCFullYear() + years)
  return until
}
