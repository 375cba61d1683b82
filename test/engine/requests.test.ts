import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type { Event } from "../../src/domain/event.ts"
import type { Plan } from "../../src/domain/plan.ts"
import type { Request } from "../../src/domain/request.ts"
import * as Resolve from "../../src/engine/resolve.ts"
import * as Resume from "../../src/engine/resume.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import * as Submit from "../../src/engine/submit.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { Inbox } from "../../src/services/inbox.ts"
import { Observer } from "../../src/services/observer.ts"
import * as Users from "../../src/services/users.ts"
import { Workspace } from "../../src/services/workspace.ts"
import { Broken, echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const unsure = typeOf("unsure", "once", () => Effect.fail(new Broken({ text: "it broke half way" })))
const waits = typeOf("waits", "pure", () => Effect.never)
const types = [echo, unsure, waits]

const asked = (timeout?: number) =>
  plan([task("deploy", echo, { approval: { approvers: 1, ...(timeout === undefined ? {} : { timeout }) } })])

const inProject = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const place = yield* Project.temporary
    const configuration = yield* Project.configuration
    const approvals = { selfApproval: true }
    const settings = { ...configuration, sections: { ...configuration.sections, approvals } }
    return yield* Effect.provide(effect, Project.services(place, { types, settings }))
  })

const inputOf = Effect.fnUntraced(function* (run: string) {
  const requested = Project.dataOf(yield* Project.entriesOf(run), "approval.requested")
  return requested.at(-1)?.input as Extract<Request, { kind: "approve" }>["input"]
})

const agree = Effect.fnUntraced(function* (run: string, by: string, now = Date.now()) {
  const request = { kind: "approve", task: "deploy", input: yield* inputOf(run) } as const
  yield* Submit.submit(run, yield* Resume.recall(run), request, { by, now })
})

/** A run that stays, once the event has come; and its end. */
const staying = (made: Plan, type: Event["type"], changed: Partial<Run.RunRequest> = {}) =>
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
      Run.start(Project.request(made, { wait: true, ...changed })).pipe(Effect.provideService(Observer, observer)),
    )
    const run = yield* Deferred.await(reached)
    yield* Effect.repeat(Project.entriesOf(run), { until: (entries) => entries.some((entry) => entry.type === type) })
    return { run, fiber }
  })

describe("an approval", () => {
  it.live("of a run outside dev is not its requester's to give, whatever environment he asks in", () =>
    inProject(
      Effect.gen(function* () {
        const { run } = yield* Run.start(Project.request(asked(), { env: "prod" }))
        assert.match((yield* Effect.flip(agree(run, "tester"))).message, /tester asked for this run/)
        yield* agree(run, "ada")
      }),
    ),
  )

  it.live("of a run outside dev is not its requester's to give through the inbox either", () =>
    inProject(
      Effect.gen(function* () {
        const who = Users.nameOf(process.getuid?.() ?? 0)
        const { fiber, run } = yield* staying(asked(), "dev.dandori.approval.requested.v1", { env: "prod", who })
        const inbox = yield* Inbox
        const id = yield* inbox.put(run, { kind: "approve", task: "deploy", input: yield* inputOf(run) })
        const answer = yield* inbox
          .answerTo(run, id)
          .pipe(Effect.flatMap(Effect.fromOption), Effect.retry({ schedule: Schedule.spaced(20) }))
        assert.match("refused" in answer ? answer.refused : "", /asked for this run/)
        yield* Fiber.interrupt(fiber)
      }),
    ),
  )

  it.live("that comes when its time is over is refused, although nobody has looked since", () =>
    inProject(
      Effect.gen(function* () {
        const { run } = yield* Run.start(Project.request(asked(60_000)))
        const late = yield* Effect.flip(agree(run, "ada", Date.now() + 61_000))
        assert.match(late.message, /time .* is over/)
        assert.notInclude(Project.story(yield* Project.entriesOf(run)), "approval.granted deploy")
        yield* agree(run, "ada", Date.now() + 59_000)
      }),
    ),
  )
})

describe("a run's inbox", () => {
  it.live("carries out each request, though another cannot be answered or breaks what carries it out", () =>
    inProject(
      Effect.gen(function* () {
        const { fiber, run } = yield* staying(asked(), "dev.dandori.approval.requested.v1")
        const { home } = yield* Workspace
        const lone = { kind: "refuse", task: "deploy", input: yield* inputOf(run), reason: "\ud800" } as const
        yield* Effect.promise(async () => {
          const folder = join(home, "inbox", run)
          await Fs.mkdir(join(folder, "00-first.answer.json"), { recursive: true })
          const first = JSON.stringify({ run, request: { ...lone, task: "nobody", reason: "no" } })
          await Fs.writeFile(join(folder, "00-first.request.json"), first)
        })
        const broken = yield* Effect.flip(
          Submit.submit(run, yield* Resume.recall(run), lone, { by: "ada", now: Date.now() }),
        )
        assert.match(broken.message, /could not be carried out/)
        yield* Submit.submit(run, yield* Resume.recall(run), { kind: "cancel", reason: "no" }, { by: "ada", now: 0 })
        assert.strictEqual(runStatus((yield* Fiber.join(fiber)).state), "cancelled")
      }),
    ),
  )

  it.live("gives a request back that its asker no longer waits for, and says before that it waits", () =>
    inProject(
      Effect.gen(function* () {
        const { run } = yield* Run.start(Project.request(asked()))
        const ledger = yield* Ledger
        const { home } = yield* Workspace
        yield* ledger.reopen(StreamName.ofRun(run))
        const said = yield* Deferred.make<string>()
        const say = (text: string) => Effect.asVoid(Deferred.succeed(said, text))
        const cancel = { kind: "cancel", reason: "no" } as const
        const asking = yield* Effect.forkChild(
          Submit.submit(run, yield* Resume.recall(run), cancel, { by: "ada", now: 0, say }),
        )
        assert.match(yield* Deferred.await(said), /has not answered yet/)
        yield* Fiber.interrupt(asking)
        const folder = join(home, "inbox", run)
        assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(folder)), [])
      }).pipe(Effect.scoped),
    ),
  )
})

describe("a task whose outcome nobody knows", () => {
  const made = plan([task("send", unsure), task("after", echo, { needs: ["send"] })])

  it.live("is resolved while a process stays with its run, which goes on", () =>
    inProject(
      Effect.gen(function* () {
        const { fiber, run } = yield* staying(made, "dev.dandori.attempt.unknown.v1")
        const recalled = yield* Resume.recall(run)
        const said = { task: "send", as: "succeeded", reason: "I looked", now: Date.now() } as const
        const wrong = yield* Effect.flip(Resolve.resolve(run, recalled, { ...said, output: 7 }))
        assert.strictEqual(wrong._tag, "OutputRefused")
        yield* Resolve.resolve(run, recalled, { ...said, output: { value: 7 } })
        const { state } = yield* Fiber.join(fiber)
        assert.strictEqual(runStatus(state), "succeeded")
        assert.deepStrictEqual(taskOf(state, "send").output, { value: 7 })
        const [resolved] = Project.dataOf(yield* Project.entriesOf(run), "task.resolved")
        assert.deepInclude(resolved, { reason: "I looked", by: Users.nameOf(process.getuid?.() ?? 0) })
      }),
    ),
  )

  it.live("keeps no process that was told to cancel its run", () =>
    inProject(
      Effect.gen(function* () {
        const unsureAndLong = plan([task("send", unsure), task("long", waits)])
        const { fiber, run } = yield* staying(unsureAndLong, "dev.dandori.attempt.unknown.v1")
        yield* Submit.submit(
          run,
          yield* Resume.recall(run),
          { kind: "cancel", reason: "enough" },
          { by: "ada", now: 0 },
        )
        const exit = yield* Fiber.await(fiber)
        assert.isTrue(Exit.isSuccess(exit))
        if (Exit.isSuccess(exit)) assert.strictEqual(runStatus(exit.value.state), "waiting")
      }),
    ),
  )
})
