import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import { Broken, Busy, Flaky, plan, quick, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const nothing = () => Effect.succeed(Option.none())

/** Runs one task of a type; gives its final state, the run's status and the story. */
const runOne = Effect.fnUntraced(function* (
  type: ReturnType<typeof typeOf>,
  settings: Parameters<typeof task>[2] = {},
  changed: Partial<Run.RunRequest> = {},
) {
  const place = yield* Project.temporary
  return yield* Effect.gen(function* () {
    const { run, state } = yield* Run.start(Project.request(plan([task("one", type, settings)]), changed))
    const entries = yield* Project.entriesOf(run)
    const story = Project.story(entries)
      .filter((line) => line.includes(" "))
      .map((line) => line.split(" ")[0])
    return { run, entries, story, task: taskOf(state, "one"), status: runStatus(state) }
  }).pipe(Effect.provide(Project.services(place, { types: [type] })))
})

/** A cancel that is asked for once the task has begun. */
const cancelWhen = Effect.fnUntraced(function* (begun: Deferred.Deferred<void>) {
  const asked: Array<(reason: string) => void> = []
  yield* Deferred.await(begun).pipe(
    Effect.map(() => asked.forEach((cancel) => cancel("stop"))),
    Effect.forkScoped,
  )
  return { control: { onCancel: (cancel: (reason: string) => void) => (asked.push(cancel), () => {}) } }
})

describe("an attempt", () => {
  it.live("is tried again after a transient error, each wait an event, until it works", () =>
    Effect.gen(function* () {
      let calls = 0
      const type = typeOf("flaky", "idempotent", () =>
        Effect.suspend(() => (++calls < 3 ? Effect.fail(new Flaky()) : Effect.succeed({ value: calls }))),
      )
      const { entries, story, task: one } = yield* runOne(type, { retry: quick(5) })
      assert.deepStrictEqual(one.output, { value: 3 })
      assert.deepStrictEqual(story, [
        "attempt.started",
        "attempt.failed",
        "retry.scheduled",
        "attempt.started",
        "attempt.failed",
        "retry.scheduled",
        "attempt.started",
        "attempt.succeeded",
      ])
      const waits = Project.dataOf(entries, "retry.scheduled")
      assert.deepStrictEqual(
        waits.map(({ attempt, delayMillis }) => [attempt, delayMillis]),
        [
          [2, 1],
          [3, 2],
        ],
      )
      const started = entries.filter(({ type }) => type.includes("started"))
      waits.forEach(({ due }, i) => assert.isAtLeast(Date.parse(started[i + 1].time), (due as number) - 1))
    }),
  )

  it.live("ends after its last attempt, and after an error that no rule retries", () =>
    Effect.gen(function* () {
      const flaky = yield* runOne(
        typeOf("flaky", "pure", () => Effect.fail(new Flaky())),
        { retry: quick(2) },
      )
      assert.strictEqual(flaky.status, "failed")
      assert.strictEqual(flaky.story.filter((line) => line === "attempt.failed").length, 2)
      assert.deepInclude(flaky.task.error, { tag: "Flaky", transient: true })
      const broken = typeOf("broken", "pure", () => Effect.fail(new Broken({ text: "no" })))
      assert.strictEqual((yield* runOne(broken)).story.length, 2)
      assert.strictEqual((yield* runOne(broken, { retry: quick(2, ["Broken"]) })).story.length, 5)
    }),
  )

  it.live("reports a defect as one, and is not tried again", () =>
    Effect.gen(function* () {
      const { task: one, story } = yield* runOne(typeOf("dies", "pure", () => Effect.die(new Error("a bug"))))
      assert.strictEqual(one.error?.tag, "Defect")
      assert.include(one.error?.message, "a bug")
      assert.deepStrictEqual(story, ["attempt.started", "attempt.failed"])
    }),
  )

  it.live("keeps its error's tag and traits when the message holds half a character, or is cut in one", () =>
    Effect.gen(function* () {
      for (const text of ["half \ud83d", `a${"😀".repeat(9_000)}`]) {
        const type = typeOf("odd", "pure", () => Effect.fail(new Broken({ text })))
        const { task: one, story } = yield* runOne(type, { retry: quick(2, ["Broken"]) })
        assert.strictEqual(one.error?.tag, "Broken")
        assert.strictEqual(story.filter((line) => line === "attempt.failed").length, 2)
      }
    }),
  )

  it.live("that interrupts itself has failed; the run does not wait for it for ever", () =>
    Effect.gen(function* () {
      const { task: one, status } = yield* runOne(typeOf("quits", "pure", () => Effect.interrupt)).pipe(
        Effect.timeout("5 seconds"),
      )
      assert.strictEqual(one.status, "failed")
      assert.strictEqual(status, "failed")
    }),
  )

  it.live("that takes too long is timed out, its finalizers run, and is tried again only if TimedOut is named", () =>
    Effect.gen(function* () {
      let cleaned = 0
      const slow = typeOf("slow", "idempotent", () =>
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => void cleaned++)),
      )
      const plain = yield* runOne(slow, { timeout: 5, retry: quick(3) })
      assert.deepStrictEqual(plain.story, ["attempt.started", "attempt.timed_out"])
      assert.strictEqual(plain.task.status, "timed_out")
      assert.strictEqual(plain.status, "failed")
      assert.strictEqual(cleaned, 1)
      const named = yield* runOne(slow, { timeout: 5, retry: quick(2, ["TimedOut"]) })
      assert.strictEqual(named.story.filter((line) => line === "attempt.timed_out").length, 2)
    }),
  )
})

describe("an attempt of a once task", () => {
  const fails = () => Effect.fail(new Flaky())

  it.live("whose error leaves open what happened is unknown without a probe, and the run waits", () =>
    Effect.gen(function* () {
      for (const effects of ["once", "irreversible"] as const) {
        const found = yield* runOne(typeOf("once", effects, fails), { retry: quick(5, ["Flaky"]) })
        assert.deepStrictEqual(found.story, ["attempt.started", "attempt.unknown"])
        assert.strictEqual(found.task.status, "unknown")
        assert.strictEqual(found.status, "waiting")
      }
    }),
  )

  it.live("succeeds with what its probe found", () =>
    Effect.gen(function* () {
      const found = yield* runOne(
        typeOf("once", "once", fails, () => Effect.succeed(Option.some({ value: "it happened" }))),
      )
      assert.strictEqual(found.status, "succeeded")
      assert.deepStrictEqual(found.task.output, { value: "it happened" })
      assert.isTrue(Project.dataOf(found.entries, "attempt.succeeded")[0].probed)
    }),
  )

  it.live("is tried again when its probe says that nothing happened", () =>
    Effect.gen(function* () {
      let calls = 0
      const type = typeOf(
        "once",
        "once",
        () => Effect.suspend(() => (++calls === 1 ? Effect.fail(new Flaky()) : Effect.succeed({ value: calls }))),
        nothing,
      )
      const found = yield* runOne(type, { retry: quick(3) })
      assert.strictEqual(found.status, "succeeded")
      assert.deepStrictEqual(found.task.output, { value: 2 })
    }),
  )

  it.live("asks its probe again while that fails for a passing reason", () =>
    Effect.gen(function* () {
      let asked = 0
      const probe = () =>
        Effect.suspend(() =>
          ++asked < 3 ? Effect.fail(new Flaky()) : Effect.succeed(Option.some({ value: "it happened" })),
        )
      const found = yield* runOne(typeOf("once", "once", fails, probe))
      assert.strictEqual(found.status, "succeeded")
      assert.strictEqual(asked, 3)
    }),
  )

  it.live("is unknown when its probe fails too", () =>
    Effect.gen(function* () {
      const found = yield* runOne(
        typeOf("once", "once", fails, () => Effect.fail(new Broken({ text: "no connection" }))),
      )
      assert.strictEqual(found.status, "waiting")
      assert.include(Project.dataOf(found.entries, "attempt.unknown")[0].reason as string, "no connection")
    }),
  )

  it.live("is tried again after an error that refused before anything changed", () =>
    Effect.gen(function* () {
      let calls = 0
      const type = typeOf("once", "once", () =>
        Effect.suspend(() => (++calls === 1 ? Effect.fail(new Busy()) : Effect.succeed({}))),
      )
      assert.strictEqual((yield* runOne(type, { retry: quick(3) })).status, "succeeded")
    }),
  )

  it.live("that times out, or dies, is unknown", () =>
    Effect.gen(function* () {
      const late = yield* runOne(
        typeOf("once", "once", () => Effect.never),
        { timeout: 5, retry: quick(3, ["TimedOut"]) },
      )
      assert.deepStrictEqual(late.story, ["attempt.started", "attempt.unknown"])
      const dead = yield* runOne(typeOf("once", "once", () => Effect.die("a bug")))
      assert.deepStrictEqual(dead.story, ["attempt.started", "attempt.unknown"])
    }),
  )

  it.live("that is cancelled in the middle is unknown without a probe, succeeded or cancelled by its word", () =>
    Effect.gen(function* () {
      const cases = [
        [undefined, "attempt.unknown", "waiting"],
        [() => Effect.succeed(Option.some({ value: 1 })), "attempt.succeeded", "cancelled"],
        [nothing, "attempt.cancelled", "cancelled"],
      ] as const
      for (const [probe, last, status] of cases) {
        const begun = yield* Deferred.make<void>()
        const type = typeOf(
          "once",
          "once",
          () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never),
          probe,
        )
        const found = yield* runOne(type, {}, yield* cancelWhen(begun))
        assert.deepStrictEqual(found.story, ["attempt.started", last])
        assert.strictEqual(found.status, status)
      }
    }),
  )

  it.live("that goes on although it was cancelled is waited for", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      let ended = false
      const work = Effect.gen(function* () {
        yield* Deferred.succeed(begun, undefined)
        yield* Effect.sleep(20)
        ended = true
        return {}
      })
      const type = typeOf(
        "once",
        "once",
        () => Effect.uninterruptible(work),
        () => Effect.sync(() => (ended ? Option.some({ value: "ended" }) : Option.none())),
      )
      const found = yield* runOne(type, {}, yield* cancelWhen(begun))
      assert.deepStrictEqual(found.task.output, { value: "ended" })
      assert.strictEqual(found.status, "cancelled")
    }),
  )

  it.live("whose output cannot be kept is unknown, not failed", () =>
    Effect.gen(function* () {
      const type = typeOf("once", "once", () => Effect.succeed({ value: 1n }))
      const found = yield* runOne(type, { retry: quick(3, ["Defect"]) })
      assert.deepStrictEqual(found.story, ["attempt.started", "attempt.unknown"])
    }),
  )
})
