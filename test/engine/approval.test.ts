import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Event } from "../../src/domain/event.ts"
import type { Plan } from "../../src/domain/plan.ts"
import type { Request } from "../../src/domain/request.ts"
import * as Resume from "../../src/engine/resume.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import * as Submit from "../../src/engine/submit.ts"
import * as SettingsFiles from "../../src/services/settings-files.ts"
import { Observer } from "../../src/services/observer.ts"
import { echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const waits = typeOf("waits", "pure", () => Effect.never)
const types = [echo, waits]

const asked = (settings: Parameters<typeof task>[2] = {}): Plan =>
  plan([
    task("first", echo, { with: { value: "the bytes" } }),
    task("deploy", echo, {
      needs: ["first"],
      approval: { approvers: 2 },
      with: { value: "${{ tasks.first.value }}" },
      ...settings,
    }),
    task("after", echo, { needs: ["deploy"] }),
  ])

const services = (place: Project.Project, env: "dev" | "prod" = "prod") =>
  Effect.map(Project.configuration, (configuration) =>
    Project.services(place, {
      types,
      settings: {
        ...configuration,
        env,
        sections: { ...configuration.sections, approvals: { selfApproval: env === "dev" } },
      },
    }),
  )

/** The digest of the input that people are asked about. */
const inputOf = Effect.fnUntraced(function* (run: string) {
  const requested = Project.dataOf(yield* Project.entriesOf(run), "approval.requested")
  return requested.at(-1)?.input as Extract<Request, { kind: "approve" }>["input"]
})

const submit = Effect.fnUntraced(function* (run: string, by: string, request: Request) {
  yield* Submit.submit(run, yield* Resume.recall(run), request, { by, now: Date.now() })
})

const agree = Effect.fnUntraced(function* (run: string, by: string) {
  yield* submit(run, by, { kind: "approve", task: "deploy", input: yield* inputOf(run) })
})

describe("a task that wants approval", () => {
  it.live(
    "waits, with its input shown, and goes on when two people have agreed; once each, and not the requester",
    () =>
      Effect.gen(function* () {
        const place = yield* Project.temporary
        yield* Effect.gen(function* () {
          const { run, state } = yield* Run.start(Project.request(asked()))
          assert.strictEqual(runStatus(state), "waiting")
          const [requested] = Project.dataOf(yield* Project.entriesOf(run), "approval.requested")
          assert.deepStrictEqual(requested.shown, { value: "the bytes" })
          assert.match((yield* Effect.flip(agree(run, "tester"))).message, /tester asked for this run/)
          yield* agree(run, "ada")
          assert.match((yield* Effect.flip(agree(run, "ada"))).message, /ada has agreed already/)
          assert.strictEqual(runStatus((yield* Project.resume(run)).state), "waiting")
          yield* agree(run, "grace")
          const { state: ended } = yield* Project.resume(run)
          assert.strictEqual(runStatus(ended), "succeeded")
          const story = Project.story(yield* Project.entriesOf(run))
          assert.isBelow(story.lastIndexOf("approval.granted deploy"), story.indexOf("attempt.started deploy"))
        }).pipe(Effect.provide(yield* services(place)))
      }),
  )

  it.live("may be approved by its requester in env dev only, and the event says so", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const { run } = yield* Run.start(Project.request(asked({ approval: { approvers: 1 } })))
        yield* agree(run, "tester")
        assert.strictEqual(runStatus((yield* Project.resume(run)).state), "succeeded")
        assert.strictEqual(Project.dataOf(yield* Project.entriesOf(run), "approval.granted")[0].self, true)
      }).pipe(Effect.provide(yield* services(place, "dev")))
      const problems = yield* Effect.flip(SettingsFiles.load(`${place.project}/nowhere`, "dev"))
      assert.strictEqual(problems._tag, "ConfigInvalid")
    }),
  )

  it.live("fails when somebody refuses, and keeps who and why", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const { run } = yield* Run.start(Project.request(asked()))
        yield* submit(run, "ada", { kind: "refuse", task: "deploy", input: yield* inputOf(run), reason: "not today" })
        const { state } = yield* Project.resume(run)
        assert.strictEqual(runStatus(state), "failed")
        assert.deepInclude(taskOf(state, "deploy").error, { tag: "ApprovalRefused", message: "ada refused: not today" })
        assert.strictEqual(taskOf(state, "after").status, "skipped")
      }).pipe(Effect.provide(yield* services(place)))
    }),
  )

  it.live("takes no word about another input, nor about a task that waits for none", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const { run } = yield* Run.start(Project.request(asked()))
        const input = yield* inputOf(run)
        const other = input.replace(/^./, (first) => (first === "0" ? "1" : "0")) as typeof input
        const wrong = yield* Effect.flip(submit(run, "ada", { kind: "approve", task: "deploy", input: other }))
        assert.match(wrong.message, /no longer the one that you saw/)
        const first = yield* Effect.flip(submit(run, "ada", { kind: "approve", task: "first", input }))
        assert.match(first.message, /waits for no approval: it is succeeded/)
        const nobody = yield* Effect.flip(submit(run, "ada", { kind: "approve", task: "nobody", input }))
        assert.match(nobody.message, /has no task nobody/)
      }).pipe(Effect.provide(yield* services(place)))
    }),
  )

  it.live("is over when its time is: whoever looks next says so", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const fails = yield* Run.start(Project.request(asked({ approval: { approvers: 1, timeout: 1 } })))
        const { state } = yield* Project.resume(fails.run)
        assert.deepInclude(taskOf(state, "deploy").error, { tag: "ApprovalExpired" })
        const skips = yield* Run.start(
          Project.request(asked({ approval: { approvers: 1, timeout: 1, onTimeout: "skip" } })),
        )
        const { state: skipped } = yield* Project.resume(skips.run)
        assert.strictEqual(taskOf(skipped, "deploy").status, "skipped")
        assert.strictEqual(runStatus(skipped), "succeeded")
      }).pipe(Effect.provide(yield* services(place)))
    }),
  )
})

describe("a run that a process owns", () => {
  const inProgress = (made: Plan, type: Event["type"]) =>
    Effect.gen(function* () {
      const reached = yield* Deferred.make<string>()
      const observer = {
        onEvent: (event: Event & { readonly run: string }) => {
          if (event.type === type) Deferred.doneUnsafe(reached, Effect.succeed(event.run))
        },
        onProgress: () => {},
        onLog: () => {},
        onWaiting: () => {},
      }
      const fiber = yield* Effect.forkChild(
        Run.start(Project.request(made, { wait: true })).pipe(Effect.provideService(Observer, observer)),
      )
      const run = yield* Deferred.await(reached)
      // An observer is told when an event is appended; people read what has been written.
      yield* Effect.repeat(Project.entriesOf(run), { until: (entries) => entries.some((entry) => entry.type === type) })
      return { run, fiber }
    })

  it.live("is cancelled through its inbox, and says so to who asked", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const { fiber, run } = yield* inProgress(
          plan([task("long", waits), task("end", echo, { block: "finally" })]),
          "dev.dandori.attempt.started.v1",
        )
        yield* submit(run, "nobody", { kind: "cancel", reason: "enough" })
        const { state } = yield* Fiber.join(fiber)
        assert.strictEqual(runStatus(state), "cancelled")
        assert.strictEqual(taskOf(state, "end").status, "succeeded")
        const [cancelled] = Project.dataOf(yield* Project.entriesOf(run), "cancel.requested")
        assert.match(String(cancelled.reason), /: enough$/)
        assert.isTrue(
          yield* Effect.promise(() => Fs.readdir(join(place.home, "inbox")).then((left) => left.length === 0)),
        )
      }).pipe(Effect.provide(yield* services(place)))
    }),
  )

  it.live("that stays while people are awaited goes on at their word", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const { fiber, run } = yield* inProgress(
          asked({ approval: { approvers: 1 } }),
          "dev.dandori.approval.requested.v1",
        )
        yield* agree(run, "ada")
        assert.strictEqual(runStatus((yield* Fiber.join(fiber)).state), "succeeded")
      }).pipe(Effect.provide(yield* services(place, "dev")))
    }),
  )

  it.live("without an owner is cancelled by an entry, and its resume runs onCancel and finally", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const { run } = yield* Run.start(
          Project.request(plan([...asked().tasks, task("undo", echo, { block: "onCancel" })])),
        )
        yield* submit(run, "ada", { kind: "cancel", reason: "no" })
        const { state } = yield* Project.resume(run)
        assert.strictEqual(runStatus(state), "cancelled")
        assert.strictEqual(taskOf(state, "undo").status, "succeeded")
        assert.match((yield* Effect.flip(submit(run, "ada", { kind: "cancel", reason: "no" }))).message, /ended|closed/)
      }).pipe(Effect.provide(yield* services(place)))
    }),
  )
})
