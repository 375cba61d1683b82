import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as LeasesPostgres from "../../src/services/leases-postgres.ts"
import { Leases } from "../../src/services/leases.ts"
import { Observer, type RunObserver } from "../../src/services/observer.ts"
import { echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"
import * as LeaseProcess from "../support/lease-process.ts"
import * as Databases from "../support/servers/databases.ts"
import * as Servers from "../support/servers/scoped.ts"

const locked = { resources: { locks: ["a"] } }
const silent: RunObserver = { onEvent: () => {}, onProgress: () => {}, onLog: () => {}, onWaiting: () => {} }

/** A project whose leases are in a database of its own with a term of three seconds, and how that goes and comes back. */
const place = Effect.gen(function* () {
  const project = yield* Project.temporary
  const server = yield* Servers.ownPostgres()
  const database = Databases.options(server.url)
  const built = yield* Layer.build(LeasesPostgres.layer({ home: project.home, database, termMillis: 3_000 }))
  const leases = Context.get(built, Leases)
  const away = Effect.promise(() => server.stop("SIGKILL"))
  const back = yield* Effect.cached(Effect.promise(() => server.again()))
  yield* Effect.addFinalizer(() => Effect.flatMap(back, (again) => Effect.promise(() => again.stop("SIGINT"))))
  return { project, leases, layer: Layer.succeed(Leases, leases), away, back }
})

/** Calls when an event of this type comes. */
const when = (type: string, then: () => void): RunObserver => ({
  ...silent,
  onEvent: (event) => (event.type === `dev.dandori.${type}.v1` ? then() : undefined),
})

describe("an attempt whose leases are lost", () => {
  it.live("is stopped, is lost, and is tried again when they can be had again", () =>
    Effect.gen(function* () {
      const { away, back, layer, project } = yield* place
      let attempts = 0
      let stopped = 0
      const type = typeOf("works", "idempotent", () =>
        ++attempts === 1
          ? Effect.andThen(
              away,
              Effect.onInterrupt(Effect.never, () => Effect.sync(() => void stopped++)),
            )
          : Effect.succeed({}),
      )
      const observer = when("attempt.lost", () => void Effect.runFork(back))
      yield* Effect.gen(function* () {
        const { run, state } = yield* Run.start(Project.request(plan([task("one", type, locked)])))
        assert.strictEqual(runStatus(state), "succeeded")
        assert.strictEqual(stopped, 1)
        const entries = yield* Project.entriesOf(run)
        const [lost] = Project.dataOf(entries, "attempt.lost")
        assert.match(
          String(lost.reason),
          /it held its leases no more: its term could not be renewed in PostgreSQL for 2 s/,
        )
        assert.deepInclude(Project.dataOf(entries, "attempt.succeeded")[0], { task: "one", attempt: 2 })
      }).pipe(
        Effect.provideService(Observer, observer),
        Effect.provide(Project.services(project, { types: [type], leases: layer })),
      )
    }),
  )

  it.live(
    "gives nothing that counts, though it came to its end, and what it did is unknown where nobody can tell",
    () =>
      Effect.gen(function* () {
        const { away, layer, leases, project } = yield* place
        const type = typeOf("works", "once", () =>
          Effect.gen(function* () {
            const other = yield* leases.acquire(LeaseProcess.request("other", { locks: ["b"] }), () => {})
            yield* away
            yield* other.loss
            return {}
          }).pipe(Effect.scoped, Effect.orDie, Effect.uninterruptible),
        )
        yield* Effect.gen(function* () {
          const { run, state } = yield* Run.start(Project.request(plan([task("one", type, locked)])))
          assert.strictEqual(runStatus(state), "waiting")
          assert.strictEqual(taskOf(state, "one").status, "unknown")
          const [unknown] = Project.dataOf(yield* Project.entriesOf(run), "attempt.unknown")
          assert.match(String(unknown.reason), /it held its leases no more/)
        }).pipe(Effect.provide(Project.services(project, { types: [type], leases: layer })))
      }),
  )
})

describe("a run that loses its place in its concurrency group", () => {
  it.live("is stopped, says how to go on with it, and goes on when it has a place again", () =>
    Effect.gen(function* () {
      const { away, back, layer, leases, project } = yield* place
      const begun = yield* Deferred.make<void>()
      let attempts = 0
      const type = typeOf("works", "idempotent", () =>
        ++attempts === 1 ? Effect.andThen(Deferred.succeed(begun, undefined), Effect.never) : Effect.succeed({}),
      )
      const made = plan([task("one", type), task("two", echo, { needs: ["one"] })], {
        concurrency: { group: "g", limit: 1, onConflict: "queue" },
      })
      yield* Effect.gen(function* () {
        const running = yield* Effect.forkChild(Run.start(Project.request(made)))
        yield* Deferred.await(begun)
        yield* away
        const error = yield* Effect.flip(Fiber.join(running))
        const [run] = yield* (yield* Ledger).runs
        assert.strictEqual(error._tag, "TurnLost")
        assert.match(error.message, new RegExp(`concurrency group g: .* dandori runs resume ${run}`))
        assert.notInclude(Project.story(yield* Project.entriesOf(run)), "attempt.started two")
        yield* back
        assert.strictEqual(runStatus((yield* Project.resume(run)).state), "succeeded")
        assert.deepStrictEqual(yield* leases.holders("pool concurrency/g"), [])
      }).pipe(Effect.provide(Project.services(project, { types: [type, echo], leases: layer })))
    }),
  )
})
