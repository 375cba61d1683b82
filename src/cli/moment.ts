import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Output from "./output.ts"

const form = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)\s*(Z|[+-]\d\d:?\d\d)?)?$/i

/** Milliseconds since the epoch of `2025-05-05T03:14Z`; UTC where there is no offset. Undefined when the text is none. */
export const parse = (text: string): number | undefined => {
  const match = form.exec(text.trim())
  if (match === null) return undefined
  const [, day = "", clock = "00:00", offset = "Z"] = match
  const zone = offset.length === 5 ? `${offset.slice(0, 3)}:${offset.slice(3)}` : offset.toUpperCase()
  const millis = Date.parse(`${day}T${clock}${zone}`)
  if (Number.isNaN(millis)) return undefined
  const rolledOver = new Date(`${day}T00:00Z`).toISOString().slice(0, 10) !== day
  return rolledOver ? undefined : millis
}

/** The moment that a person named; `now` is one. */
export const read = (text: string): Effect.Effect<number, Output.UsageError> => {
  if (text === "now") return Clock.currentTimeMillis
  const millis = parse(text)
  return millis === undefined
    ? Effect.fail(
        new Output.UsageError({
          reason: `${text} is no time. Write it like 2025-05-05T03:14Z or 2025-05-05T12:14+09:00`,
        }),
      )
    : Effect.succeed(millis)
}
