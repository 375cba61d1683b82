import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Event } from "../../src/domain/event.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus } from "../../src/engine/run-state.ts"
import { Cordons } from "../../src/services/cordons.ts"
import { Observer } from "../../src/services/observer.ts"
import { echo, plan, task } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const made = plan([task("first", echo), task("second", echo, { needs: ["first"] })])

/** Starts the run and waits until a cordon holds it; what happens then is up to the test. */
const held = (moment: (event: Event) => boolean, params: Run.RunRequest["params"] = {}) =>
  Effect.gen(function* () {
    const reached = yield* Deferred.make<string>()
    const base = yield* Observer
    const observer: typeof base = {
      ...base,
      onEvent: (event) => {
        if (moment(event)) Deferred.doneUnsafe(reached, Effect.succeed(event.run))
      },
    }
    const fiber = yield* Effect.forkChild(
      Run.start(Project.request(made, { params })).pipe(Effect.provideService(Observer, observer)),
    )
    return { fiber, run: yield* Deferred.await(reached) }
  })

const isHeld = ({ type }: Event) => type === "dev.dandori.run.held.v1"
const sign = { id: "stop", owner: "ada", reason: "the disk is full" }

const inPlace = <A, E>(
  body: (place: Project.Project) => Effect.Effect<A, E, Effect.Services<ReturnType<typeof held>> | Cordons>,
) =>
  Effect.gen(function* () {
    const place = yield* Project.temporary
    return yield* Effect.provide(body(place), Project.services(place, { types: [echo] }))
  })

describe("a cordon", () => {
  it.live("keeps a run from starting anything until it is lifted, and the run says both", () =>
    inPlace(() =>
      Effect.gen(function* () {
        const cordons = yield* Cordons
        yield* cordons.raise(sign)
        const { fiber, run } = yield* held(isHeld)
        yield* cordons.lift("stop")
        assert.strictEqual(runStatus((yield* Fiber.join(fiber)).state), "succeeded")
        assert.deepStrictEqual(Project.story(yield* Project.entriesOf(run)).slice(0, 4), [
          "run.created",
          "run.held",
          "run.released",
          "attempt.started first",
        ])
      }),
    ),
  )

  it.live("that cannot be read counts as raised, whatever is in it", () =>
    inPlace((place) =>
      Effect.gen(function* () {
        const file = join(place.home, "cordons", "odd.json")
        yield* Effect.promise(async () => {
          await Fs.mkdir(join(place.home, "cordons"))
          await Fs.writeFile(file, "{ torn")
        })
        const { fiber, run } = yield* held(isHeld)
        yield* Effect.promise(() => Fs.rm(file))
        assert.strictEqual(runStatus((yield* Fiber.join(fiber)).state), "succeeded")
        const [said] = Project.dataOf(yield* Project.entriesOf(run), "run.held")
        assert.match(String(said.reason), /cannot be read, which counts as raised/)
      }),
    ),
  )

  it.live("of another pipeline, or one that has expired, keeps nothing", () =>
    inPlace(() =>
      Effect.gen(function* () {
        const cordons = yield* Cordons
        yield* cordons.raise({ ...sign, id: "other", scope: ["another"] })
        yield* cordons.raise({ ...sign, id: "old", expires: 1 })
        const epochs = (yield* cordons.list).map(({ epoch, id }) => [id, epoch])
        assert.deepStrictEqual(epochs, [
          ["other", 1],
          ["old", 2],
        ])
        const { run, state } = yield* Run.start(Project.request(made))
        assert.strictEqual(runStatus(state), "succeeded")
        assert.notInclude(Project.story(yield* Project.entriesOf(run)), "run.held")
      }),
    ),
  )

  it.live("lets a rollback pass, and a run that carries its incident; another incident's run it keeps", () =>
    inPlace(() =>
      Effect.gen(function* () {
        const cordons = yield* Cordons
        yield* cordons.raise({ ...sign, id: "IR-1" })
        for (const [plan, params] of [
          [{ ...made, id: "rollback" }, {}],
          [made, { incident: "IR-1" }],
        ] as const) {
          const { run, state } = yield* Run.start(Project.request(plan, { params }))
          assert.strictEqual(runStatus(state), "succeeded")
          assert.notInclude(Project.story(yield* Project.entriesOf(run)), "run.held")
        }
        const { fiber } = yield* held(isHeld, { incident: "IR-2" })
        yield* cordons.lift("IR-1")
        assert.strictEqual(runStatus((yield* Fiber.join(fiber)).state), "succeeded")
      }),
    ),
  )

  it.live("is refused under a name that is taken, and cannot be lifted where there is none", () =>
    inPlace(() =>
      Effect.gen(function* () {
        const cordons = yield* Cordons
        yield* cordons.raise(sign)
        assert.strictEqual((yield* Effect.flip(cordons.raise(sign)))._tag, "CordonTaken")
        assert.match((yield* Effect.flip(cordons.lift("stpo"))).message, /no cordon stpo; raised are stop/)
      }),
    ),
  )
})
