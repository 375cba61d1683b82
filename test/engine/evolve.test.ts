import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import type { Plan } from "../../src/domain/plan.ts"
import { compilePlan } from "../../src/engine/compiled-plan.ts"
import { decide } from "../../src/engine/decide.ts"
import { evolve } from "../../src/engine/evolve.ts"
import { initial, runStatus, taskAt } from "../../src/engine/run-state.ts"
import { Interpreter, type Timed, created, dice, snapshot } from "../support/engine-interpreter.ts"
import { randomPlan } from "../support/engine-random-plan.ts"

const runs = Number(process.env.DANDORI_PROPERTY_RUNS ?? 3_000)

const seeds = FastCheck.integer()

const task = FastCheck.constantFrom("t0", "t1", "t2", "t3", "t0/t1", "t0/t2", "t1[0]", "t2[1]", "t3[9999]", "nobody")
const input = FastCheck.constantFrom("one", "other")
const by = FastCheck.constantFrom("ada", "grace")
const attempt = FastCheck.integer({ min: -1, max: 4 })
const time = FastCheck.integer({ min: 0, max: 5_000 })

/** Any event about any task, whether it fits or not. */
const randomEvent: FastCheck.Arbitrary<Timed> = FastCheck.oneof(
  FastCheck.record({
    type: FastCheck.constantFrom(
      "dev.dandori.attempt.started.v1",
      "dev.dandori.attempt.succeeded.v1",
      "dev.dandori.attempt.cancelled.v1",
    ),
    data: FastCheck.record({ task, attempt }),
    time,
  }),
  FastCheck.record({
    type: FastCheck.constantFrom("dev.dandori.attempt.lost.v1", "dev.dandori.attempt.unknown.v1"),
    data: FastCheck.record({ task, attempt, reason: FastCheck.constant("") }),
    time,
  }),
  FastCheck.record({
    type: FastCheck.constant("dev.dandori.attempt.failed.v1"),
    data: FastCheck.record({
      task,
      attempt,
      error: FastCheck.record({
        tag: FastCheck.constant("Alpha"),
        message: FastCheck.constant(""),
        transient: FastCheck.boolean(),
      }),
    }),
    time,
  }),
  FastCheck.record({
    type: FastCheck.constant("dev.dandori.task.resolved.v1"),
    data: FastCheck.record({ task, as: FastCheck.constantFrom("succeeded", "failed"), reason: FastCheck.constant("") }),
    time,
  }),
  FastCheck.record({
    type: FastCheck.constant("dev.dandori.task.skipped.v1"),
    data: FastCheck.record({ task, reason: FastCheck.constant("") }),
    time,
  }),
  FastCheck.record({
    type: FastCheck.constant("dev.dandori.matrix.expanded.v1"),
    data: FastCheck.record({ task, count: FastCheck.integer({ min: 0, max: 3 }) }),
    time,
  }),
  FastCheck.record({
    type: FastCheck.constant("dev.dandori.pipeline.entered.v1"),
    data: FastCheck.record({ task, params: FastCheck.constant({}) }),
    time,
  }),
  FastCheck.record({
    type: FastCheck.constant("dev.dandori.task.paused.v1"),
    data: FastCheck.record({ task, until: time, reason: FastCheck.constant("") }),
    time,
  }),
  FastCheck.record({
    type: FastCheck.constant("dev.dandori.approval.requested.v1"),
    data: FastCheck.record({ task, input, approvers: FastCheck.constantFrom(1, 2) }),
    time,
  }),
  FastCheck.record({
    type: FastCheck.constantFrom("dev.dandori.approval.granted.v1", "dev.dandori.approval.refused.v1"),
    data: FastCheck.record({ task, input, by, reason: FastCheck.constant("") }),
    time,
  }),
  FastCheck.record({
    type: FastCheck.constant("dev.dandori.retry.scheduled.v1"),
    data: FastCheck.record({ task, attempt, due: time, delayMillis: time }),
    time,
  }),
  FastCheck.record({
    type: FastCheck.constant("dev.dandori.cancel.requested.v1"),
    data: FastCheck.record({ reason: FastCheck.constant(""), timeout: FastCheck.boolean() }),
    time,
  }),
  FastCheck.record({
    type: FastCheck.constant("dev.dandori.run.finished.v1"),
    data: FastCheck.record({ status: FastCheck.constantFrom("succeeded", "failed"), durationMillis: time }),
    time,
  }),
) as FastCheck.Arbitrary<Timed>

/** An event that fits nowhere: of no task, or of an attempt that never was. */
const strangeEvent = randomEvent
  .filter((event) => "task" in event.data && !["task.skipped", "started"].some((part) => event.type.includes(part)))
  .map((event): Timed => {
    const strange = { ...event.data, attempt: 99 }
    const named = event.type.includes("attempt.") && !event.type.includes("failed")
    return { ...event, data: named ? strange : { ...strange, task: "nobody" } } as Timed
  })

describe("the core, driven by chance", () => {
  it("ends every run by the rules, with the status that a naive reading gives", () => {
    FastCheck.assert(
      FastCheck.property(randomPlan(12), seeds, (plan, seed) => {
        const run = new Interpreter(plan, dice(seed))
        run.drive()
        assert.strictEqual(runStatus(run.state), run.model.finished)
        for (const one of run.model.tasks) {
          assert.deepStrictEqual(
            one.started,
            Array.from(one.started, (_, i) => i + 1),
          )
          assert.deepStrictEqual(one.ended, one.started)
          assert.isAtMost(one.started.length - one.spared, one.task.retry?.attempts ?? 3)
        }
      }),
      { numRuns: runs },
    )
  })

  it("leaves every state as it was, and a fold of the events gives the same state again", () => {
    FastCheck.assert(
      FastCheck.property(randomPlan(8), seeds, (plan, seed) => {
        const run = new Interpreter(plan, dice(seed))
        run.drive()
        for (const { state, text } of run.seen) assert.strictEqual(snapshot(state), text)
        const again = run.events.reduce(evolve, initial(compilePlan(plan)))
        assert.strictEqual(snapshot(again), snapshot(run.state))
      }),
      { numRuns: Math.ceil(runs / 10) },
    )
  })

  it("goes on from any prefix of a run's events to an end by the rules", () => {
    FastCheck.assert(
      FastCheck.property(
        randomPlan(8),
        seeds,
        FastCheck.double({ min: 0, max: 1, noNaN: true }),
        (plan, seed, part) => {
          const first = new Interpreter(plan, dice(seed))
          first.drive()
          const open = first.events.slice(0, -1)
          const resumed = new Interpreter(plan, dice(seed + 1), open.slice(0, 1 + Math.floor(part * (open.length - 1))))
          resumed.drive()
          assert.strictEqual(runStatus(resumed.state), resumed.model.finished)
        },
      ),
      { numRuns: Math.ceil(runs / 3) },
    )
  })
})

const settled = new Set(["succeeded", "warned", "failed", "skipped", "cancelled", "timed_out", "lost"])

/** A pipeline whose task t1 is a sub-pipeline with a task that pauses. */
const nested: Plan = {
  format: 1,
  id: "test",
  params: {},
  env: [],
  audit: "required",
  tasks: [
    {
      id: "t1",
      type: "any",
      version: 1,
      effects: "pure",
      needs: [],
      with: {},
      pipeline: { params: {}, outputs: {} },
    },
    { id: "t1/t3", type: "any", version: 1, effects: "pure", needs: [], with: {} },
  ],
}

describe("the core, given events in any order", () => {
  it("ends no sub-pipeline by an attempt: it has none, and what is in it has not ended", () => {
    const entered = { type: "dev.dandori.pipeline.entered.v1", data: { task: "t1", params: {} }, time: 0 } as const
    const error = { tag: "Alpha", message: "", transient: false }
    const ends = [
      { type: "dev.dandori.attempt.failed.v1", data: { task: "t1", attempt: 0, error }, time: 0 },
      { type: "dev.dandori.attempt.succeeded.v1", data: { task: "t1", attempt: 0 }, time: 0 },
      { type: "dev.dandori.attempt.unknown.v1", data: { task: "t1", attempt: 0, reason: "" }, time: 0 },
    ] as const
    const state = [created(nested), entered].reduce(evolve, initial(compilePlan(nested)))
    assert.strictEqual(taskAt(state, 0).status, "running")
    for (const event of ends) assert.strictEqual(evolve(state, event), state)
  })

  it("never throws, never changes what has ended, and never holds less than nothing", () => {
    const given = FastCheck.tuple(randomPlan(6), FastCheck.array(randomEvent, { maxLength: 60 }))
    FastCheck.assert(
      FastCheck.property(given, FastCheck.boolean(), ([plan, events], begun) => {
        let state = initial(compilePlan(plan))
        if (begun) state = evolve(state, created(plan))
        for (const event of events) {
          const before = plan.tasks.map((_, index) => taskAt(state, index))
          state = evolve(state, event)
          decide(state, event.time)
          before.forEach((task, index) => {
            if (settled.has(task.status)) assert.strictEqual(taskAt(state, index), task)
          })
          const { held } = state
          const amounts = [held.cpu, held.memory, held.gpu, held.attempts]
          for (const amount of [...amounts, ...[...held.pools, ...held.locks].map(([, n]) => n)]) {
            assert.isAtLeast(amount, 0)
          }
        }
        if (!begun && !events.some(({ type }) => type.includes("run."))) assert.strictEqual(state.status, "created")
      }),
      { numRuns: runs },
    )
  })

  it("still ends a run by the rules: what does not fit changes nothing", () => {
    FastCheck.assert(
      FastCheck.property(randomPlan(8), seeds, FastCheck.array(strangeEvent, { minLength: 1 }), (plan, seed, noise) => {
        const run = new Interpreter(plan, dice(seed))
        run.drive()
        const place = dice(seed)
        const events = run.events.flatMap((event) => [event, ...(place(3) === 0 ? [noise[place(noise.length)]] : [])])
        const state = events.reduce(evolve, initial(compilePlan(plan)))
        assert.strictEqual(snapshot(state), snapshot(run.state))
      }),
      { numRuns: Math.ceil(runs / 10) },
    )
  })
})
