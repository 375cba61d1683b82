import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { Event } from "../../src/domain/event.ts"
import { decide } from "../../src/engine/decide.ts"
import * as Prepared from "../../src/engine/prepared.ts"
import * as Resume from "../../src/engine/resume.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { Broken, Flaky, echo, plan, quick, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

/** Work whose first call says that it has begun and never ends; later calls end at once. */
const firstHangs = (begun: Deferred.Deferred<void>) => {
  let calls = 0
  return Effect.suspend(() =>
    ++calls > 1 ? Effect.succeed({ value: calls }) : Effect.andThen(Deferred.succeed(begun, undefined), Effect.never),
  )
}

/**
 * The project's files as a crash at this moment would leave them: starts the plan, waits until it has begun, copies
 * the folder, stops.
 */
const crashed = Effect.fnUntraced(function* (
  tasks: Parameters<typeof plan>[0],
  begun: Deferred.Deferred<void>,
  types: Project.Options["types"],
) {
  const place = yield* Project.temporary
  const image = yield* Project.temporary
  const run = yield* Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Run.start(Project.request(plan(tasks))))
    yield* Deferred.await(begun)
    yield* Effect.promise(() => Fs.cp(place.project, image.project, { recursive: true }))
    yield* Fiber.interrupt(fiber)
    const [only] = yield* (yield* Ledger).runs
    return only
  }).pipe(Effect.provide(Project.services(place, { types })))
  return { run, image, services: Project.services(image, { types }) }
})

const record = Effect.fnUntraced(function* (run: string, event: Event) {
  yield* Effect.scoped(
    Effect.gen(function* () {
      const { writer } = yield* (yield* Ledger).reopen(StreamName.ofRun(run))
      writer.append(event)
      yield* writer.durable
    }),
  )
})

describe("a resumed run", () => {
  it.live("goes on after a crash: what ended stays, what was open is lost and tried again", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const work = firstHangs(begun)
      let calls = 0
      const counts = typeOf("counts", "pure", () => Effect.sync(() => ({ value: ++calls })))
      const hangs = typeOf("hangs", "idempotent", () => work)
      const { run, services } = yield* crashed(
        [task("done", counts), task("open", hangs, { needs: ["done"], with: { value: "${{ tasks.done.value }}" } })],
        begun,
        [counts, hangs],
      )
      yield* Effect.gen(function* () {
        const { state } = yield* Project.resume(run)
        assert.strictEqual(runStatus(state), "succeeded")
        assert.strictEqual(calls, 1)
        const entries = yield* Project.entriesOf(run)
        assert.deepStrictEqual(Project.story(entries).slice(3), [
          "attempt.started open",
          "run.resumed",
          "attempt.lost open",
          "retry.scheduled open",
          "attempt.started open",
          "attempt.succeeded open",
          "run.finished",
        ])
        assert.strictEqual(Project.dataOf(entries, "retry.scheduled")[0].delayMillis, 0)
        const ended = yield* Effect.flip(Project.resume(run))
        assert.strictEqual(ended._tag, "RunEnded")
        assert.lengthOf(yield* Project.entriesOf(run), entries.length)
        const root = yield* (yield* Ledger).read("root")
        assert.lengthOf(Project.dataOf(root.entries, "stream.closed"), 1)
      }).pipe(Effect.provide(services))
    }),
  )

  it.live("asks the probe of an open once task, and waits where there is none", () =>
    Effect.gen(function* () {
      const cases = [
        [undefined, "attempt.unknown one", "waiting"],
        [() => Effect.fail(new Broken({ text: "no connection" })), "attempt.unknown one", "waiting"],
        [() => Effect.succeed(Option.some({ value: "found" })), "attempt.succeeded one", "succeeded"],
        [() => Effect.succeed(Option.none()), "attempt.lost one", "succeeded"],
      ] as const
      for (const [probe, event, status] of cases) {
        const begun = yield* Deferred.make<void>()
        const work = firstHangs(begun)
        const type = typeOf("once", "once", () => work, probe)
        const { run, services } = yield* crashed([task("one", type)], begun, [type])
        yield* Effect.gen(function* () {
          const { state } = yield* Project.resume(run)
          const story = Project.story(yield* Project.entriesOf(run))
          assert.strictEqual(story[story.indexOf("run.resumed") + 1], event)
          assert.strictEqual(runStatus(state), status)
        }).pipe(Effect.provide(services))
      }
    }),
  )

  it.live("does not run finally while an unknown waits, and goes on when it is resolved", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const once = typeOf("once", "once", () => Effect.fail(new Flaky()))
      yield* Effect.gen(function* () {
        const tasks = [
          task("one", once),
          task("two", echo, { needs: ["one"], with: { value: "${{ tasks.one.value }}" } }),
          task("report", echo, { block: "finally" }),
        ]
        const { run, state } = yield* Run.start(Project.request(plan(tasks)))
        assert.strictEqual(runStatus(state), "waiting")
        assert.strictEqual(runStatus((yield* Project.resume(run)).state), "waiting")
        assert.notInclude(Project.story(yield* Project.entriesOf(run)), "attempt.started report")
        yield* record(run, {
          type: "dev.dandori.task.resolved.v1",
          data: { task: "one", as: "succeeded", reason: "seen in the console", output: { value: 7 } },
        })
        const after = yield* Project.resume(run)
        assert.strictEqual(runStatus(after.state), "succeeded")
        assert.deepStrictEqual(taskOf(after.state, "two").output, { value: 7 })
        assert.strictEqual(taskOf(after.state, "report").status, "succeeded")
      }).pipe(Effect.provide(Project.services(place, { types: [once, echo] })))
    }),
  )

  it.live("reads outputs back that were too large for their events", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const work = firstHangs(begun)
      const long = "x".repeat(400_000)
      const large = typeOf("large", "pure", () => Effect.succeed({ value: [long, 0.5] }))
      const hangs = typeOf("hangs", "pure", (input) => Effect.as(work, input))
      const { run, services } = yield* crashed(
        [task("large", large), task("next", hangs, { needs: ["large"], with: { value: "${{ tasks.large.value }}" } })],
        begun,
        [large, hangs],
      )
      yield* Effect.gen(function* () {
        const recalled = yield* Resume.recall(run)
        const { state } = yield* Project.resume(run)
        assert.strictEqual(runStatus(state), "succeeded")
        assert.strictEqual(recalled.plan.tasks.length, 2)
        const [large, next] = Project.dataOf(yield* Project.entriesOf(run), "attempt.succeeded")
        assert.deepStrictEqual(next.outputArtifact, large.outputArtifact)
      }).pipe(Effect.provide(services))
    }),
  )

  it.live("cuts a torn last line and records the cut", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const work = firstHangs(begun)
      const hangs = typeOf("hangs", "pure", () => work)
      const { run, image, services } = yield* crashed([task("one", hangs)], begun, [hangs])
      const file = join(image.home, "ledger", StreamName.segmentPath(StreamName.ofRun(run)))
      yield* Effect.promise(() => Fs.appendFile(file, '{"authid":"tester","authtype":"us'))
      yield* Effect.gen(function* () {
        assert.strictEqual(runStatus((yield* Project.resume(run)).state), "succeeded")
        const [repaired] = Project.dataOf(yield* Project.entriesOf(run), "ledger.repaired")
        assert.strictEqual(repaired.removedBytes, 33)
      }).pipe(Effect.provide(services))
    }),
  )

  it.live(
    "is refused when its plan's bytes are others, when another process has it, when the machine is too small",
    () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const work = firstHangs(begun)
        const hangs = typeOf("hangs", "pure", () => work)
        const tasks = [task("one", hangs, { resources: { cpu: 2 } })]
        const { run, image, services } = yield* crashed(tasks, begun, [hangs])
        yield* Effect.gen(function* () {
          const before = yield* Project.entriesOf(run)
          const small = yield* Effect.flip(Project.resume(run, { capacity: { ...Project.capacity, cpu: 1 } }))
          assert.strictEqual(small._tag, "ResourcesMissing")
          const busy = yield* Effect.scoped(
            Effect.gen(function* () {
              yield* (yield* Ledger).reopen(StreamName.ofRun(run))
              return yield* Effect.flip(Project.resume(run))
            }),
          )
          assert.strictEqual(busy._tag, "StreamBusy")
          const { created } = yield* Resume.recall(run)
          const bytes = join(image.home, "artifacts", "sha256", created.plan.slice(0, 2), created.plan.slice(2))
          yield* Effect.promise(async () => {
            const text = await Fs.readFile(bytes, "utf8")
            await Fs.rm(bytes)
            await Fs.writeFile(bytes, text.replace('"one"', '"two"'))
          })
          const altered = yield* Effect.flip(Project.resume(run))
          assert.strictEqual(altered._tag, "ArtifactError")
          assert.deepStrictEqual(yield* Project.entriesOf(run), before)
        }).pipe(Effect.provide(services))
      }),
  )

  it.live("waits for what is left of a retry's delay, never less than nothing or more than all of it", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const flaky = typeOf("flaky", "pure", () => Effect.fail(new Flaky()))
      yield* Effect.gen(function* () {
        const one = plan([task("one", flaky, { retry: quick(2) })])
        const { run } = yield* Run.start(Project.request(one))
        const entries = yield* Project.entriesOf(run)
        const open = entries.slice(0, 1 + entries.findIndex(({ type }) => type.includes("retry.scheduled")))
        const delayMillis = 60_000
        const due = Date.parse(open[0].time) + delayMillis
        const last = { ...open[open.length - 1], data: { task: "one", attempt: 2, delayMillis, due } }
        const prepared = yield* Prepared.prepare(one)
        const firstCommand = (now: number) => decide(Resume.fold(prepared, [...open.slice(0, -1), last], now), now)[0]
        assert.deepStrictEqual(firstCommand(due - 10_000), { _tag: "WakeAt", time: due })
        assert.deepStrictEqual(firstCommand(due + 3_600_000), { _tag: "Start", task: 0, attempt: 2 })
        const backwards = due - 86_400_000
        assert.deepStrictEqual(firstCommand(backwards), { _tag: "WakeAt", time: backwards + delayMillis })
      }).pipe(Effect.provide(Project.services(place, { types: [flaky] })))
    }),
  )
})
