import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as VirtualClock from "../../../src/testing/virtual-clock.ts"

/** A clock of one machine on virtual time, whose two hands are set by hand. */
export interface SteppedClock {
  readonly clock: Clock.Clock
  /** What the wall clock shows, milliseconds since the epoch. */
  readonly wall: () => number
  /** Sets the wall clock by so much. */
  readonly step: (millis: number) => Effect.Effect<void>
  /** The machine was asleep for so long: the wall clock went on, the monotonic one too or not. */
  readonly slept: (millis: number, monotonic: boolean) => Effect.Effect<void>
}

const nanos = (millis: number): bigint => BigInt(Math.round(millis * 1_000_000))

/**
 * A machine whose clock is ahead by `ahead` milliseconds. Who naps, which is to sleep for exactly a second, sleeps on as
 * long as `idle` says that nothing will be due; but not for more than a second once the wall clock was set.
 */
export const make = (virtual: VirtualClock.VirtualClock, ahead: number, idle: () => number): SteppedClock => {
  let offset = ahead
  let asleep = 0
  let set = Deferred.makeUnsafe<void>()
  const wall = () => virtual.currentTimeMillisUnsafe() + offset
  const monotonic = () => virtual.monotonicTimeNanosUnsafe() + nanos(asleep)
  const isSet = Effect.suspend(() => {
    const before = set
    set = Deferred.makeUnsafe<void>()
    return Deferred.succeed(before, undefined)
  })
  const second = Duration.seconds(1)
  const step = (millis: number) => {
    offset += millis
    return Effect.asVoid(isSet)
  }
  return {
    wall,
    step: (millis) => Effect.suspend(() => step(millis)),
    slept: (millis, isMonotonic) =>
      Effect.suspend(() => {
        if (isMonotonic) asleep += millis
        return step(millis)
      }),
    clock: {
      currentTimeMillisUnsafe: wall,
      currentTimeMillis: Effect.sync(wall),
      currentTimeNanosUnsafe: () => nanos(wall()),
      currentTimeNanos: Effect.sync(() => nanos(wall())),
      monotonicTimeNanosUnsafe: monotonic,
      monotonicTimeNanos: Effect.sync(monotonic),
      sleep: (duration) => {
        if (Duration.toMillis(duration) !== 1_000) return virtual.sleep(duration)
        return Effect.suspend(() => {
          const nap = Math.max(1_000, idle())
          if (nap === 1_000) return virtual.sleep(second)
          return Effect.raceFirst(
            virtual.sleep(Duration.millis(nap)),
            Effect.andThen(Deferred.await(set), virtual.sleep(second)),
          )
        })
      },
    },
  }
}
