import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { Event } from "../../src/domain/event.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus } from "../../src/engine/run-state.ts"
import { Cordons } from "../../src/services/cordons.ts"
import * as CordonsPostgres from "../../src/services/cordons-postgres.ts"
import { Observer } from "../../src/services/observer.ts"
import { echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"
import * as Databases from "../support/servers/databases.ts"
import * as Servers from "../support/servers/scoped.ts"

const sign = { id: "IR-1", owner: "ada", reason: "the disk is full" }
const isHeld = ({ type }: Event) => type === "dev.dandori.run.held.v1"

/** A machine: a project of its own whose cordons are shared in a database. */
const machine = Effect.fnUntraced(function* (url: string) {
  const place = yield* Project.temporary
  const built = yield* Layer.build(
    CordonsPostgres.layer({ root: join(place.home, "cordons"), database: Databases.options(url) }),
  )
  const cordons = Context.get(built, Cordons)
  const services = (types: ReadonlyArray<ReturnType<typeof typeOf>> = [echo]) =>
    Project.services(place, { types, cordons: Layer.succeed(Cordons, cordons) })
  return { cordons, services }
})

/** Starts a run and waits until a cordon holds it. */
const held = (...args: Parameters<typeof Project.request>) =>
  Effect.gen(function* () {
    const reached = yield* Deferred.make<void>()
    const base = yield* Observer
    const onEvent = (event: Event) => (isHeld(event) ? Deferred.doneUnsafe(reached, Effect.void) : undefined)
    const run = Run.start(Project.request(...args)).pipe(Effect.provideService(Observer, { ...base, onEvent }))
    const fiber = yield* Effect.forkChild(run)
    yield* Deferred.await(reached)
    return fiber
  })

const made = plan([task("first", echo), task("second", echo, { needs: ["first"] })])

const succeeds = Effect.fnUntraced(function* (...args: Parameters<typeof Project.request>) {
  const { run, state } = yield* Run.start(Project.request(...args))
  assert.strictEqual(runStatus(state), "succeeded")
  return Project.story(yield* Project.entriesOf(run))
})

const machines = Effect.gen(function* () {
  const url = yield* Effect.flatMap(Databases.Databases, ({ make }) => make)
  return yield* Effect.all({ one: machine(url), two: machine(url) })
})

layer(Databases.layer, { excludeTestServices: true })("a cordon of one machine", (test) => {
  test.effect("keeps a run of another on the same database from starting anything until it is lifted", () =>
    Effect.gen(function* () {
      const { one, two } = yield* machines
      yield* one.cordons.raise(sign)
      yield* Effect.gen(function* () {
        const fiber = yield* held(made)
        yield* one.cordons.lift("IR-1")
        const { run, state } = yield* Fiber.join(fiber)
        assert.strictEqual(runStatus(state), "succeeded")
        const entries = yield* Project.entriesOf(run)
        assert.deepInclude(Project.dataOf(entries, "run.held")[0], { cordon: "IR-1", reason: sign.reason })
        assert.deepStrictEqual(Project.story(entries).slice(0, 4), [
          "run.created",
          "run.held",
          "run.released",
          "attempt.started first",
        ])
      }).pipe(Effect.provide(two.services()))
    }),
  )

  test.effect("that is raised while a run goes on keeps its next attempt, and the last one is not disturbed", () =>
    Effect.gen(function* () {
      const { one, two } = yield* machines
      const isSeen = Effect.map(two.cordons.against({ pipeline: "pipeline" }), Option.isSome)
      const raises = typeOf("raises", "idempotent", (input) =>
        one.cordons
          .raise(sign)
          .pipe(
            Effect.andThen(Effect.repeat(isSeen, { schedule: Schedule.spaced(20), until: (seen) => seen })),
            Effect.orDie,
            Effect.as(input),
          ),
      )
      yield* Effect.gen(function* () {
        const fiber = yield* held(plan([task("first", raises), task("second", echo, { needs: ["first"] })]))
        yield* one.cordons.lift("IR-1")
        const { run, state } = yield* Fiber.join(fiber)
        assert.strictEqual(runStatus(state), "succeeded")
        assert.deepStrictEqual(Project.story(yield* Project.entriesOf(run)).slice(0, 6), [
          "run.created",
          "attempt.started first",
          "attempt.succeeded first",
          "run.held",
          "run.released",
          "attempt.started second",
        ])
      }).pipe(Effect.provide(two.services([raises, echo])))
    }),
  )

  test.effect("lets a rollback of another pass, and a run that carries its incident", () =>
    Effect.gen(function* () {
      const { one, two } = yield* machines
      yield* one.cordons.raise(sign)
      yield* Effect.gen(function* () {
        assert.notInclude(yield* succeeds({ ...made, id: "rollback" }), "run.held")
        assert.notInclude(yield* succeeds(made, { params: { incident: "IR-1" } }), "run.held")
      }).pipe(Effect.provide(two.services()))
    }),
  )
})

describe("a start while the database of the cordons is away", () => {
  it.live("is held with the reason, goes on when that is back, and keeps no rollback and no repair waiting", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownPostgres()
      const { cordons, services } = yield* machine(server.url)
      yield* Effect.promise(() => server.stop("SIGINT"))
      yield* cordons.raise({ ...sign, scope: ["another"] })
      yield* Effect.gen(function* () {
        assert.notInclude(yield* succeeds({ ...made, id: "rollback" }), "run.held")
        assert.notInclude(yield* succeeds(made, { params: { incident: "IR-1" } }), "run.held")
        const fiber = yield* held(made)
        yield* Effect.acquireRelease(
          Effect.promise(() => server.again()),
          (back) => Effect.promise(() => back.stop("SIGINT")),
        )
        const { run, state } = yield* Fiber.join(fiber)
        assert.strictEqual(runStatus(state), "succeeded")
        const entries = yield* Project.entriesOf(run)
        const [said] = Project.dataOf(entries, "run.held")
        assert.match(String(said.reason), /in PostgreSQL cannot be read, which counts as raised: .*start the server/)
        assert.strictEqual(Project.story(entries)[2], "run.released")
      }).pipe(Effect.provide(services()))
    }),
  )
})
