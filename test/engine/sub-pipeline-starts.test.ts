import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Event } from "../../src/domain/event.ts"
import type { Plan } from "../../src/domain/plan.ts"
import { compilePlan } from "../../src/engine/compiled-plan.ts"
import { decide } from "../../src/engine/decide.ts"
import { evolve } from "../../src/engine/evolve.ts"
import * as Resume from "../../src/engine/resume.ts"
import * as Run from "../../src/engine/run.ts"
import { type RunState, initial, runStatus, taskOf } from "../../src/engine/run-state.ts"
import * as Takeover from "../../src/engine/takeover.ts"
import { echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const pipeline = { type: "pipeline/inner", version: 1, effects: "pure" } as const
const limited = (timeout: number) => ({ pipeline: { params: {}, outputs: {}, timeout } })

const digest = `sha256:${"0".repeat(64)}`
const created = {
  type: "dev.dandori.run.created.v1",
  data: { capacity: { cpu: 1, memory: 1, gpu: 0, pools: {}, attempts: 8 } },
} as unknown as Event

/** The state after these events, all at time 0. */
const after = (made: Plan, ...events: ReadonlyArray<Event>): RunState =>
  [created, ...events].reduce((state, event) => evolve(state, { ...event, time: 0 }), initial(compilePlan(made)))
const entered = (due: number): Event => ({
  type: "dev.dandori.pipeline.entered.v1",
  data: { task: "sub", params: {}, due },
})
/** What is asked about the sub-pipeline at a time. */
const aboutSub = (state: RunState, now: number) => {
  const index = state.plan.indexOf.get("sub")
  return decide(state, now).flatMap((command) => ("task" in command && command.task === index ? [command._tag] : []))
}

describe("a sub-pipeline that people agreed to", () => {
  it("is entered, not started as a task", () => {
    const about = { task: "sub", input: digest as never }
    const made = plan([task("sub", pipeline, { ...limited(80), approval: { approvers: 1 } }), task("sub/one", echo)])
    const asked: Event = { type: "dev.dandori.approval.requested.v1", data: { ...about, approvers: 1 } }
    const state = after(made, asked, { type: "dev.dandori.approval.granted.v1", data: { ...about, by: "ada" } })
    assert.deepStrictEqual(decide(state, 0), [{ _tag: "Open", task: 0 }])
  })
})

describe("the timeout of a sub-pipeline", () => {
  it("is not the one of its approval, whose end may come while it runs", () => {
    const asked = (id: string, due: number): Event => ({
      type: "dev.dandori.approval.requested.v1",
      data: { task: id, input: digest as never, approvers: 1, due },
    })
    const approval = { approvers: 1 }
    const made = plan([
      task("other", echo, { approval }),
      task("sub", pipeline, { ...limited(80), approval }),
      task("sub/one", echo),
    ])
    const granted: Event = {
      type: "dev.dandori.approval.granted.v1",
      data: { task: "sub", input: digest as never, by: "ada" },
    }
    const state = after(made, asked("other", 30), asked("sub", 40), granted, entered(80))
    assert.deepStrictEqual(aboutSub(state, 79), [])
    assert.deepStrictEqual(aboutSub(state, 80), ["TimeOut"])
  })

  it("is not the end of its pause either: it is not started as a task", () => {
    const pauseUntil = { reason: "", until: "" }
    const paused = (id: string, until: number): Event => ({
      type: "dev.dandori.task.paused.v1",
      data: { task: id, until, reason: "" },
    })
    const made = plan([
      task("other", echo, { pauseUntil }),
      task("sub", pipeline, { ...limited(80), pauseUntil }),
      task("sub/one", echo),
    ])
    const state = after(made, paused("other", 30), paused("sub", 40), entered(80))
    assert.deepStrictEqual(aboutSub(state, 79), [])
    assert.deepStrictEqual(aboutSub(state, 80), ["TimeOut"])
  })

  it.live("stops it where only one of its tasks is run again", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const made = plan([
        task("sub", pipeline, limited(300)),
        task("sub/one", echo),
        task(
          "sub/two",
          typeOf("hangs", "pure", () => Effect.never),
          { needs: ["sub/one"] },
        ),
      ])
      yield* Effect.gen(function* () {
        const old = yield* Run.start(Project.request(made))
        const asked = { only: "sub/two" }
        const takeover = yield* Takeover.plan(old.run, yield* Resume.recall(old.run), made, asked)
        const { run, state } = yield* Run.start(Project.request(made, { takeover })).pipe(Effect.timeout("20 seconds"))
        assert.deepStrictEqual([taskOf(state, "sub").status, runStatus(state)], ["timed_out", "failed"])
        const timeouts = Project.dataOf(yield* Project.entriesOf(run), "pipeline.timed_out")
        assert.deepStrictEqual(timeouts, [{ task: "sub", timeoutMillis: 300 }])
      }).pipe(Effect.provide(Project.services(place, { types: [echo, typeOf("hangs", "pure", () => Effect.never)] })))
    }),
  )
})
