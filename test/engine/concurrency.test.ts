import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Event } from "../../src/domain/event.ts"
import type { Concurrency, Plan } from "../../src/domain/plan.ts"
import type * as Execution from "../../src/engine/execution.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus } from "../../src/engine/run-state.ts"
import { Observer } from "../../src/services/observer.ts"
import { echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"
import * as LeaseProcess from "../support/lease-process.ts"

const type = (event: string) => `dev.dandori.${event}.v1`

/** A place in which runs of one task go on until they are let go; each process has services of its own. */
const place = Effect.gen(function* () {
  const project = yield* Project.temporary
  const go = yield* Deferred.make<void>()
  const waits = typeOf("waits", "pure", () => Effect.as(Deferred.await(go), {}))
  const start = (made: Plan, moment: string, control?: Execution.Control) =>
    Effect.gen(function* () {
      const reached = yield* Deferred.make<string>()
      const told: Array<string> = []
      const observer = yield* Observer
      const onEvent = (event: Event & { readonly run: string }) => {
        told.push(event.type)
        if (event.type === type(moment)) Deferred.doneUnsafe(reached, Effect.succeed(event.run))
      }
      const request = Project.request(made, control === undefined ? {} : { control })
      const fiber = yield* Run.start(request).pipe(
        Effect.provideService(Observer, { ...observer, onEvent }),
        Effect.provide(Project.services(project, { types: [waits] })),
        Effect.forkScoped,
      )
      return {
        fiber,
        told,
        run: yield* Effect.raceFirst(Deferred.await(reached), Effect.andThen(Fiber.join(fiber), Effect.never)),
      }
    })
  const made = (changed: Partial<Concurrency> = {}) =>
    plan([task("one", waits)], { concurrency: { group: "g", limit: 1, onConflict: "queue", ...changed } })
  return { go: Deferred.succeed(go, undefined), made, start }
})

describe("a run of a concurrency group", () => {
  it.live("is queued behind the one that goes on, and begins when that has ended", () =>
    Effect.gen(function* () {
      const { go, made, start } = yield* place
      const first = yield* start(made(), "attempt.started")
      const second = yield* start(made(), "run.queued")
      assert.notInclude(second.told, type("attempt.started"))
      yield* go
      yield* Fiber.join(first.fiber)
      assert.strictEqual(runStatus((yield* Fiber.join(second.fiber)).state), "succeeded")
      const [queued, admitted, started] = ["run.queued", "run.admitted", "attempt.started"].map((event) =>
        second.told.indexOf(type(event)),
      )
      assert.isTrue(queued < admitted && admitted < started, second.told.join())
    }),
  )

  it.live("goes on beside others up to the limit, and groups do not know each other", () =>
    Effect.gen(function* () {
      const { go, made, start } = yield* place
      const two = made({ limit: 2 })
      const runs = [
        yield* start(two, "attempt.started"),
        yield* start(two, "attempt.started"),
        yield* start(made({ group: "other" }), "attempt.started"),
      ]
      const third = yield* start(two, "run.queued")
      yield* go
      for (const { fiber } of [...runs, third]) yield* Fiber.join(fiber)
    }),
  )

  it.live("with the policy fail is refused before it leaves anything in the ledger", () =>
    Effect.gen(function* () {
      const { go, made, start } = yield* place
      const first = yield* start(made(), "attempt.started")
      const refused = yield* Effect.flip(start(made({ onConflict: "fail" }), "run.created"))
      assert.strictEqual(refused._tag, "GroupBusy")
      assert.include(refused.message, first.run)
      yield* go
      yield* Fiber.join(first.fiber)
    }),
  )

  it.live("with the policy cancel-running takes the place of the one that goes on", () =>
    Effect.gen(function* () {
      const { go, made, start } = yield* place
      const first = yield* start(made(), "attempt.started")
      const second = yield* start(made({ onConflict: "cancel-running" }), "attempt.started")
      assert.strictEqual(runStatus((yield* Fiber.join(first.fiber)).state), "cancelled")
      yield* go
      assert.strictEqual(runStatus((yield* Fiber.join(second.fiber)).state), "succeeded")
    }),
  )

  it.live("that is cancelled while it is queued ends without its turn", () =>
    Effect.gen(function* () {
      const { go, made, start } = yield* place
      const first = yield* start(made(), "attempt.started")
      const asked: Array<(reason: string) => void> = []
      const control: Execution.Control = { onCancel: (cancel) => (asked.push(cancel), () => {}) }
      const second = yield* start(made(), "run.queued", control)
      for (const cancel of asked) cancel("enough")
      assert.strictEqual(runStatus((yield* Fiber.join(second.fiber)).state), "cancelled")
      yield* go
      assert.strictEqual(runStatus((yield* Fiber.join(first.fiber)).state), "succeeded")
    }),
  )

  it.live("that gives up its place asks nobody any more to make way", () =>
    Effect.gen(function* () {
      const { home, project } = yield* Project.temporary
      const other = yield* LeaseProcess.start(home)
      const group = { "concurrency/g": 1 }
      other.acquire("other", { pools: group }, { capacity: { cpu: 2, memory: 100, gpu: 0, pools: group } })
      yield* other.hear("other", "held")
      const made = plan([task("one", echo)], { concurrency: { group: "g", limit: 1, onConflict: "cancel-running" } })
      const fiber = yield* Run.start(Project.request(made)).pipe(
        Effect.provide(Project.services(Project.at(project), { types: [echo] })),
        Effect.forkScoped,
      )
      const letters = Effect.promise(() => Fs.readdir(join(home, "inbox/other")).catch(() => ["none yet"]))
      yield* Effect.repeat(letters, { until: ([name]) => name?.endsWith(".request.json") === true })
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* letters, [])
    }),
  )
})
