import { existsSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { Event } from "../../src/domain/event.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as LeasesSqlite from "../../src/services/leases-sqlite.ts"
import { Leases, type Waiting, waitingText } from "../../src/services/leases.ts"
import { Observer, type RunObserver } from "../../src/services/observer.ts"
import { echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"
import * as LeaseProcess from "../support/lease-process.ts"

const locked = { resources: { locks: ["a"] } }
const silent: RunObserver = { onEvent: () => {}, onProgress: () => {}, onLog: () => {}, onWaiting: () => {} }

/** Somebody else who works in the project: holds the lock `a` until it is told to let go. */
const somebody = Effect.fnUntraced(function* ({ home }: Project.Project) {
  const context = yield* Layer.build(LeasesSqlite.layer(home))
  const leases = Context.get(context, Leases)
  const scope = yield* Scope.make()
  yield* Scope.provide(
    leases.acquire(LeaseProcess.request("other", locked.resources), () => {}),
    scope,
  )
  return { leases, letGo: Scope.close(scope, Exit.void) }
})

describe("a task that names a lock", () => {
  it.live("waits while another process holds it, says so, and has its intent only when it holds it", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const { leases, letGo } = yield* somebody(place)
      const told = yield* Deferred.make<Waiting>()
      const seen: Array<string> = []
      const observer: RunObserver = {
        ...silent,
        onEvent: ({ type }) => void seen.push(type),
        onWaiting: (id, waiting) => {
          seen.push(`${id} waits`)
          Deferred.doneUnsafe(told, Effect.succeed(waiting))
        },
      }
      const holding = typeOf("holding", "pure", () =>
        Effect.map(Effect.orDie(leases.holders("lock a")), (value) => ({ value })),
      )
      yield* Effect.gen(function* () {
        const running = yield* Effect.forkChild(
          Run.start(Project.request(plan([task("one", holding, locked), task("two", echo, { needs: ["one"] })]))),
        )
        const waiting = yield* Deferred.await(told)
        assert.strictEqual(waitingText(waiting), `lock a, held by run other, pid ${process.pid}`)
        assert.deepStrictEqual(seen, ["dev.dandori.run.created.v1", "one waits"])
        yield* letGo
        const { run, state } = yield* Fiber.join(running)
        assert.strictEqual(runStatus(state), "succeeded")
        const holder = { run, task: "one", attempt: 1, pid: process.pid }
        assert.deepStrictEqual(taskOf(state, "one").output, { value: [holder] })
        assert.deepStrictEqual(yield* leases.holders("lock a"), [])
        assert.strictEqual(seen.filter((each) => each.includes("attempt.started")).length, 2)
      }).pipe(
        Effect.provideService(Observer, observer),
        Effect.provide(Project.services(place, { types: [holding, echo] })),
      )
    }),
  )

  it.live("is cancelled while it waits, and leaves no request behind", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* somebody(place)
      const asked: Array<(reason: string) => void> = []
      const control = { onCancel: (cancel: (reason: string) => void) => (asked.push(cancel), () => {}) }
      const observer: RunObserver = { ...silent, onWaiting: () => asked.forEach((cancel) => cancel("enough")) }
      yield* Effect.gen(function* () {
        const tasks = [task("one", echo, locked), task("report", echo, { block: "finally" })]
        const { run, state } = yield* Run.start(Project.request(plan(tasks), { control }))
        assert.strictEqual(runStatus(state), "cancelled")
        assert.strictEqual(taskOf(state, "one").status, "cancelled")
        assert.notInclude(Project.story(yield* Project.entriesOf(run)), "attempt.started one")
        assert.deepStrictEqual(LeaseProcess.rowsLeft(place.home), { owners: 2, requests: 1, wants: 1 })
      }).pipe(Effect.provideService(Observer, observer), Effect.provide(Project.services(place, { types: [echo] })))
    }),
  )

  it.live("is left to a resume by a shutdown while it waits, and its request goes with the process", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const { letGo } = yield* somebody(place)
      const told = yield* Deferred.make<void>()
      const observer: RunObserver = { ...silent, onWaiting: () => Deferred.doneUnsafe(told, Effect.void) }
      yield* Effect.gen(function* () {
        const running = yield* Effect.forkChild(Run.start(Project.request(plan([task("one", echo, locked)]))))
        yield* Deferred.await(told)
        yield* Fiber.interrupt(running)
        assert.deepStrictEqual(LeaseProcess.rowsLeft(place.home), { owners: 2, requests: 1, wants: 1 })
        yield* letGo
        const [run] = yield* (yield* Ledger).runs
        assert.strictEqual(runStatus((yield* Project.resume(run)).state), "succeeded")
      }).pipe(Effect.provideService(Observer, observer), Effect.provide(Project.services(place, { types: [echo] })))
    }),
  )

  it.live("holds it until its end is in the ledger, and again for its next attempt", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const context = yield* Layer.build(LeasesSqlite.layer(place.home))
      const leases = Context.get(context, Leases)
      const held: Array<string> = []
      const type = typeOf("fails once", "idempotent", () => Effect.die(new Error("it fails")))
      const observer: RunObserver = {
        ...silent,
        onEvent: (event: Event) => {
          if (!event.type.includes("attempt.")) return
          const { requests } = LeaseProcess.rowsLeft(place.home)
          held.push(`${event.type.split(".")[3]} ${requests}`)
        },
      }
      yield* Effect.gen(function* () {
        yield* leases.holders("lock a")
        const retry = {
          attempts: 2,
          on: ["Defect"],
          backoff: { initial: 1, factor: 1, max: 1, jitter: "none" as const },
        }
        const { state } = yield* Run.start(Project.request(plan([task("one", type, { ...locked, retry })])))
        assert.strictEqual(runStatus(state), "failed")
        assert.deepStrictEqual(held, ["started 1", "failed 1", "started 1", "failed 1"])
        assert.deepStrictEqual(yield* leases.holders("lock a"), [])
      }).pipe(Effect.provideService(Observer, observer), Effect.provide(Project.services(place, { types: [type] })))
    }),
  )

  it.live("gives its lease back when the run has no room for it any more, and takes it when there is room again", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const { leases, letGo } = yield* somebody(place)
      const waits = yield* Deferred.make<void>()
      const passed = yield* Deferred.make<void>()
      let [running, most] = [0, 0]
      const observer: RunObserver = {
        ...silent,
        onEvent: ({ type }) => {
          if (type.includes("attempt.started")) most = Math.max(most, ++running)
          if (type.includes("attempt.succeeded")) running--
        },
        onWaiting: () => Deferred.doneUnsafe(waits, Effect.void),
      }
      const first = typeOf("first", "pure", () => Effect.as(Deferred.await(waits), {}))
      // Behind the waiting task in the queue: it gets the lock when that has given it back.
      const passes = typeOf("passes", "pure", () =>
        Effect.gen(function* () {
          const own = yield* Effect.forkChild(
            Effect.scoped(leases.acquire(LeaseProcess.request("after", locked.resources), () => {})),
          )
          yield* letGo
          yield* Effect.orDie(Fiber.join(own))
          yield* Deferred.succeed(passed, undefined)
          return {}
        }),
      )
      const stays = typeOf("stays", "pure", () => Effect.as(Deferred.await(passed), {}))
      const types = [first, passes, stays, echo]
      yield* Effect.gen(function* () {
        const tasks = [
          task("first", first, { priority: 9 }),
          task("train", echo, locked),
          task("passes", passes, { priority: 5, needs: ["first"] }),
          task("stays", stays, { priority: 5, needs: ["first"] }),
        ]
        const capacity = { ...Project.capacity, attempts: 2 }
        const { state } = yield* Run.start(Project.request(plan(tasks), { capacity }))
        assert.strictEqual(runStatus(state), "succeeded")
        assert.strictEqual(most, 2)
      }).pipe(Effect.provideService(Observer, observer), Effect.provide(Project.services(place, { types })))
    }),
  )

  it.live("does not start when leases cannot be given, and says why", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.promise(() => Bun.write(join(place.home, "state.db"), "this is no database, as far as can be seen"))
      yield* Effect.gen(function* () {
        const { run, state } = yield* Run.start(Project.request(plan([task("one", echo, locked)])))
        assert.strictEqual(runStatus(state), "failed")
        assert.strictEqual(taskOf(state, "one").error?.tag, "LeasesUnavailable")
        assert.include(taskOf(state, "one").error?.message, "Pools and locks cannot be taken in")
        assert.notInclude(Project.story(yield* Project.entriesOf(run)), "attempt.started one")
      }).pipe(Effect.provide(Project.services(place, { types: [echo] })))
    }),
  )
})

describe("tasks that name nothing", () => {
  it.live("never touch the state store", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const { state } = yield* Run.start(Project.request(plan([task("one", echo)]))).pipe(
        Effect.provide(Project.services(place, { types: [echo] })),
      )
      assert.strictEqual(runStatus(state), "succeeded")
      assert.isFalse(existsSync(join(place.home, "state.db")))
      assert.isFalse(existsSync(join(place.home, "owners")))
    }),
  )
})
