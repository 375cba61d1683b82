import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Scheduler from "../../src/daemon/scheduler.ts"
import { LedgerFailed } from "../../src/ledger/errors.ts"
import type { Ledger } from "../../src/ledger/ledger.ts"
import * as Chance from "../../src/simulation/chance.ts"
import * as VirtualClock from "../../src/testing/virtual-clock.ts"
import * as DrawnSchedule from "../scheduler/month/drawn-schedule.ts"
import * as MemoryLedger from "../scheduler/month/memory-ledger.ts"
import { scheduleOf } from "../scheduler/schedule.fixture.ts"
import * as World from "../scheduler/month/world.ts"

const scheduled = (cron: string) => DrawnSchedule.deploymentOf({ schedule: scheduleOf(cron), ticks: () => [] }, 0)

describe("a scheduler whose first writes fail", () => {
  it.live("turns again once it can write, also where one of its schedules is not due for months", () => {
    const virtual = VirtualClock.make(Date.UTC(2026, 2, 6, 12, 0, 30))
    return Effect.gen(function* () {
      const world = World.make(virtual, Chance.make(1))
      const memory = MemoryLedger.make(new Map())
      let isFull = false
      const ledger: Ledger["Service"] = {
        ...memory,
        extend: (stream, after, events, by) =>
          Effect.suspend(() =>
            isFull
              ? Effect.fail(new LedgerFailed({ stream, reason: "no space left on device" }))
              : memory.extend(stream, after, events, by),
          ),
      }
      /** A process that schedules until its scope is closed. */
      const start = Effect.gen(function* () {
        const scope = yield* Scope.fork(yield* Effect.scope)
        const layer = Layer.fresh(Scheduler.layer.pipe(Layer.provide(world.around(ledger))))
        const scheduler = Context.get(yield* Layer.buildWithScope(layer, scope), Scheduler.Scheduler)
        yield* Effect.forkIn(Effect.flatMap(FiberSet.make<void>(), scheduler.run).pipe(Scope.provide(scope)), scope)
        return { scheduler, end: Scope.close(scope, Exit.void) }
      })
      const passes = (seconds: number) => virtual.sleep(Duration.seconds(seconds))

      world.deployed.set("often", scheduled("* * * * *"))
      world.deployed.set("rare", scheduled("0 0 1 1 *"))
      const first = yield* start
      yield* passes(10)
      assert.isBelow((yield* first.scheduler.sinceTurn) ?? Infinity, 2_000)
      yield* first.end
      // Something is due at the start, and the disk is full.
      yield* passes(90)
      isFull = true
      const second = yield* start
      yield* passes(10)
      assert.isAbove((yield* second.scheduler.sinceTurn) ?? 0, 5_000)
      isFull = false
      yield* passes(10)
      assert.isBelow((yield* second.scheduler.sinceTurn) ?? Infinity, 2_000)
      yield* second.end
    }).pipe(Effect.scoped, VirtualClock.provide(virtual))
  })
})
