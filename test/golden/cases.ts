import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { GateResult } from "../../src/domain/gate.ts"
import type { Plan } from "../../src/domain/plan.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import type { AnyTaskType } from "../../src/domain/task-type.ts"
import * as Resolve from "../../src/engine/resolve.ts"
import * as Resume from "../../src/engine/resume.ts"
import * as Run from "../../src/engine/run.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { fake } from "../../src/testing/fake.ts"
import * as Place from "../../src/testing/place.ts"
import { request } from "../../src/testing/run-pipeline.ts"
import { Flaky, plan, task, typeOf } from "../support/engine-plan.ts"

/** Waits a second and gives back its input. */
const work = fake(typeOf("work", "pure", Effect.succeed), (input) => Effect.as(Effect.sleep("1 second"), input))
const pure = typeOf("pure", "pure", Effect.succeed)
const idempotent = typeOf("idempotent", "idempotent", Effect.succeed)
const hangs = fake(typeOf("hangs", "idempotent", Effect.succeed), () => Effect.never)
const once = fake(typeOf("once", "once", Effect.succeed), () => Effect.never)

let tries = 0
const flaky = fake(typeOf("flaky", "idempotent", Effect.succeed), (input) =>
  ++tries < 3 ? new Flaky() : Effect.succeed(input),
)

/** Judges by what it is told; its verdict comes with a receipt. */
const gate = taskType({
  type: "gate",
  version: 1,
  description: "judges",
  input: Schema.Struct({ verdict: GateResult.fields.verdict }),
  output: Schema.Struct({ gate: GateResult }),
  effects: "pure",
  gate: (output) => output.gate,
  run: ({ verdict }) =>
    Effect.succeed({
      gate: {
        verdict,
        subjects: [{ name: "model", sha256: Sha256.of("model") }],
        policy: { name: "policy", sha256: Sha256.of("policy") },
        reasons: verdict === "PASSED" ? [] : ["the drawdown is too large"],
        reports: [],
      },
    }),
})

let begun = 0
const slowStart = fake(typeOf("slow", "idempotent", Effect.succeed), (input) =>
  ++begun === 1 ? Effect.never : Effect.as(Effect.sleep("1 second"), input),
)

/** The task types of all cases. */
export const types: ReadonlyArray<AnyTaskType> = [work, pure, idempotent, hangs, once, flaky, gate, slowStart]

const runPlan = (planned: Plan, place: Place.Place, changed: Partial<Run.RunRequest> = {}) =>
  Effect.map(Run.start(request(planned, place, changed)), ({ run }) => run)

const resume = Effect.fnUntraced(function* (run: string, place: Place.Place) {
  const now = place.clock.currentTimeMillisUnsafe()
  const options = { capacity: Place.capacity, who: "tester", now }
  return yield* Resume.resume(run, yield* Resume.recall(run), options)
})

const newestRun = Effect.map(Effect.flatten(Effect.map(Ledger, ({ runs }) => runs)), (runs) => runs.at(-1) ?? "")

const successes = plan(
  [
    task("first", work, { with: { value: { month: "${{ params.month }}", list: [1, 2.5, "段取り"] } } }),
    task("left", pure, { needs: ["first"], with: { value: "${{ tasks.first.value }}" } }),
    task("right", idempotent, { needs: ["first"], with: { value: 2 }, resources: { cpu: 1, pools: { trainers: 1 } } }),
    task("never", pure, { needs: ["left", "right"], if: 'params.month == "2024-12"' }),
    task("report", pure, { block: "finally", needs: [], with: { value: "${{ run.status }}" } }),
  ],
  { id: "success", params: { month: { type: "string" } } },
)

const retries = plan(
  [
    task("flaky", flaky, {
      with: { value: 1 },
      retry: { attempts: 3, backoff: { initial: 60_000, factor: 2, max: 3_600_000, jitter: "full" } },
    }),
  ],
  { id: "retry" },
)

const timesOut = plan(
  [
    task("hangs", hangs, { timeout: 3_600_000 }),
    task("after", pure, { needs: ["hangs"] }),
    task("cleared", pure, { block: "onFailure", with: { value: "${{ run.status }}" } }),
  ],
  { id: "timeout" },
)

const cancels = plan(
  [
    task("done", work),
    task("hangs", hangs, { needs: ["done"] }),
    task("waits", pure, { needs: ["hangs"] }),
    task("undone", pure, { block: "onCancel" }),
  ],
  { id: "cancel" },
)

const unknowns = plan([task("once", once, { timeout: 60_000 }), task("after", pure, { needs: ["once"] })], {
  id: "unknown",
})

const gates = plan(
  [
    task("passes", gate, { with: { verdict: "PASSED" } }),
    task("fails", gate, { needs: ["passes"], with: { verdict: "FAILED" } }),
    task("publish", pure, { needs: ["fails"] }),
  ],
  { id: "gate" },
)

const caches = plan([task("kept", pure, { with: { value: "the same" }, cache: true })], { id: "cache" })

const stops = plan(
  [task("done", work), task("open", slowStart, { needs: ["done"] }), task("last", pure, { needs: ["open"] })],
  {
    id: "resume",
  },
)

/** Runs that together hold every way an attempt can end, by name: each gives the id of the run to keep. */
export const cases = {
  success: (place: Place.Place) => runPlan(successes, place, { params: { month: "2025-01" } }),
  retry: (place: Place.Place) => runPlan(retries, place),
  timeout: (place: Place.Place) => runPlan(timesOut, place),
  cancel: (place: Place.Place) =>
    Effect.gen(function* () {
      let cancel = (_reason: string) => {}
      const control = { onCancel: (given: (reason: string) => void) => ((cancel = given), () => {}) }
      yield* Effect.forkScoped(
        Effect.andThen(
          Effect.sleep("5 minutes"),
          Effect.sync(() => cancel("a person asked")),
        ),
      )
      return yield* runPlan(cancels, place, { control })
    }),
  unknown: (place: Place.Place) =>
    Effect.gen(function* () {
      const run = yield* runPlan(unknowns, place)
      const now = place.clock.currentTimeMillisUnsafe()
      const said = {
        task: "once",
        as: "succeeded",
        reason: "the bank confirmed it",
        output: { value: 7 },
        now,
      } as const
      yield* Resolve.resolve(run, yield* Resume.recall(run), said)
      yield* resume(run, place)
      return run
    }),
  gate: (place: Place.Place) => runPlan(gates, place),
  cache: (place: Place.Place) => Effect.andThen(runPlan(caches, place), runPlan(caches, place)),
  resume: (place: Place.Place) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(runPlan(stops, place))
      const reached = yield* Deferred.make<void>()
      yield* Effect.forkScoped(Effect.andThen(Effect.sleep("1 minute"), Deferred.succeed(reached, undefined)))
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(fiber)
      const run = yield* newestRun
      const file = join(place.home, "ledger", StreamName.segmentPath(StreamName.ofRun(run)))
      yield* Effect.promise(() => Fs.appendFile(file, '{"data":{"attempt":1,"out'))
      yield* resume(run, place)
      return run
    }),
}
