import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Scheduler from "../../../src/daemon/scheduler.ts"
import type { Ledger } from "../../../src/ledger/ledger.ts"
import * as Decide from "../../../src/scheduler/decide.ts"
import type * as ScheduleBook from "../../../src/scheduler/schedule-book.ts"
import type { ScheduleState } from "../../../src/scheduler/schedule-state.ts"
import type { Chance } from "../../../src/simulation/chance.ts"
import { Bookmarks } from "../../../src/services/bookmarks.ts"
import * as VirtualClock from "../../../src/testing/virtual-clock.ts"
import * as SteppedClock from "./stepped-clock.ts"
import * as WeatheredLedger from "./weathered-ledger.ts"
import { type World, atOnce, env, queue } from "./world.ts"

/** A process that schedules, until it is killed. */
export interface Process {
  /** The schedules as it has them; undefined while it begins. */
  readonly book: () => ScheduleBook.ScheduleBook | undefined
  /** Waits until its loop turns. */
  readonly turns: Effect.Effect<void>
  readonly kill: Effect.Effect<void>
}

/** A machine with a clock of its own, on which one process after the other schedules. */
export interface Machine extends SteppedClock.SteppedClock {
  readonly weather: WeatheredLedger.Weather
  /** Starts a process, which ends with the scope at the latest. */
  readonly start: Effect.Effect<Process, never, Scope.Scope>
}

export interface Options {
  readonly world: World
  readonly virtual: VirtualClock.VirtualClock
  readonly chance: Chance
  /** How a process opens the ledger. */
  readonly ledger: Effect.Effect<Ledger["Service"], never, Scope.Scope>
  /** Whether the ledger takes real time: then the clock stands still meanwhile. */
  readonly isReal: boolean
}

const longestNap = 5 * 60_000

/** A machine whose clock is ahead of the others' by `ahead` milliseconds. */
export const make = ({ chance, isReal, ledger, virtual, world }: Options, ahead: number): Machine => {
  const weather: WeatheredLedger.Weather = { away: 0 }
  let current: Scheduler.Scheduler["Service"] | undefined
  const dues = new WeakMap<ScheduleState, number>()
  /** When something is due next, by the clock of the machine: nobody has to look before. */
  const nextDue = (book: ScheduleBook.ScheduleBook) => {
    let next = Infinity
    for (const pipeline of book.pipelines()) {
      const state = book.state(pipeline)
      const facts = { env, pipeline, now: 0, queue, atOnce }
      const due = dues.get(state) ?? Decide.nextDue(facts, state) ?? Infinity
      dues.set(state, due)
      next = Math.min(next, due)
    }
    return next
  }
  const clock = SteppedClock.make(virtual, ahead, () => {
    const book = current?.known()
    if (book === undefined || weather.away > 0) return 0
    // Now and then the machine is busy, and wakes late.
    const late = chance.hits(0.02) ? chance.millis(100, 20_000) : 0
    return Math.min(nextDue(book) - clock.wall(), longestNap) + late
  })
  const kept = new Map<string, string>()
  const bookmarks: Bookmarks = {
    every: 100_000,
    read: (name) => Effect.sync(() => kept.get(name)),
    write: (name, text) => Effect.sync(() => void kept.set(name, text)),
  }
  let works = 0
  const around = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      if (!isReal) return effect
      // Waits for locks are real ones.
      const real = { ...clock.clock, sleep: Clock.Clock.defaultValue().sleep }
      const held = VirtualClock.holding(virtual, `ledger ${ahead} ${works++}`)
      return held(Effect.provideService(effect, Clock.Clock, real))
    })
  const life = Effect.gen(function* () {
    const weathered = WeatheredLedger.make(yield* around(ledger), weather, chance, world.written, around)
    const layer = Scheduler.layer.pipe(Layer.provide(world.around(weathered)))
    current = Context.get(yield* Layer.build(Layer.fresh(layer)), Scheduler.Scheduler)
    return yield* current.run(yield* FiberSet.make<void>())
  }).pipe(
    Effect.scoped,
    // Who starts it starts it again.
    Effect.catch(() => Effect.sleep(5_000)),
    Effect.forever,
    Effect.provideService(Clock.Clock, clock.clock),
    Effect.provideService(Bookmarks, bookmarks),
  )
  return {
    ...clock,
    weather,
    start: Effect.gen(function* () {
      const scope = yield* Scope.fork(yield* Effect.scope)
      current = undefined
      yield* Effect.forkIn(life, scope)
      return {
        book: () => current?.known(),
        turns: Effect.gen(function* () {
          while (current?.isTurning() !== true) yield* virtual.sleep(Duration.millis(500))
        }),
        kill: Effect.suspend(() => {
          current = undefined
          return Scope.close(scope, Exit.void)
        }),
      }
    }),
  }
}
