import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

/** Runs an effect until it has succeeded once; later calls do nothing, and calls at the same time wait for each other. */
export const untilItSucceeds = <E, R>(effect: Effect.Effect<void, E, R>): Effect.Effect<Effect.Effect<void, E, R>> =>
  Effect.sync(() => {
    const turn = Semaphore.makeUnsafe(1)
    let done = false
    const run = Effect.suspend(() =>
      done
        ? Effect.void
        : Effect.andThen(
            effect,
            Effect.sync(() => void (done = true)),
          ),
    )
    return Effect.suspend(() => (done ? Effect.void : turn.withPermit(run)))
  })
