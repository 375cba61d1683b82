import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type * as Scope from "effect/Scope"

/** How many pieces may be in memory at a time, over all objects. */
export interface PiecePermits {
  /** Permits of one object, which give back with the scope what was not given back before. */
  readonly ofObject: Effect.Effect<
    { readonly take: Effect.Effect<void>; readonly give: Effect.Effect<void> },
    never,
    Scope.Scope
  >
}

/** Permits for this many pieces. An object must be able to go on with one. */
export const make = (pieces: number): PiecePermits => {
  const semaphore = Semaphore.makeUnsafe(pieces)
  return {
    ofObject: Effect.gen(function* () {
      let held = 0
      yield* Effect.addFinalizer(() => Effect.suspend(() => semaphore.release(held)))
      const take = Effect.uninterruptibleMask((restore) => Effect.map(restore(semaphore.take(1)), () => void held++))
      const give = Effect.suspend(() => {
        if (held === 0) return Effect.void
        held--
        return Effect.asVoid(semaphore.release(1))
      })
      return { take, give }
    }),
  }
}
