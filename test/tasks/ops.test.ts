import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { PlanTask } from "../../src/domain/plan.ts"
import * as Resume from "../../src/engine/resume.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import * as Submit from "../../src/engine/submit.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Settings } from "../../src/services/settings.ts"
import { Signals } from "../../src/services/signals.ts"
import ops from "../../tasks/ops/index.ts"
import type { OpsInput } from "../../tasks/ops/schema.ts"
import { pipeline, plan, told } from "../compiler/compiled.ts"
import * as EnginePlan from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"
import * as SignalsPlace from "../support/signals-place.ts"
import * as Workplace from "./workplace.ts"

const note = { reason: "a start", source: "a test" }
const pair = "EURUSD-GBPUSD"

/** What changes of the attempt and of the configuration. */
interface Given {
  readonly approvedBy?: ReadonlyArray<string>
  readonly env?: "dev" | "prod"
  readonly selfApproval?: boolean
}

/** A project whose flags let everything go on. */
const place = Effect.gen(function* () {
  const root = yield* Workplace.project
  const signals = SignalsPlace.layer({ home: `${root}/.dandori`, name: "test" })
  const { sections } = yield* Project.configuration
  const change = Effect.flatMap(Signals, (service) => service.change({ operation: "resume" }, note))
  yield* change.pipe(Effect.provide(signals), Effect.scoped)
  const services = ({ approvedBy = [], env = "prod", selfApproval = false }: Given) =>
    Layer.mergeAll(
      Layer.effect(
        Attempt,
        Effect.map(Attempt, (attempt) => ({ ...attempt, approvedBy, env })),
      ),
      Layer.succeed(Settings, {
        env,
        sections: { ...sections, approvals: { selfApproval } },
        digest: () => "" as never,
      }),
    ).pipe(Layer.provideMerge(Layer.merge(signals, Workplace.attempt(root))))
  return {
    run: (input: OpsInput, given: Given = {}) => ops.run(input).pipe(Effect.provide(services(given)), Effect.scoped),
    forecast: (input: OpsInput) =>
      (ops.dryRun?.(input) ?? Effect.succeed("")).pipe(Effect.provide(services({})), Effect.scoped),
  }
})

describe("ops", () => {
  it.live("halts, and says the same when it is tried again", () =>
    Effect.gen(function* () {
      const { run } = yield* place
      const halted = yield* run({ operation: "halt", reason: "the feed is late" })
      assert.deepInclude(halted, { operation: "halt", changed: true, halted: true })
      assert.deepInclude(halted.flags?.metadata, {
        reason: "the feed is late",
        source: "dandori run 0190a000-0000-7000-8000-000000000001 (test/work) by tester",
      })
      assert.deepInclude(yield* run({ operation: "halt", reason: "the feed is late" }), {
        changed: false,
        halted: true,
      })
    }),
  )

  it.live("lifts no halt that somebody made since, and says so; its own resume again is done already", () =>
    Effect.gen(function* () {
      const { run } = yield* place
      const given = { approvedBy: ["another"] }
      const first = yield* run({ operation: "halt", reason: "wrong signals" })
      yield* run({ operation: "halt", reason: "the feed is late" })
      const stale = { operation: "resume", reason: "it is back", seen: first.digest } as const
      assert.strictEqual((yield* Effect.flip(run(stale, given)))._tag, "FlagsMoved")
      const now = yield* run({ operation: "status" })
      assert.isTrue(now.halted)
      const fresh = { ...stale, seen: now.digest }
      assert.deepInclude(yield* run(fresh, given), { changed: true, halted: false })
      assert.deepInclude(yield* run(fresh, given), { changed: false, halted: false })
    }),
  )

  it.live("halts, flattens and resumes pairs, and sets the leverage", () =>
    Effect.gen(function* () {
      const { run } = yield* place
      yield* run({ operation: "halt-pairs", pairs: [pair, "EURUSD-USDJPY"], reason: "news" })
      yield* run({ operation: "flatten", pairs: [pair], reason: "news" })
      yield* run({ operation: "set-leverage", scale: 0.25, reason: "news" })
      const status = yield* run({ operation: "status" })
      assert.deepInclude(status.flags, {
        global_halt: false,
        halted_pairs: [pair, "EURUSD-USDJPY"],
        flatten_pairs: [pair],
        leverage_scale: 0.25,
      })
      const after = yield* run({ operation: "resume-pairs", pairs: [pair], reason: "over" })
      assert.deepInclude(after.flags, { halted_pairs: ["EURUSD-USDJPY"], flatten_pairs: [] })
    }),
  )

  it.live("refuses a pair that the universe does not have, with what was probably meant", () =>
    Effect.gen(function* () {
      const { run } = yield* place
      for (const operation of ["halt-pairs", "flatten"] as const) {
        const refused = yield* Effect.flip(run({ operation, pairs: [pair, "EURUDS-USDJPY"], reason: "news" }))
        assert.deepInclude(refused, { _tag: "PairUnknown", notApplied: true })
        assert.include(refused.message, 'no pair EURUDS-USDJPY. Did you mean "EURUSD-USDJPY"?')
      }
      assert.deepStrictEqual((yield* run({ operation: "status" })).flags?.halted_pairs, [])
    }),
  )

  it.live("resumes only with the approval of another person", () =>
    Effect.gen(function* () {
      const { run } = yield* place
      yield* run({ operation: "halt", reason: "the feed is late" })
      const resume = { operation: "resume", reason: "it is back" } as const
      for (const given of [
        {},
        { approvedBy: ["tester"] },
        { approvedBy: ["tester"], selfApproval: true },
        { approvedBy: ["tester"], env: "dev" },
        { env: "dev", selfApproval: true },
      ] as const) {
        const refused = yield* Effect.flip(run(resume, given))
        assert.deepInclude(refused, { _tag: "ApprovalMissing", notApplied: true }, JSON.stringify(given))
      }
      assert.isTrue((yield* run({ operation: "status" })).halted)
      assert.deepInclude(yield* run(resume, { approvedBy: ["ada"] }), { changed: true, halted: false })
      const self = { approvedBy: ["tester"], env: "dev", selfApproval: true } as const
      assert.isFalse((yield* run(resume, self)).halted)
    }),
  )

  it.live("says in a dry run what it would do and what holds now, and changes nothing", () =>
    Effect.gen(function* () {
      const { forecast, run } = yield* place
      assert.strictEqual(
        yield* forecast({ operation: "halt-pairs", pairs: [pair], reason: "news" }),
        `would halt-pairs ${pair}; global_halt is 0, halted_pairs [], flatten_pairs [], leverage_scale 1`,
      )
      assert.deepStrictEqual((yield* run({ operation: "status" })).flags?.halted_pairs, [])
      assert.strictEqual(
        (yield* Effect.flip(forecast({ operation: "flatten", pairs: ["X-Y"], reason: "r" })))._tag,
        "PairUnknown",
      )
    }),
  )
})

const text = (...fields: ReadonlyArray<string>) => pipeline("tasks:", "  go:", "    uses: ops", ...fields)
const using = (...fields: ReadonlyArray<string>) => told(text(...fields))

describe("a pipeline that uses ops", () => {
  it.effect("does not compile where it resumes and asks nobody", () =>
    Effect.gen(function* () {
      const resume = "    with: { operation: resume, reason: it is back }"
      const words = "To resume takes two people. Say who agrees: approval: { approvers: 1 }."
      assert.deepStrictEqual(yield* using(resume), [`5:11 ${words}`])
      const approved = yield* plan(text(resume, "    approval: { approvers: 1 }"))
      assert.deepStrictEqual(approved.tasks[0].approval, { approvers: 1 })
      const [either] = yield* told(
        pipeline(
          "params: { what: { type: string, enum: [halt, resume], default: halt } }",
          "tasks:",
          "  go: { uses: ops, with: { operation: '${{ params.what }}', reason: r } }",
        ),
      )
      assert.match(either, /^5:15 This may resume, which takes two people\./)
    }),
  )

  it.effect("is told what an operation takes", () =>
    Effect.gen(function* () {
      const halt = { operation: "halt", reason: "news" }
      assert.deepStrictEqual((yield* plan(text(`    with: ${JSON.stringify(halt)}`))).tasks[0].with, halt)
      for (const [given, words] of [
        ["operation: hlat, reason: news", /"hlat" is none of status, halt, .* Did you mean "halt"\?/],
        ["operation: halt", /halt needs reason/],
        ['operation: halt, reason: ""', /^6:\d+ reason: /],
        ["operation: flatten, reason: news", /flatten needs pairs/],
        ["operation: flatten, reason: news, pairs: [A-B, A-B]", /^6:\d+ pairs: /],
        ["operation: halt, reason: news, pairs: [A-B]", /halt takes no pairs/],
        [`operation: halt, reason: news, seen: "${"0".repeat(64)}"`, /halt takes no seen/],
        ["operation: set-leverage, scale: 2, reason: news", /^6:\d+ scale: .*between 0 and 1/],
      ] as const) {
        const all = yield* using(`    with: { ${given} }`)
        assert.lengthOf(all, 1, given)
        assert.match(all[0], words)
      }
    }),
  )
})

describe("a run that resumes", () => {
  it.live("waits for another person, whom the engine names to the task", () =>
    Effect.gen(function* () {
      const { home, project } = yield* Project.temporary
      const signals = SignalsPlace.layer({ home, name: "core" })
      const configuration = yield* Project.configuration
      const settings = {
        ...configuration,
        env: "prod" as const,
        sections: { ...configuration.sections, approvals: { selfApproval: false } },
      }
      const tasks: ReadonlyArray<PlanTask> = [
        EnginePlan.task("go", ops, {
          approval: { approvers: 1 },
          with: { operation: "resume", reason: "it is back" },
        }),
      ]
      yield* Effect.gen(function* () {
        const service = yield* Signals
        yield* service.change({ operation: "halt" }, note)
        const { run, state } = yield* Run.start(Project.request(EnginePlan.plan(tasks), { env: "prod" }))
        assert.strictEqual(runStatus(state), "waiting")
        const [requested] = Project.dataOf(yield* Project.entriesOf(run), "approval.requested")
        const answer = { kind: "approve", task: "go", input: requested.input as never } as const
        yield* Submit.submit(run, yield* Resume.recall(run), answer, { by: "ada", now: Date.now() })
        const { state: ended } = yield* Project.resume(run)
        assert.strictEqual(runStatus(ended), "succeeded", taskOf(ended, "go").error?.message)
        assert.isFalse((yield* service.mayAct()).global_halt)
        const [succeeded] = Project.dataOf(yield* Project.entriesOf(run), "attempt.succeeded")
        assert.deepInclude(succeeded.output, { operation: "resume", changed: true, halted: false })
      }).pipe(
        Effect.provide(Layer.provideMerge(signals, Project.services({ home, project }, { types: [ops], settings }))),
        Effect.scoped,
      )
    }),
  )
})
