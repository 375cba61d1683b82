import * as Effect from "effect/Effect"

const every = "1 minute"

/** What came of a kind since it was last told of. */
interface Kept {
  more: number
  last: string
}

/**
 * Warnings that anyone may cause, and as many as they like: the first of a kind is logged at once, and after that once a
 * minute how many more there were, until a minute passes without one. There must be few kinds. Lasts as long as the scope.
 */
export const make = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const kinds = new Map<string, Kept>()
  const tell = Effect.fnUntraced(function* (kind: string, kept: Kept) {
    yield* Effect.sleep(every)
    while (kept.more > 0) {
      const text = `${kept.more} more in a minute; the last: ${kept.last}`
      kept.more = 0
      yield* Effect.logWarning(text)
      yield* Effect.sleep(every)
    }
    kinds.delete(kind)
  })
  return {
    warn: (kind: string, text: string) =>
      Effect.suspend(() => {
        const known = kinds.get(kind)
        if (known !== undefined) {
          known.more++
          known.last = text
          return Effect.void
        }
        const kept = { more: 0, last: text }
        kinds.set(kind, kept)
        return Effect.andThen(Effect.logWarning(text), Effect.asVoid(Effect.forkIn(tell(kind, kept), scope)))
      }),
  }
})
