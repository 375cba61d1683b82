import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Event } from "../../src/domain/event.ts"
import type { Plan } from "../../src/domain/plan.ts"
import * as Run from "../../src/engine/run.ts"
import { Cordons } from "../../src/services/cordons.ts"
import { Inbox } from "../../src/services/inbox.ts"
import { Leases } from "../../src/services/leases.ts"
import { Observer, type RunObserver } from "../../src/services/observer.ts"
import { echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const waits = typeOf("waits", "pure", () => Effect.never)
const types = [echo, waits]
const bug = new Error("a bug of ours")

const quiet: RunObserver = { onEvent: () => {}, onProgress: () => {}, onLog: () => {}, onWaiting: () => {} }
const breaksAt = (type: Event["type"]): RunObserver => ({
  ...quiet,
  onEvent: (event) => {
    if (event.type === type) throw bug
  },
})

const runsTo = (made: Plan, change: (run: ReturnType<typeof Run.start>) => ReturnType<typeof Run.start>) =>
  Effect.gen(function* () {
    const place = yield* Project.temporary
    const started = Run.start(Project.request(made, { wait: true }))
    return yield* Effect.exit(change(started)).pipe(Effect.provide(Project.services(place, { types })))
  })

const assertBug = <A, E>(exit: Exit.Exit<A, E>) => {
  assert.isTrue(Exit.isFailure(exit))
  if (Exit.isFailure(exit)) assert.strictEqual(Cause.squash(exit.cause), bug)
}

describe("a run in whose process something breaks in the background", () => {
  const one = plan([task("a", echo)])
  const locked = plan([task("a", echo, { resources: { locks: ["a"] } })])

  it.live("ends with what broke when it is while the start of an attempt is shown", () =>
    Effect.gen(function* () {
      assertBug(yield* runsTo(one, Effect.provideService(Observer, breaksAt("dev.dandori.attempt.started.v1"))))
    }),
  )

  it.live("goes on when it is while the end of an attempt is shown: the ledger has it", () =>
    Effect.gen(function* () {
      const exit = yield* runsTo(one, Effect.provideService(Observer, breaksAt("dev.dandori.attempt.succeeded.v1")))
      assert.isTrue(Exit.isSuccess(exit))
    }),
  )

  it.live("ends with what broke when it is the wait for a lock", () =>
    Effect.gen(function* () {
      const broken = Leases.of({
        acquire: () => Effect.die(bug),
        acquireNow: () => Effect.die(bug),
        holders: () => Effect.die(bug),
      })
      assertBug(yield* runsTo(locked, Effect.provideService(Leases, broken)))
    }),
  )

  it.live("ends with what broke when it is the look into its inbox", () =>
    Effect.gen(function* () {
      const broken = Inbox.of({
        put: () => Effect.die(bug),
        answerTo: () => Effect.die(bug),
        withdraw: () => Effect.die(bug),
        arrivals: () => Effect.die(bug),
        answer: () => Effect.die(bug),
        clear: () => Effect.die(bug),
      })
      const long = plan([task("a", waits)])
      assertBug(yield* runsTo(long, Effect.provideService(Inbox, broken)))
    }),
  )

  it.live("ends with what broke when it is the look at cordons after the wait for a lock", () =>
    Effect.gen(function* () {
      let looks = 0
      const broken = Effect.map(Cordons, (real) =>
        Cordons.of({
          ...real,
          against: (starter) => (++looks === 1 ? real.against(starter) : Effect.die(bug)),
        }),
      )
      assertBug(yield* runsTo(locked, Effect.provideServiceEffect(Cordons, broken)))
    }),
  )
})
