import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Plan } from "../../src/domain/plan.ts"
import * as DryRun from "../../src/engine/dry-run.ts"
import * as Resume from "../../src/engine/resume.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import * as Takeover from "../../src/engine/takeover.ts"
import { taskType } from "../../src/authoring/task-type.ts"
import { created } from "../support/engine-interpreter.ts"
import { AnyValue, Broken, echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

/** Fails while the world is broken. */
const world = { broken: true }
const fragile = typeOf("fragile", "pure", ({ value }) =>
  world.broken && value === 1 ? Effect.fail(new Broken({ text: "broken" })) : Effect.succeed({ value }),
)
const types = [echo, fragile]

const sub = { pipeline: { params: {}, outputs: { v: "${{ tasks.two.value }}" } } }
const made: Plan = plan([
  task("first", echo, { with: { value: "big".repeat(100_000) } }),
  task("many", fragile, { matrix: { values: { n: [0, 1, 2] }, failFast: false }, with: { value: "${{ matrix.n }}" } }),
  task("sub", { type: "pipeline/inner", version: 1, effects: "pure" }, sub),
  task("sub/one", echo, { with: { value: "one" } }),
  task("sub/two", fragile, { needs: ["sub/one"], with: { value: 1 } }),
  task("last", echo, { needs: ["first", "many", "sub"], with: { value: ["${{ tasks.many }}", "${{ tasks.sub.v }}"] } }),
  task("end", echo, { block: "finally" }),
])

const again = Effect.fnUntraced(function* (run: string, next: Plan, asked: Takeover.Again) {
  const takeover = yield* Takeover.plan(run, yield* Resume.recall(run), next, asked)
  const result = yield* Run.start(Project.request(next, { takeover }))
  const entries = yield* Project.entriesOf(result.run)
  const started = Project.dataOf(entries, "attempt.started").map((data) => String(data.task))
  const adopted = Project.dataOf(entries, "task.adopted").map((data) => String(data.task))
  return { ...result, entries, started, adopted }
})

const inPlace = <A, E>(body: Effect.Effect<A, E, Effect.Services<ReturnType<typeof again>>>) =>
  Effect.gen(function* () {
    const place = yield* Project.temporary
    world.broken = true
    return yield* Effect.provide(body, Project.services(place, { types }))
  })

describe("a new run that takes over from an old one", () => {
  it.live("runs what did not succeed, instances and members of their own, and what stands behind it", () =>
    inPlace(
      Effect.gen(function* () {
        const { run, state } = yield* Run.start(Project.request(made))
        assert.strictEqual(runStatus(state), "failed")
        world.broken = false
        const next = yield* again(run, made, {})
        assert.strictEqual(runStatus(next.state), "succeeded")
        assert.sameMembers(next.started, ["many[1]", "sub/two", "last", "end"])
        assert.sameMembers(next.adopted, ["first", "many[0]", "many[2]", "sub/one"])
        assert.deepStrictEqual(taskOf(next.state, "last").output, { value: [[0, 1, 2].map((value) => ({ value })), 1] })
        assert.strictEqual(Project.dataOf(next.entries, "run.created")[0].from, run)
        const first = Project.dataOf(next.entries, "task.adopted").find((data) => data.task === "first")
        assert.property(first, "outputArtifact", "an output that is too large for an event stays an artifact")
        const resumed = yield* Effect.flip(Project.resume(next.run))
        assert.strictEqual(resumed._tag, "RunEnded")
      }),
    ),
  )

  it.live("with --from runs that task again and what stands behind it, though it had succeeded", () =>
    inPlace(
      Effect.gen(function* () {
        world.broken = false
        const { run } = yield* Run.start(Project.request(made))
        const many = yield* again(run, made, { from: "many" })
        assert.sameMembers(many.started, ["many[0]", "many[1]", "many[2]", "last", "end"])
        const inner = yield* again(run, made, { from: "sub/two" })
        assert.sameMembers(inner.started, ["sub/two", "last", "end"])
        const twice = yield* again(inner.run, made, { from: "last" })
        assert.sameMembers(twice.started, ["last", "end"])
        assert.strictEqual(runStatus(twice.state), "succeeded")
      }),
    ),
  )

  it.live("with --only runs that task alone, and says what it lacks", () =>
    inPlace(
      Effect.gen(function* () {
        const failed = yield* Run.start(Project.request(made))
        const lacking = yield* Effect.flip(again(failed.run, made, { only: "last" }))
        assert.match(lacking.message, /last needs many, of which run .* has no result.*--from many/)
        world.broken = false
        const { run } = yield* again(failed.run, made, {})
        const only = yield* again(run, made, { only: "last" })
        assert.deepStrictEqual(only.started, ["last"])
        assert.strictEqual(taskOf(only.state, "end").status, "skipped")
      }),
    ),
  )

  it.live("runs again what the plan changed, and nothing from a run that goes on or a task that is not there", () =>
    inPlace(
      Effect.gen(function* () {
        world.broken = false
        const { run } = yield* Run.start(Project.request(made))
        const changed = plan(
          made.tasks.map((one) => (one.id === "sub/one" ? { ...one, with: { value: "other" } } : one)),
        )
        const next = yield* again(run, changed, {})
        assert.sameMembers(next.started, ["sub/one", "sub/two", "last", "end"])
        assert.match((yield* Effect.flip(again(run, made, { from: "frist" }))).message, /no task "frist".*"first"/)
        const waits = plan([task("s", echo, { approval: { approvers: 1 } })])
        const open = yield* Run.start(Project.request(waits))
        assert.match((yield* Effect.flip(again(open.run, waits, {}))).message, /has not ended; go on with it/)
      }),
    ),
  )
})

describe("a dry run", () => {
  it.live("says for each task what it would do, what is not known yet, and what cannot be dry-run", () =>
    Effect.gen(function* () {
      const tells = taskType({
        type: "tells",
        version: 1,
        description: "tells",
        input: AnyValue,
        output: AnyValue,
        effects: "once",
        dryRun: ({ value }) => Effect.succeed(`would tell ${String(value)}`),
        run: () => Effect.die(new Error("a dry run ran a task")),
      })
      const silent = typeOf("silent", "once", () => Effect.die(new Error("a dry run ran a task")))
      const dry = plan([
        task("a", tells, { with: { value: "${{ params.who }}" } }),
        task("b", silent),
        task("c", echo),
        task("d", tells, { needs: ["c"], with: { value: "${{ tasks.c.value }}" } }),
        task("e", tells, { with: { vaule: 1 } }),
      ])
      const place = yield* Project.temporary
      const facts = { pipeline: "test", env: "dev", created: "", params: { who: "ada" }, environment: {} } as const
      const said = yield* DryRun.forecast(
        { ...dry, params: { who: { type: "string" } } },
        facts,
        created(dry),
        "tester",
      ).pipe(Effect.provide(Project.services(place, { types: [tells, silent, echo] })))
      assert.deepStrictEqual(said.slice(0, 4), [
        { _tag: "Would", task: "a", text: "would tell ada" },
        { _tag: "Cannot", task: "b", effects: "once" },
        { _tag: "Pure", task: "c" },
        { _tag: "Later", task: "d", reads: ["tasks.c.value"] },
      ])
      assert.strictEqual(said[4]._tag, "Fails")
    }),
  )
})
