import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import type { Event } from "../../src/domain/event.ts"
import type { Plan } from "../../src/domain/plan.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import { Observer } from "../../src/services/observer.ts"
import { Broken, echo, plan, quick, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const fails = typeOf("fails", "pure", ({ value }) =>
  value === 1 ? Effect.fail(new Broken({ text: "one" })) : value === 2 ? Effect.never : Effect.succeed({ value }),
)
const Listed = Schema.Struct({ items: Schema.Array(Schema.Unknown) })
const list = taskType({
  type: "list",
  version: 1,
  description: "gives a list",
  input: Schema.Struct({ count: Schema.Int }),
  output: Listed,
  effects: "pure",
  run: ({ count }) => Effect.succeed({ items: Array.from({ length: count }, (_, n) => ({ n })) }),
})
const types = [echo, fails, list]

const run = (made: Plan, changed: Partial<Run.RunRequest> = {}) =>
  Effect.gen(function* () {
    const place = yield* Project.temporary
    return yield* Effect.gen(function* () {
      const result = yield* Run.start(Project.request(made, changed))
      return { ...result, entries: yield* Project.entriesOf(result.run) }
    }).pipe(Effect.provide(Project.services(place, { types })))
  })

describe("a matrix", () => {
  it.live("runs an instance for each value of a list that another task gave, and gives the list of their outputs", () =>
    Effect.gen(function* () {
      const { entries, state } = yield* run(
        plan([
          task("split", list, { with: { count: 3 } }),
          task("each", echo, {
            needs: ["split"],
            matrix: { values: { item: "${{ tasks.split.items }}" } },
            with: { value: "${{ matrix.item }}" },
          }),
          task("all", echo, { needs: ["each"], with: { value: "${{ tasks.each }}" } }),
        ]),
      )
      assert.strictEqual(runStatus(state), "succeeded")
      assert.deepStrictEqual(taskOf(state, "all").output, { value: [0, 1, 2].map((n) => ({ value: { n } })) })
      const [expanded] = Project.dataOf(entries, "matrix.expanded")
      assert.deepStrictEqual(expanded, { task: "each", count: 3, values: { item: [{ n: 0 }, { n: 1 }, { n: 2 }] } })
      const story = Project.story(entries)
      assert.isBelow(story.indexOf("matrix.expanded each"), story.indexOf("attempt.started each[0]"))
    }),
  )

  it.live("without a value succeeds with an empty list", () =>
    Effect.gen(function* () {
      const { state } = yield* run(
        plan([
          task("each", echo, { matrix: { values: { n: [] } } }),
          task("all", echo, { needs: ["each"], with: { value: "${{ tasks.each }}" } }),
        ]),
      )
      assert.strictEqual(taskOf(state, "each").status, "succeeded")
      assert.deepStrictEqual(taskOf(state, "all").output, { value: [] })
    }),
  )

  it.live("stops its other instances when one fails, those that run and those that wait", () =>
    Effect.gen(function* () {
      const { entries, state } = yield* run(
        plan([
          task("each", fails, {
            matrix: { values: { n: [2, 1, 0] }, maxParallel: 2 },
            with: { value: "${{ matrix.n }}" },
          }),
        ]),
      )
      assert.strictEqual(runStatus(state), "failed")
      const statuses = ["each[0]", "each[1]", "each[2]", "each"].map((id) => taskOf(state, id).status)
      assert.deepStrictEqual(statuses, ["cancelled", "failed", "cancelled", "failed"])
      assert.notInclude(Project.story(entries), "attempt.started each[2]")
    }),
  )

  it.live("that does not fail fast lets the others end; what may fail leaves a null in the list", () =>
    Effect.gen(function* () {
      const matrix = { values: { n: [0, 1, 3] }, failFast: false } as const
      const { state } = yield* run(
        plan([
          task("each", fails, { matrix, continueOnError: true, with: { value: "${{ matrix.n }}" } }),
          task("all", echo, { needs: ["each"], with: { value: "${{ tasks.each }}" } }),
        ]),
      )
      assert.strictEqual(runStatus(state), "warned")
      assert.deepStrictEqual(taskOf(state, "all").output, { value: [{ value: 0 }, null, { value: 3 }] })
    }),
  )

  it.live("and any other task has outputs to ask for by has() only when it succeeded", () =>
    Effect.gen(function* () {
      const matrix = { values: { n: [0, 1] } } as const
      const say = (id: string, needs: string, source: string) =>
        task(id, echo, { needs: [needs], if: "true", with: { value: `\${{ ${source} }}` } })
      const { state } = yield* run(
        plan([
          task("no", echo, { if: "false", with: { value: "no" } }),
          task("nones", echo, { if: "false", matrix, with: { value: "no" } }),
          task("yes", echo, { with: { value: "yes" } }),
          say("a", "no", 'has(tasks.no) ? tasks.no.value : "none"'),
          say("b", "nones", 'has(tasks.nones) ? tasks.nones[0].value : "none"'),
          say("c", "yes", 'has(tasks.yes) ? tasks.yes.value : "none"'),
          say("d", "no", "tasks.no.status"),
        ]),
      )
      const said = ["a", "b", "c", "d"].map((id) => taskOf(state, id).output)
      assert.deepStrictEqual(said, [{ value: "none" }, { value: "none" }, { value: "yes" }, { value: "skipped" }])
    }),
  )

  it.live("is asked for its status: the worst of its instances, and skipped when it did not open", () =>
    Effect.gen(function* () {
      const matrix = { values: { n: [0, 1] } } as const
      const { state } = yield* run(
        plan([
          task("each", fails, { matrix, with: { value: "${{ matrix.n }}" } }),
          task("never", echo, { needs: ["each"], matrix }),
          task("empty", echo, { matrix: { values: { n: [] } } }),
          task("sorry", echo, {
            needs: ["each", "empty", "never"],
            if: 'tasks.each.status == "failed" && size(tasks.empty) == 0',
            with: {
              value: ["${{ tasks.each.status }}", "${{ tasks.never.status }}", "${{ tasks.empty.status + '!' }}"],
            },
          }),
        ]),
      )
      assert.deepStrictEqual(taskOf(state, "sorry").output, { value: ["failed", "skipped", "succeeded!"] })
    }),
  )

  it.live("with more values than there may be instances fails with a reason, and nothing of it starts", () =>
    Effect.gen(function* () {
      const { entries, state } = yield* run(
        plan([
          task("split", list, { with: { count: 10_001 } }),
          task("each", echo, { needs: ["split"], matrix: { values: { item: "${{ tasks.split.items }}" } } }),
        ]),
      )
      assert.strictEqual(taskOf(state, "each").status, "failed")
      assert.match(taskOf(state, "each").error?.message ?? "", /10001 instances; at most 10000/)
      assert.notInclude(Project.story(entries), "attempt.started each[0]")
    }),
  )

  it.live("whose values are too many for an event keeps them as an artifact, and a resume goes on with them", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const hold = (body: Effect.Effect<{ value?: unknown }>) => typeOf("hold", "idempotent", () => body)
      const items = "${{ tasks.split.items.map(x, {'text': 'a rather long text for each of them', 'n': x.n}) }}"
      const made = plan([
        task("split", list, { with: { count: 6_000 } }),
        task("wide", echo, {
          needs: ["split"],
          matrix: { values: { item: items }, maxParallel: 1 },
          with: { value: "${{ matrix.item.n }}" },
        }),
        task("hold", hold(Effect.never), { needs: ["split"] }),
        task("last", echo, { needs: ["wide", "hold"], with: { value: "${{ tasks.wide[5999].value }}" } }),
      ])
      const reached = yield* Deferred.make<void>()
      const run = yield* Effect.gen(function* () {
        const observer = {
          onEvent: (event: Event) => {
            const at = event.type === "dev.dandori.attempt.succeeded.v1" && event.data.task === "wide[100]"
            if (at) Deferred.doneUnsafe(reached, Effect.void)
          },
          onProgress: () => {},
          onLog: () => {},
          onWaiting: () => {},
        }
        const fiber = yield* Effect.forkChild(
          Run.start(Project.request(made)).pipe(Effect.provideService(Observer, observer)),
        )
        yield* Deferred.await(reached)
        yield* Fiber.interrupt(fiber)
        const [id] = yield* (yield* Ledger).runs
        const [expanded] = Project.dataOf(yield* Project.entriesOf(id), "matrix.expanded")
        assert.notProperty(expanded, "values")
        assert.property(expanded, "valuesArtifact")
        return id
      }).pipe(Effect.provide(Project.services(place, { types: [list, echo, hold(Effect.never)] })))
      const { state } = yield* Project.resume(run).pipe(
        Effect.provide(Project.services(place, { types: [list, echo, hold(Effect.succeed({}))] })),
      )
      assert.strictEqual(runStatus(state), "succeeded")
      assert.deepStrictEqual(taskOf(state, "last").output, { value: 5_999 })
    }),
  )
})

describe("a sub-pipeline", () => {
  const inner = (settings: Parameters<typeof task>[2] = {}) => [
    task(
      "sub",
      { type: "pipeline/inner", version: 1, effects: "pure" },
      {
        pipeline: {
          params: { x: { type: "integer", maximum: 5 }, y: { type: "string", default: "why" } },
          outputs: { sum: "${{ tasks.two.value }}" },
        },
        with: { x: "${{ params.x }}" },
        ...settings,
      },
    ),
    task("sub/one", echo, { with: { value: "${{ params.x }}" } }),
    task("sub/two", echo, { needs: ["sub/one"], with: { value: ["${{ tasks.one.value }}", "${{ params.y }}"] } }),
    task("after", echo, { needs: ["sub"], with: { value: "${{ tasks.sub.sum }}" } }),
    task("sub/end", echo, { block: "finally", with: { value: "${{ params.y }}" } }),
  ]
  const params = { x: { type: "integer" } }

  it.live("has params of its own with their defaults, and gives its outputs", () =>
    Effect.gen(function* () {
      const { entries, state } = yield* run(plan(inner(), { params }), { params: { x: 3 } })
      assert.strictEqual(runStatus(state), "succeeded")
      assert.deepStrictEqual(taskOf(state, "after").output, { value: [3, "why"] })
      assert.deepStrictEqual(Project.dataOf(entries, "pipeline.entered"), [{ task: "sub", params: { x: 3, y: "why" } }])
      assert.deepStrictEqual(taskOf(state, "sub/end").output, { value: "why" })
    }),
  )

  it.live("whose param breaks its schema fails before anything of it starts; its handlers are skipped", () =>
    Effect.gen(function* () {
      const { entries, state } = yield* run(plan(inner(), { params }), { params: { x: 9 } })
      assert.strictEqual(runStatus(state), "failed")
      assert.match(taskOf(state, "sub").error?.message ?? "", /The param x of sub: 9 must be at most 5/)
      const rest = ["sub/one", "sub/two", "after", "sub/end"].map((id) => taskOf(state, id).status)
      assert.deepStrictEqual(rest, ["skipped", "skipped", "skipped", "skipped"])
      assert.notInclude(Project.story(entries).join(), "attempt.started")
    }),
  )

  it.live("that may fail and does has a status and no outputs", () =>
    Effect.gen(function* () {
      const outputs = { size: "${{ size(tasks.two) }}" }
      const { state } = yield* run(
        plan([
          task(
            "sub",
            { type: "pipeline/inner", version: 1, effects: "pure" },
            { pipeline: { params: {}, outputs }, continueOnError: true },
          ),
          task("sub/one", fails, { with: { value: 1 } }),
          task("sub/two", echo, { needs: ["sub/one"], matrix: { values: { n: [1, 2] } } }),
          task("ask", echo, {
            needs: ["sub"],
            if: 'tasks.sub.status == "warned"',
            with: { value: ["${{ tasks.sub.status }}", "${{ has(tasks.sub.size) ? tasks.sub.size : 0 }}"] },
          }),
          task("end", echo, { block: "finally", if: 'tasks.sub.status != "skipped"' }),
        ]),
      )
      assert.strictEqual(runStatus(state), "warned")
      assert.deepStrictEqual(taskOf(state, "ask").output, { value: ["warned", 0] })
      assert.strictEqual(taskOf(state, "end").status, "succeeded")
    }),
  )

  it.live("whose condition is false is skipped with all that is in it", () =>
    Effect.gen(function* () {
      const { state } = yield* run(plan(inner({ if: "params.x == 1" }), { params }), { params: { x: 3 } })
      assert.strictEqual(runStatus(state), "succeeded")
      assert.deepStrictEqual(
        ["sub", "sub/one", "sub/two", "after"].map((id) => taskOf(state, id).status),
        ["skipped", "skipped", "skipped", "skipped"],
      )
    }),
  )
})

describe("a task with a priority", () => {
  it.live("starts before others that are ready", () =>
    Effect.gen(function* () {
      const capacity = { ...Project.capacity, attempts: 1 }
      const made = plan([task("a", echo), task("b", echo, { priority: 5 }), task("c", echo, { priority: -1 })])
      const { entries } = yield* run(made, { capacity })
      const started = Project.dataOf(entries, "attempt.started").map((data) => data.task)
      assert.deepStrictEqual(started, ["b", "a", "c"])
    }),
  )
})

/** The machine's clock with a wall time that no other program sets: it goes as time really passes. */
const steady = Effect.map(Clock.clockWith(Effect.succeed), (clock): Clock.Clock => {
  const start = clock.currentTimeMillisUnsafe()
  const since = clock.monotonicTimeNanosUnsafe()
  const now = () => start + Math.floor(Number(clock.monotonicTimeNanosUnsafe() - since) / 1e6)
  return Object.assign(Object.create(clock), { currentTimeMillisUnsafe: now, currentTimeMillis: Effect.sync(now) })
})

describe("a pause", () => {
  it.live("keeps a task until its moment, and what has passed keeps nothing", () =>
    Effect.gen(function* () {
      const soon = (yield* Clock.currentTimeMillis) + 300
      const made = plan([
        task("soon", echo, { pauseUntil: { reason: "a while", until: new Date(soon).toISOString() } }),
        task("past", echo, { pauseUntil: { reason: "long ago", until: "2020-01-01T00:00:00Z" } }),
        task("no", echo, { pauseUntil: { reason: "never", until: "${{ params.when }}" }, retry: quick(3) }),
      ])
      const { entries, state } = yield* run(
        { ...made, params: { when: { type: "string" } } },
        { params: { when: "soon" } },
      )
      assert.strictEqual(taskOf(state, "no").error?.tag, "InputInvalid")
      const story = Project.story(entries)
      const [past, later] = [story.indexOf("attempt.started past"), story.indexOf("attempt.started soon")]
      // The two clocks that are compared were read one after the other, within a millisecond's rounding.
      assert.isAtLeast(Date.parse(entries[later]?.time ?? ""), soon - 1)
      assert.isTrue(story.indexOf("task.paused past") < past && past < later, story.join(", "))
    }).pipe(Effect.provideServiceEffect(Clock.Clock, steady)),
  )
})
