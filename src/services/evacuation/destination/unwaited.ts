import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"

/**
 * Runs an effect until `end`; None when that comes first. Then the effect is interrupted, but nobody waits for it to end:
 * a file on a disk that no longer answers can be neither read nor closed.
 */
export const until = <A, E, R, R2>(
  effect: Effect.Effect<A, E, R>,
  end: Effect.Effect<void, never, R2>,
): Effect.Effect<Option.Option<A>, E, R | R2> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkDetach(effect, { startImmediately: true })
    return yield* Effect.raceFirst(Effect.asSome(Fiber.join(fiber)), Effect.as(end, Option.none<A>())).pipe(
      Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe())),
    )
  })
