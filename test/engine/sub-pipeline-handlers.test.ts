import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Event } from "../../src/domain/event.ts"
import type { Plan, PlanTask } from "../../src/domain/plan.ts"
import * as Resume from "../../src/engine/resume.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import * as Takeover from "../../src/engine/takeover.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import { Observer } from "../../src/services/observer.ts"
import { Broken, echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const fails = typeOf("fails", "pure", () => Effect.fail(new Broken({ text: "it does" })))
const hangs = typeOf("hangs", "pure", () => Effect.never)
const types = [echo, fails, hangs]

const pipeline = { type: "pipeline/inner", version: 1, effects: "pure" } as const
const sub = (id: string, settings: Parameters<typeof task>[2] = {}, outputs: Record<string, string> = {}) =>
  task(id, pipeline, { pipeline: { params: {}, outputs }, ...settings })
const status = { with: { value: "${{ run.status }}" } }
const handlers = (id: string) => [
  task(`${id}/fix`, echo, { block: "onFailure", ...status }),
  task(`${id}/undo`, echo, { block: "onCancel", ...status }),
  task(`${id}/end`, echo, { block: "finally", ...status }),
]

/** Runs a plan; `cancelAt` asks once for a cancel when that task starts. */
const run = Effect.fnUntraced(function* (
  made: Plan,
  { cancelAt = [], ...changed }: Partial<Run.RunRequest> & { readonly cancelAt?: ReadonlyArray<string> } = {},
) {
  const asked: Array<(reason: string) => void> = []
  const control = { onCancel: (cancel: (reason: string) => void) => (asked.push(cancel), () => {}) }
  const observer = {
    onEvent: (event: Event) => {
      const starts = event.type === "dev.dandori.attempt.started.v1" && cancelAt.includes(event.data.task)
      if (starts) for (const cancel of asked) cancel("enough")
    },
    onProgress: () => {},
    onLog: () => {},
    onWaiting: () => {},
  }
  const result = yield* Run.start(Project.request(made, { control, ...changed })).pipe(
    Effect.provideService(Observer, observer),
  )
  const entries = yield* Project.entriesOf(result.run)
  const started = Project.dataOf(entries, "attempt.started").map((data) => String(data.task))
  const statuses = Object.fromEntries(made.tasks.map(({ id }) => [id, taskOf(result.state, id).status]))
  const said = (id: string) => (taskOf(result.state, id).output as { readonly value?: unknown } | undefined)?.value
  return { ...result, entries, said, started, statuses }
})

const inPlace = <A, E>(body: Effect.Effect<A, E, Effect.Services<ReturnType<typeof run>>>) =>
  Effect.gen(function* () {
    const place = yield* Project.temporary
    return yield* Effect.provide(body, Project.services(place, { types }))
  })

describe("the handlers of a sub-pipeline", () => {
  it.live("run when its own tasks have ended, before what needs it, whatever becomes of the rest of the run", () =>
    inPlace(
      Effect.gen(function* () {
        const made = plan([
          sub("sub", {}, { v: "${{ tasks.one.value }}" }),
          task("sub/one", echo, { with: { value: 1 } }),
          ...handlers("sub"),
          task("after", fails, { needs: ["sub"] }),
          task("end", echo, { block: "finally", ...status }),
        ])
        const { said, started, state, statuses } = yield* run(made)
        assert.deepStrictEqual(started, ["sub/one", "sub/end", "after", "end"])
        assert.deepStrictEqual([said("sub/end"), said("end")], ["succeeded", "failed"])
        assert.deepStrictEqual(
          [statuses["sub/fix"], statuses["sub/undo"], statuses.sub],
          ["pending", "pending", "succeeded"],
        )
        assert.strictEqual(runStatus(state), "failed")
      }),
    ),
  )

  it.live("run after its own failure with its own status, though the run goes on without it", () =>
    inPlace(
      Effect.gen(function* () {
        const made = plan([
          sub("sub", { continueOnError: true }),
          task("sub/one", fails),
          task("sub/two", echo, { needs: ["sub/one"] }),
          ...handlers("sub"),
          task("after", echo, { needs: ["sub"], with: { value: "${{ tasks.sub.status }}" } }),
          task("fix", echo, { block: "onFailure" }),
        ])
        const { said, started, state, statuses } = yield* run(made)
        assert.deepStrictEqual(started, ["sub/one", "sub/fix", "sub/end", "after"])
        assert.deepStrictEqual([said("sub/fix"), said("sub/end"), said("after")], ["failed", "failed", "warned"])
        assert.deepStrictEqual([statuses.sub, statuses["sub/two"], statuses.fix], ["warned", "skipped", "pending"])
        assert.strictEqual(runStatus(state), "warned")
      }),
    ),
  )

  it.live("that fail make it warned, and its outputs are there", () =>
    inPlace(
      Effect.gen(function* () {
        const made = plan([
          sub("sub", {}, { v: "${{ tasks.one.value }}" }),
          task("sub/one", echo, { with: { value: 7 } }),
          task("sub/end", fails, { block: "finally" }),
          task("after", echo, { needs: ["sub"], with: { value: "${{ tasks.sub.v }}" } }),
        ])
        const { said, state, statuses } = yield* run(made)
        assert.deepStrictEqual([statuses.sub, said("after"), runStatus(state)], ["warned", 7, "warned"])
      }),
    ),
  )

  it.live("run after a cancel, those of the innermost first, and then those of the run", () =>
    inPlace(
      Effect.gen(function* () {
        const made = plan([
          sub("sub"),
          sub("sub/deep"),
          task("sub/deep/one", hangs),
          task("sub/deep/two", echo, { needs: ["sub/deep/one"] }),
          ...handlers("sub/deep"),
          ...handlers("sub"),
          sub("never", { needs: ["sub"] }),
          task("never/one", echo),
          ...handlers("never"),
          task("undo", echo, { block: "onCancel", ...status }),
          task("end", echo, { block: "finally" }),
        ])
        const { said, started, state, statuses } = yield* run(made, { cancelAt: ["sub/deep/one"] })
        const wanted = ["sub/deep/one", "sub/deep/undo", "sub/deep/end", "sub/undo", "sub/end", "undo", "end"]
        assert.deepStrictEqual(started, wanted)
        assert.deepStrictEqual(["sub/deep/undo", "sub/end", "undo"].map(said), ["cancelled", "cancelled", "cancelled"])
        const cancelled = ["sub/deep/one", "sub/deep/two", "sub/deep", "sub", "never", "never/one", "never/end"]
        for (const id of cancelled) assert.strictEqual(statuses[id], "cancelled", id)
        assert.strictEqual(runStatus(state), "cancelled")
      }),
    ),
  )

  it.live("are stopped by a second cancel, and the next block begins", () =>
    inPlace(
      Effect.gen(function* () {
        const made = plan([
          sub("sub"),
          task("sub/one", hangs),
          task("sub/undo", hangs, { block: "onCancel" }),
          task("sub/end", echo, { block: "finally" }),
          task("end", echo, { block: "finally" }),
        ])
        const { started, statuses } = yield* run(made, { cancelAt: ["sub/one", "sub/undo"] })
        assert.deepStrictEqual(started, ["sub/one", "sub/undo", "sub/end", "end"])
        assert.deepStrictEqual([statuses["sub/undo"], statuses["sub/end"]], ["cancelled", "succeeded"])
      }),
    ),
  )

  it.live("stand in a handler of the run where it is used in one", () =>
    inPlace(
      Effect.gen(function* () {
        const made = plan([
          task("one", fails),
          sub("tidy", { block: "finally" }),
          task("tidy/one", fails),
          ...handlers("tidy"),
          task("last", echo, { block: "finally", needs: ["tidy"], if: "true", ...status }),
        ])
        const { said, started, state, statuses } = yield* run(made)
        assert.deepStrictEqual(started, ["one", "tidy/one", "tidy/fix", "tidy/end", "last"])
        assert.deepStrictEqual([said("tidy/fix"), statuses.tidy, runStatus(state)], ["failed", "failed", "failed"])
      }),
    ),
  )

  it.live("run when its time is over: what it does is stopped, and the run goes on as after another failure", () =>
    inPlace(
      Effect.gen(function* () {
        const limited = { pipeline: { params: {}, outputs: {}, timeout: 300 } }
        const made = plan([
          task("sub", pipeline, { ...limited, continueOnError: true }),
          task("sub/one", hangs),
          task("sub/two", echo, { needs: ["sub/one"] }),
          task("sub/asked", echo, { approval: { approvers: 1 } }),
          ...handlers("sub"),
          task("quick", pipeline, limited),
          task("quick/one", echo),
          task("after", echo, { needs: ["sub"], with: { value: "${{ tasks.sub.status }}" } }),
          task("end", echo, { block: "finally", ...status }),
        ])
        const { entries, said, started, state, statuses } = yield* run(made)
        assert.sameMembers(started, ["sub/one", "quick/one", "sub/undo", "sub/end", "after", "end"])
        const stopped = ["sub/one", "sub/two", "sub/asked"].map((id) => statuses[id])
        assert.deepStrictEqual(stopped, ["cancelled", "cancelled", "cancelled"])
        assert.deepStrictEqual(["sub/undo", "sub/end", "after", "end"].map(said), [
          "timed_out",
          "timed_out",
          "warned",
          "warned",
        ])
        assert.deepStrictEqual(Project.dataOf(entries, "pipeline.timed_out"), [{ task: "sub", timeoutMillis: 300 }])
        assert.strictEqual(runStatus(state), "warned")
      }),
    ),
  )

  it.live("run once when the process dies in between and another goes on", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const hold = (body: Effect.Effect<{ readonly value?: unknown }>) => typeOf("hold", "idempotent", () => body)
      const made = plan([
        sub("sub"),
        task("sub/one", fails),
        task("sub/fix", echo, { block: "onFailure" }),
        task("sub/end", hold(Effect.never), { block: "finally" }),
        task("end", echo, { block: "finally", ...status }),
      ])
      const reached = yield* Deferred.make<void>()
      const observer = {
        onEvent: (event: Event) => {
          const at = event.type === "dev.dandori.attempt.started.v1" && event.data.task === "sub/end"
          if (at) Deferred.doneUnsafe(reached, Effect.void)
        },
        onProgress: () => {},
        onLog: () => {},
        onWaiting: () => {},
      }
      const id = yield* Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(
          Run.start(Project.request(made)).pipe(Effect.provideService(Observer, observer)),
        )
        yield* Deferred.await(reached)
        yield* Fiber.interrupt(fiber)
        const [started] = yield* (yield* Ledger).runs
        return started
      }).pipe(Effect.provide(Project.services(place, { types: [...types, hold(Effect.never)] })))
      const { state, entries } = yield* Effect.gen(function* () {
        const resumed = yield* Project.resume(id)
        return { ...resumed, entries: yield* Project.entriesOf(resumed.run) }
      }).pipe(Effect.provide(Project.services(place, { types: [...types, hold(Effect.succeed({}))] })))
      const started = Project.dataOf(entries, "attempt.started").map((data) => String(data.task))
      assert.deepStrictEqual(started, ["sub/one", "sub/fix", "sub/end", "sub/end", "end"])
      assert.strictEqual(runStatus(state), "failed")
    }),
  )
})

describe("a new run that takes over a sub-pipeline", () => {
  const made = (last: PlanTask, second: PlanTask) =>
    plan([
      sub("sub", { continueOnError: true }),
      task("sub/one", echo),
      second,
      ...handlers("sub"),
      last,
      task("end", echo, { block: "finally" }),
    ])
  const again = Effect.fnUntraced(function* (old: string, next: Plan, asked: Takeover.Again) {
    const takeover = yield* Takeover.plan(old, yield* Resume.recall(old), next, asked)
    const { entries, started } = yield* run(next, { takeover })
    return { started, adopted: Project.dataOf(entries, "task.adopted").map((data) => String(data.task)) }
  })
  const last = task("last", fails, { needs: ["sub"] })
  const good = task("sub/two", echo, { needs: ["sub/one"] })

  it.live("that went well takes its handlers over too; with a task of its own that runs again they run again", () =>
    inPlace(
      Effect.gen(function* () {
        const old = yield* run(made(last, good))
        const rest = yield* again(old.run, made(last, good), {})
        assert.deepStrictEqual(rest, { started: ["last", "end"], adopted: ["sub/one", "sub/two", "sub/end"] })
        const inner = yield* again(old.run, made(last, good), { from: "sub/two" })
        assert.deepStrictEqual(inner, { started: ["sub/two", "sub/end", "last", "end"], adopted: ["sub/one"] })
      }),
    ),
  )

  it.live("that timed out gives it all of its time again", () =>
    inPlace(
      Effect.gen(function* () {
        const limited = (second: PlanTask) =>
          plan([
            task("sub", pipeline, { pipeline: { params: {}, outputs: {}, timeout: 400 } }),
            task("sub/one", echo),
            second,
            task("end", echo, { block: "finally", ...status }),
          ])
        const old = yield* run(limited(task("sub/two", hangs, { needs: ["sub/one"] })))
        assert.deepStrictEqual(
          [old.statuses.sub, runStatus(old.state), old.said("end")],
          ["timed_out", "failed", "failed"],
        )
        const rest = yield* again(old.run, limited(task("sub/two", echo, { needs: ["sub/one"] })), {})
        assert.deepStrictEqual(rest, { started: ["sub/two", "end"], adopted: ["sub/one"] })
      }),
    ),
  )

  it.live("that failed runs its handlers again with what failed", () =>
    inPlace(
      Effect.gen(function* () {
        const bad = task("sub/two", fails, { needs: ["sub/one"] })
        const old = yield* run(made(last, bad))
        const rest = yield* again(old.run, made(last, bad), {})
        assert.deepStrictEqual(rest.started, ["sub/two", "sub/fix", "sub/end", "last", "end"])
        assert.deepStrictEqual(rest.adopted, ["sub/one"])
      }),
    ),
  )
})
