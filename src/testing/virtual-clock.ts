import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

/** A clock whose time moves by itself, and only when nothing else can happen. */
export interface VirtualClock extends Clock.Clock {
  /** Counts the fibers that are about to run; must be the scheduler of all that sleeps by this clock. */
  readonly scheduler: Scheduler.Scheduler
  /** Time stands still while somebody of this name is busy. */
  readonly hold: (name: string) => void
  readonly release: (name: string) => void
}

const nanos = (millis: number): bigint => BigInt(Math.round(millis * 1_000_000))

/**
 * A clock that starts at `start` (milliseconds since the epoch). When no fiber of its scheduler is about to run and
 * nobody holds it, it jumps to the next sleeper's time and wakes that one; sleepers of one time wake in the order in
 * which they fell asleep. So an hour's wait ends at once, and the same program sees the same times.
 */
export const make = (start: number): VirtualClock => {
  const sleepers: Array<Sleeper> = []
  const busy = new Set<string>()
  let now = start
  let pending = 0
  let queued = false

  const idle = () => pending === 0 && busy.size === 0
  const advance = () => {
    if (queued || sleepers.length === 0 || !idle()) return
    queued = true
    // A turn of the event loop later, so that promises that are already kept have gone on.
    setImmediate(() => {
      queued = false
      if (!idle()) return
      const next = sleepers.shift()
      if (next === undefined) return
      now = Math.max(now, next.until)
      next.wake()
      advance()
    })
  }
  const scheduler: Scheduler.Scheduler = (() => {
    const real = new Scheduler.MixedScheduler()
    return {
      executionMode: real.executionMode,
      shouldYield: (fiber) => real.shouldYield(fiber),
      makeDispatcher: () => {
        const dispatcher = real.makeDispatcher()
        return {
          scheduleTask: (task, priority) => {
            pending++
            dispatcher.scheduleTask(() => {
              pending--
              task()
              advance()
            }, priority)
          },
          flush: () => dispatcher.flush(),
        }
      },
    }
  })()
  const sleep = (duration: Duration.Duration) => {
    const millis = Duration.toMillis(duration)
    if (millis <= 0) return Effect.yieldNow
    if (!Number.isFinite(millis)) return Effect.never
    return Effect.callback<void>((resume) => {
      const sleeper: Sleeper = { until: now + millis, wake: () => resume(Effect.void) }
      const at = sleepers.findIndex(({ until }) => until > sleeper.until)
      sleepers.splice(at === -1 ? sleepers.length : at, 0, sleeper)
      advance()
      return Effect.sync(() => {
        const index = sleepers.indexOf(sleeper)
        if (index !== -1) sleepers.splice(index, 1)
      })
    })
  }
  return {
    scheduler,
    hold: (name) => void busy.add(name),
    release: (name) => {
      busy.delete(name)
      advance()
    },
    currentTimeMillisUnsafe: () => now,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanosUnsafe: () => nanos(now),
    currentTimeNanos: Effect.sync(() => nanos(now)),
    monotonicTimeNanosUnsafe: () => nanos(now - start),
    monotonicTimeNanos: Effect.sync(() => nanos(now - start)),
    sleep,
  }
}

/** Runs an effect on a virtual clock. */
export const provide =
  (clock: VirtualClock) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    effect.pipe(Effect.provideService(Clock.Clock, clock), Effect.provideService(Scheduler.Scheduler, clock.scheduler))

/** Holds the clock while an effect is at work, whatever becomes of it. */
export const holding =
  (clock: VirtualClock, name: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => clock.hold(name)),
      () => effect,
      () => Effect.sync(() => clock.release(name)),
    )
