import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as Bandwidth from "../../../../src/services/evacuation/destination/bandwidth.ts"

describe("a bandwidth", () => {
  it.effect("lets through so many bytes a second, over all that share it", () =>
    Effect.gen(function* () {
      const limited = Bandwidth.make(1000)
      const times: Array<number> = []
      const send = Effect.andThen(
        limited(500),
        Effect.map(Clock.currentTimeMillis, (now) => void times.push(now)),
      )
      const sending = yield* Effect.forkChild(Effect.all([send, send, send, send], { concurrency: "unbounded" }))
      yield* TestClock.adjust(10_000)
      yield* Fiber.join(sending)
      assert.deepStrictEqual(times, [0, 500, 1000, 1500])
      // What was not used is not saved up.
      const more = yield* Effect.forkChild(Effect.all([send, send], { concurrency: "unbounded" }))
      yield* TestClock.adjust(10_000)
      yield* Fiber.join(more)
      assert.deepStrictEqual(times.slice(4), [10_000, 10_500])
    }),
  )

  it.effect("without a limit never waits", () =>
    Effect.gen(function* () {
      const free = Bandwidth.make(undefined)
      yield* Effect.forEach([1e12, 1e12, 1e12], free)
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
    }),
  )
})
