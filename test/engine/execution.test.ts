import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Event } from "../../src/domain/event.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import { Observer } from "../../src/services/observer.ts"
import { Flaky, echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const waits = typeOf("waits", "pure", () => Effect.never)
const slow = typeOf("slow", "pure", () => Effect.as(Effect.sleep(20), {}))

/** A person who cancels when the run comes to an event that is looked for. */
const canceller = (isMoment: (event: Event) => boolean) => {
  const asked: Array<(reason: string) => void> = []
  let done = false
  return {
    control: { onCancel: (cancel: (reason: string) => void) => (asked.push(cancel), () => {}) },
    observer: {
      onEvent: (event: Event) => {
        if (done || !isMoment(event)) return
        done = true
        for (const cancel of asked) cancel("enough")
      },
      onProgress: () => {},
      onLog: () => {},
      onWaiting: () => {},
    },
  }
}
const starts = (id: string) => (event: Event) =>
  event.type === "dev.dandori.attempt.started.v1" && event.data.task === id

describe("a cancel", () => {
  it.live("stops what runs, cancels what has not begun, and still runs onCancel and finally", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const { control, observer } = canceller(starts("long"))
      yield* Effect.gen(function* () {
        const { run, state } = yield* Run.start(
          Project.request(
            plan([
              task("long", waits),
              task("next", echo, { needs: ["long"] }),
              task("failed", echo, { block: "onFailure" }),
              task("undo", echo, { block: "onCancel", with: { value: "${{ run.status }}" } }),
              task("report", slow, { block: "finally" }),
            ]),
            { control },
          ),
        )
        assert.strictEqual(runStatus(state), "cancelled")
        const statuses = ["long", "next", "failed", "undo", "report"].map((id) => taskOf(state, id).status)
        assert.deepStrictEqual(statuses, ["cancelled", "cancelled", "pending", "succeeded", "succeeded"])
        assert.deepStrictEqual(taskOf(state, "undo").output, { value: "cancelled" })
        const story = Project.story(yield* Project.entriesOf(run))
        assert.notInclude(story, "attempt.started next")
      }).pipe(
        Effect.provideService(Observer, observer),
        Effect.provide(Project.services(place, { types: [waits, slow, echo] })),
      )
    }),
  )

  it.live("that comes while tasks are being started starts no more of them", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const { control, observer } = canceller(starts("first"))
      yield* Effect.gen(function* () {
        const { run, state } = yield* Run.start(
          Project.request(plan([task("first", waits), task("second", echo), task("third", echo)]), { control }),
        )
        assert.strictEqual(runStatus(state), "cancelled")
        assert.deepStrictEqual(Project.story(yield* Project.entriesOf(run)), [
          "run.created",
          "attempt.started first",
          "cancel.requested",
          "attempt.cancelled first",
          "run.finished",
        ])
      }).pipe(
        Effect.provideService(Observer, observer),
        Effect.provide(Project.services(place, { types: [waits, echo] })),
      )
    }),
  )

  it.live("ends a task that waits for its next attempt", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const flaky = typeOf("flaky", "pure", () => Effect.fail(new Flaky()))
      const retry = { attempts: 3, backoff: { initial: 3_600_000, factor: 1, max: 3_600_000, jitter: "none" } } as const
      const { control, observer } = canceller(({ type }) => type === "dev.dandori.retry.scheduled.v1")
      const { state } = yield* Run.start(Project.request(plan([task("one", flaky, { retry })]), { control })).pipe(
        Effect.provideService(Observer, observer),
        Effect.provide(Project.services(place, { types: [flaky] })),
      )
      assert.strictEqual(taskOf(state, "one").status, "cancelled")
      assert.strictEqual(runStatus(state), "cancelled")
    }),
  )

  it.live("in finally stops finally, and the run keeps the status that its tasks earned", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const { control, observer } = canceller(starts("report"))
      const tasks = [task("good", echo), task("report", waits, { block: "finally" })]
      const { state } = yield* Run.start(Project.request(plan(tasks), { control })).pipe(
        Effect.provideService(Observer, observer),
        Effect.provide(Project.services(place, { types: [waits, echo] })),
      )
      assert.strictEqual(taskOf(state, "report").status, "cancelled")
      assert.notStrictEqual(runStatus(state), "cancelled")
    }),
  )
})

describe("the timeout of a pipeline", () => {
  it.live("cancels its tasks, not its finally, and the run is timed out", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const tasks = [task("long", waits), task("report", slow, { block: "finally" })]
        const { run, state } = yield* Run.start(Project.request(plan(tasks, { timeout: 30 })))
        assert.strictEqual(runStatus(state), "timed_out")
        assert.strictEqual(taskOf(state, "report").status, "succeeded")
        assert.deepInclude(Project.dataOf(yield* Project.entriesOf(run), "cancel.requested")[0], { timeout: true })
      }).pipe(Effect.provide(Project.services(place, { types: [waits, slow] })))
    }),
  )
})

describe("a shutdown", () => {
  const shutDownAt = Effect.fnUntraced(function* (
    place: Project.Project,
    tasks: Parameters<typeof plan>[0],
    begun: Deferred.Deferred<void>,
    types: Project.Options["types"],
    cancelAt?: (event: Event) => boolean,
  ) {
    const { control, observer } = canceller(cancelAt ?? (() => false))
    return yield* Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Run.start(Project.request(plan(tasks), { control })))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
      const [run] = yield* (yield* Ledger).runs
      const story = Project.story(yield* Project.entriesOf(run))
      const resumed = yield* Project.resume(run)
      return { story, resumed, after: Project.story(yield* Project.entriesOf(run)) }
    }).pipe(Effect.provideService(Observer, observer), Effect.provide(Project.services(place, { types })))
  })
  const onceBegun = (begun: Deferred.Deferred<void>) => {
    let calls = 0
    return Effect.suspend(() =>
      ++calls > 1 ? Effect.succeed({ value: calls }) : Effect.andThen(Deferred.succeed(begun, undefined), Effect.never),
    )
  }

  it.live("leaves the run to be resumed: the attempt has no end until then", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const begun = yield* Deferred.make<void>()
      const type = typeOf("works", "idempotent", () => works)
      const works = onceBegun(begun)
      const { story, resumed, after } = yield* shutDownAt(place, [task("one", type)], begun, [type])
      assert.deepStrictEqual(story, ["run.created", "attempt.started one", "run.suspended"])
      assert.strictEqual(runStatus(resumed.state), "succeeded")
      assert.deepStrictEqual(after.slice(3), [
        "run.resumed",
        "attempt.lost one",
        "retry.scheduled one",
        "attempt.started one",
        "attempt.succeeded one",
        "run.finished",
      ])
    }),
  )

  it.live("leaves an attempt to be resumed whose cleaning up fails", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const begun = yield* Deferred.make<void>()
      const works = onceBegun(begun)
      const type = typeOf("works", "pure", () => Effect.onInterrupt(works, () => Effect.die("the cleaning failed")))
      const { story, resumed } = yield* shutDownAt(place, [task("one", type)], begun, [type])
      assert.deepStrictEqual(story, ["run.created", "attempt.started one", "run.suspended"])
      assert.strictEqual(runStatus(resumed.state), "succeeded")
    }),
  )

  it.live("in the finally of a cancelled run leaves finally to be resumed", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const begun = yield* Deferred.make<void>()
      const works = onceBegun(begun)
      const type = typeOf("works", "idempotent", () => works)
      const { story, resumed } = yield* shutDownAt(
        place,
        [task("long", waits), task("report", type, { block: "finally" })],
        begun,
        [type, waits],
        starts("long"),
      )
      assert.deepStrictEqual(story.slice(-2), ["attempt.started report", "run.suspended"])
      assert.strictEqual(taskOf(resumed.state, "report").status, "succeeded")
      assert.strictEqual(runStatus(resumed.state), "cancelled")
    }),
  )

  it.live("stops all attempts at once, not one after the other", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const begun = yield* Deferred.make<void>()
      let stopping = 0
      let together = 0
      let count = 0
      const works = typeOf("works", "pure", () =>
        Effect.suspend(() => (++count === 4 ? Deferred.succeed(begun, undefined) : Effect.void)).pipe(
          Effect.andThen(Effect.never),
          Effect.onInterrupt(() =>
            Effect.gen(function* () {
              together = Math.max(together, ++stopping)
              yield* Effect.sleep(20)
              stopping--
            }),
          ),
        ),
      )
      yield* Effect.gen(function* () {
        const tasks = ["a", "b", "c", "d"].map((id) => task(id, works))
        const fiber = yield* Effect.forkChild(Run.start(Project.request(plan(tasks))))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(together, 4)
      }).pipe(Effect.provide(Project.services(place, { types: [works] })))
    }),
  )
})
