import * as Effect from "effect/Effect"

/**
 * Lets attempts take turns, so that how long the disk takes decides nothing: they begin in the order of their intents,
 * and the engine keeps one result after the other. An attempt is named by a key.
 */
export interface Turns {
  /** The attempt has its intent. */
  readonly started: (key: string) => void
  /** Waits until all that started before have begun, or ended without. */
  readonly enter: (key: string) => Effect.Effect<void>
  /** Waits until no other result is being kept; then this one is, until the attempt has ended. */
  readonly leave: (key: string) => Effect.Effect<void>
  /** The attempt has its result. */
  readonly ended: (key: string) => void
}

interface Waiting {
  readonly key: string
  readonly go: () => void
}

const remove = (list: Array<Waiting>, key: string) => {
  const index = list.findIndex((one) => one.key === key)
  return index === -1 ? undefined : list.splice(index, 1)[0]
}

export const make = (): Turns => {
  const starting = new Set<string>()
  const entering: Array<Waiting> = []
  const leaving: Array<Waiting> = []
  let keeping: string | undefined

  const begun = (key: string) => {
    if (!starting.delete(key)) return
    const [first] = starting
    if (first !== undefined) remove(entering, first)?.go()
  }
  const wait = (list: Array<Waiting>, key: string) =>
    Effect.callback<void>((resume) => {
      list.push({ key, go: () => resume(Effect.void) })
      return Effect.sync(() => void remove(list, key))
    })
  return {
    started: (key) => void starting.add(key),
    enter: (key) =>
      Effect.suspend(() => {
        const [first] = starting
        return first === key || !starting.has(key) ? Effect.void : wait(entering, key)
      }).pipe(Effect.andThen(Effect.sync(() => begun(key)))),
    leave: (key) =>
      Effect.suspend(() => {
        if (keeping !== undefined) return wait(leaving, key)
        keeping = key
        return Effect.void
      }),
    ended: (key) => {
      begun(key)
      if (keeping !== key) return
      const next = leaving.shift()
      keeping = next?.key
      next?.go()
    },
  }
}
