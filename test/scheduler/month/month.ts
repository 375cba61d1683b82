import { isDeepStrictEqual } from "node:util"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { Actor } from "../../../src/domain/actor.ts"
import { Ledger } from "../../../src/ledger/ledger.ts"
import * as ScheduleBook from "../../../src/scheduler/schedule-book.ts"
import * as Orders from "../../../src/scheduler/schedule-orders.ts"
import type { ScheduleState } from "../../../src/scheduler/schedule-state.ts"
import { Acting } from "../../../src/services/acting.ts"
import { Ids } from "../../../src/services/ids.ts"
import * as Chance from "../../../src/simulation/chance.ts"
import * as FixedIds from "../../../src/testing/fixed-ids.ts"
import * as VirtualClock from "../../../src/testing/virtual-clock.ts"
import * as DrawnSchedule from "./drawn-schedule.ts"
import * as Machine from "./machine.ts"
import * as World from "./world.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** Over jumps of the clocks in America, Europe, Africa and Australia. */
export const begins = Date.UTC(2026, 2, 6, 12)

export interface Options {
  readonly seed: number
  readonly schedules: number
  readonly days: number
  readonly ledger: Machine.Options["ledger"]
  /** Whether the ledger takes real time: then the clock stands still meanwhile. */
  readonly isReal?: boolean
  /** Milliseconds from one disturbance to the next, at most; short ones are as likely as long ones. */
  readonly rest: number
}

/** A time in which nobody watched, by the wall clock. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** What a month came to. */
export interface Lived {
  readonly book: ScheduleBook.ScheduleBook
  /** The wall clock at the end; nothing happened in the last hour. */
  readonly end: number
  readonly unwatched: ReadonlyArray<Span>
  readonly disturbances: Readonly<Record<string, number>>
  readonly world: World.World
  /** What schedules there were, by the digests of the plans. */
  readonly drawn: ReadonlyMap<string, DrawnSchedule.Deployment>
  /** What must not be, and was. */
  readonly violations: ReadonlyArray<string>
}

/** A state without who paused it: a process does not know its own user. */
const nameless = (state: ScheduleState) => ({
  ...state,
  pauses: state.pauses.map(({ from, reason, to }) => ({ from, reason, to })),
})

/** Lives through days of schedules with disturbances, on virtual time. */
export const live = (options: Options): Effect.Effect<Lived> => {
  const virtual = VirtualClock.make(begins)
  return living(options, virtual).pipe(Effect.scoped, VirtualClock.provide(virtual))
}

const living = Effect.fnUntraced(function* (options: Options, virtual: VirtualClock.VirtualClock) {
  const chance = Chance.make(options.seed)
  const world = World.make(virtual, Chance.make(options.seed ^ 0x2545f491))
  const machineOptions = {
    world,
    virtual,
    chance: Chance.make(options.seed ^ 0x5f3759df),
    ledger: options.ledger,
    isReal: options.isReal === true,
  }
  const machine = Machine.make(machineOptions, 0)
  const scope = yield* Effect.scope
  /** A process of a machine, until it is killed or all is over. */
  const started = (on: Machine.Machine) => Effect.provideService(on.start, Scope.Scope, scope)
  const unwatched: Array<{ from: number; to: number }> = []
  const drawn = new Map<string, DrawnSchedule.Deployment>()
  const disturbances: Record<string, number> = {}
  let revision = 0
  // From one on: a cordon of epoch 0 stands for one that cannot be read.
  let reason = 1

  const ids = Array.from({ length: options.schedules }, (_, n) => `p${n}`)
  const deploy = (id: string, schedule: DrawnSchedule.Drawn) => {
    const deployment = DrawnSchedule.deploymentOf(schedule, revision++)
    drawn.set(deployment.digest, deployment)
    world.deployed.set(id, deployment)
  }
  for (const id of ids) deploy(id, DrawnSchedule.draw(chance))

  const passes = (millis: number) => virtual.sleep(Duration.millis(millis))
  /** A time in which nobody watches for sure, or with a clock that shows something else. */
  const unwatching = <A>(effect: Effect.Effect<A>, at = machine.wall) =>
    Effect.gen(function* () {
      const span = { from: at(), to: Infinity }
      unwatched.push(span)
      const result = yield* effect
      span.to = at()
      return result
    })

  /** That who opens the stream anew knows just as much. */
  const isReadAsItWas = (before: ScheduleBook.ScheduleBook) =>
    Effect.gen(function* () {
      const book = yield* ScheduleBook.open(World.env).pipe(Effect.provideService(Ledger, yield* options.ledger))
      if (before.head().sequence !== book.head().sequence) return
      for (const id of ids) {
        if (!isDeepStrictEqual(nameless(before.state(id)), nameless(book.state(id))))
          world.violations.push(`${id} is read otherwise than it was`)
      }
    }).pipe(Effect.scoped, Effect.orDie)

  let lead = yield* started(machine)
  yield* lead.turns
  const restart = (away: number) =>
    unwatching(
      Effect.gen(function* () {
        const before = lead.book()
        yield* lead.kill
        delete machine.weather.dies
        if (before !== undefined) yield* isReadAsItWas(before)
        yield* passes(away)
        lead = yield* started(machine)
        yield* lead.turns
      }),
    )
  /** Somebody orders something of a pipeline. */
  const order = (
    work: (book: ScheduleBook.ScheduleBook, pipeline: string) => Effect.Effect<unknown, { readonly message: string }>,
  ) =>
    Effect.suspend(() => {
      const book = lead.book()
      if (book === undefined) return Effect.void
      const ada: Actor | undefined = chance.hits(0.5) ? { authid: "ada", authtype: "api_key" } : undefined
      return work(book, chance.among(ids)).pipe(
        Effect.timeoutOption(30_500),
        Effect.ignore,
        Effect.provideService(Acting, ada),
        Effect.provideService(Ids, orderIds),
        Effect.provideService(Clock.Clock, machine.clock),
      )
    })
  const orderIds = FixedIds.make(machine.clock, 1)
  const some = () => Array.from({ length: 1 + chance.draw(10) }, () => chance.among(ids))
  const why = (text: string) => `${text} ${reason++}`

  // Of each there are some in a month: of the rarest at least ten are to be expected.
  const all = {
    restart: [15, () => restart(chance.millis(1_000, 3 * hour))],
    dies: [
      15,
      () =>
        Effect.gen(function* () {
          machine.weather.dies = chance.among(["before", "after"])
          yield* unwatching(passes(chance.millis(minute, 20 * minute)))
          yield* restart(chance.millis(1_000, hour))
        }),
    ],
    rival: [
      15,
      () =>
        Effect.gen(function* () {
          const rival = Machine.make(
            machineOptions,
            machine.wall() - virtual.currentTimeMillisUnsafe() + chance.draw(20 * minute) - 10 * minute,
          )
          unwatched.push({ from: Math.min(rival.wall(), machine.wall()), to: Math.max(rival.wall(), machine.wall()) })
          const process = yield* started(rival)
          yield* process.turns
          rival.weather.away = chance.among([0, 0.2])
          yield* unwatching(passes(chance.millis(minute, 4 * hour)), () => Math.max(rival.wall(), machine.wall()))
          yield* process.kill
        }),
    ],
    outage: [
      25,
      () =>
        Effect.gen(function* () {
          machine.weather.away = 1
          yield* unwatching(passes(chance.millis(1_000, 30 * minute)))
          machine.weather.away = 0
        }),
    ],
    flaky: [
      8,
      () =>
        Effect.gen(function* () {
          machine.weather.away = chance.among([0.05, 0.5])
          yield* unwatching(passes(chance.millis(minute, 30 * minute)))
          machine.weather.away = 0
        }),
    ],
    step: [
      35,
      () => {
        const ahead = machine.wall() - virtual.currentTimeMillisUnsafe()
        const millis = chance.millis(500, 5 * hour)
        return unwatching(machine.step(ahead > 0 ? -millis : millis))
      },
    ],
    sleep: [12, () => unwatching(machine.slept(chance.millis(1_000, 8 * hour), chance.hits(0.5)))],
    pause: [25, () => order((book, pipeline) => Orders.pause(book, pipeline, why("somebody wants it so")))],
    resume: [
      45,
      () =>
        order((book) => {
          const paused = ids.filter((id) => book.state(id).pauses.some(({ to }) => to === undefined))
          return paused.length === 0 ? Effect.void : Orders.resume(book, chance.among(paused), "mended")
        }),
    ],
    cancel: [
      45,
      () =>
        order((book) => {
          const asked = ids.flatMap((id) => {
            const { backfills, runs } = book.state(id)
            return [...runs, ...backfills.flatMap(({ ticks }) => ticks)].map(({ run }) => run)
          })
          const by = { authid: "ada", authtype: "user" } as const
          return asked.length === 0 ? Effect.void : Orders.cancelRun(book, chance.among(asked), why("not needed"), by)
        }),
    ],
    deploy: [
      20,
      () =>
        Effect.gen(function* () {
          for (const id of some()) {
            const before = world.deployed.get(id)
            if (before !== undefined && chance.hits(0.2)) world.deployed.delete(id)
            else deploy(id, before !== undefined && chance.hits(0.4) ? before : DrawnSchedule.draw(chance))
          }
          world.redeployed()
          yield* machine.step(0)
        }),
    ],
    cordon: [
      20,
      () =>
        Effect.sync(() => {
          for (const id of some()) {
            if (world.cordons.delete(id)) continue
            const epoch = reason++
            world.cordons.set(id, { id: `C-${epoch}`, epoch, owner: "ada", reason: "an incident", raised: 0 })
          }
        }),
    ],
    backfill: [
      20,
      () =>
        order((book, pipeline) => {
          const to = machine.wall() - chance.millis(minute, 5 * day)
          const definition = chance.among(["today", "then"] as const)
          return Orders.backfill(book, pipeline, World.env, { from: to - chance.millis(hour, day), to, definition })
        }),
    ],
    cancelBackfill: [
      8,
      () =>
        order((book) => {
          const found = ids.flatMap((id) => book.state(id).backfills.map((backfill) => [id, backfill.id] as const))
          if (found.length === 0) return Effect.void
          const [pipeline, backfill] = chance.among(found)
          return Orders.cancelBackfill(book, pipeline, backfill, "no need of it any more").pipe(
            Effect.provideServiceEffect(Ledger, options.ledger),
            Effect.scoped,
          )
        }),
    ],
  } satisfies Record<string, readonly [number, () => Effect.Effect<unknown>]>
  const names = Object.entries(all).flatMap(([name, [weight]]) =>
    Array.from({ length: weight }, () => name),
  ) as ReadonlyArray<keyof typeof all>

  const last = begins + options.days * day
  while (virtual.currentTimeMillisUnsafe() < last) {
    yield* passes(chance.millis(minute, options.rest))
    const name = chance.among(names)
    disturbances[name] = (disturbances[name] ?? 0) + 1
    yield* all[name][1]()
  }
  yield* passes(3 * hour)
  const book = lead.book()
  if (book === undefined) return yield* Effect.die(new Error("Nobody schedules at the end"))
  const end = machine.wall()
  return { book, end, unwatched, disturbances, world, drawn, violations: world.violations } satisfies Lived
})
