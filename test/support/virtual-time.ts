import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/**
 * Runs an effect that waits by the test's clock and talks to real servers: virtual time goes on, 10 ms for each turn of the
 * event loop, until the effect has ended; but it stands while the effect is `busy` outside, which takes real time.
 */
export const hastened = <A, E, R>(effect: Effect.Effect<A, E, R>, busy = () => false): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) {
      yield* turn
      if (!busy()) yield* TestClock.adjust(10)
    }
    return yield* Fiber.join(fiber)
  })
