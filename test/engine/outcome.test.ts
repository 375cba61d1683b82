import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { GateResult } from "../../src/domain/gate.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Evidence } from "../../src/services/evidence.ts"
import { Secrets } from "../../src/services/secrets.ts"
import { Broken, echo, plan, quick, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const subject = Sha256.of("the model")

/** A gate that says what its input says. */
const gate = taskType({
  type: "gate",
  version: 1,
  description: "gate",
  input: Schema.Struct({ verdict: Schema.Literals(["PASSED", "WARNED", "FAILED"]) }),
  output: Schema.Struct({
    gate: GateResult,
    score: Schema.Finite,
    model: Schema.String.annotate({ identifier: "Gated<Model>" }),
  }),
  effects: "pure",
  gate: (output) => output.gate,
  run: ({ verdict }) =>
    Effect.succeed({
      score: 0.25,
      model: "the bytes",
      gate: {
        verdict,
        subjects: [{ name: "model", sha256: subject }],
        policy: { name: "backtest_policy", sha256: Sha256.of("policy") },
        reasons: verdict === "PASSED" ? [] : ["sharpe 0.25 is not above 1.2"],
        reports: [],
      },
    }),
})

describe("a gate", () => {
  const judged = Effect.fnUntraced(function* (verdict: string) {
    const place = yield* Project.temporary
    return yield* Effect.gen(function* () {
      const tasks = [
        task("gate", gate, { with: { verdict }, retry: quick(3, ["GateFailed"]) }),
        task("next", echo, { needs: ["gate"], with: { value: "${{ tasks.gate.score }}" } }),
        task("report", echo, { block: "finally", with: { value: "${{ tasks.gate.gate.reasons }}" } }),
      ]
      const { run, state } = yield* Run.start(Project.request(plan(tasks)))
      const entries = yield* Project.entriesOf(run)
      const receipts = yield* (yield* Evidence).receiptsFor(subject)
      return { run, state, entries, receipts, story: Project.story(entries) }
    }).pipe(Effect.provide(Project.services(place, { types: [gate, echo] })))
  })

  it.live("that lets through issues a receipt, which the evidence verifies and the result names", () =>
    Effect.gen(function* () {
      for (const verdict of ["PASSED", "WARNED"]) {
        const { run, state, entries, receipts } = yield* judged(verdict)
        assert.strictEqual(runStatus(state), "succeeded")
        assert.deepStrictEqual(taskOf(state, "next").output, { value: 0.25 })
        assert.strictEqual(receipts.length, 1)
        assert.isUndefined(receipts[0].problem)
        const passed = entries.find(({ type }) => type === "dev.dandori.gate.passed.v1")
        const { result, dandori } = receipts[0].statement.predicate
        assert.deepStrictEqual([result, dandori.run, dandori.task], [verdict, run, "gate"])
        assert.strictEqual(dandori.event, passed?.entryhash)
        assert.deepStrictEqual(taskOf(state, "gate").receipts, [receipts[0].artifact])
      }
    }),
  )

  it.live("that says FAILED fails its task, is not tried again, leaves a receipt of that, and stays readable", () =>
    Effect.gen(function* () {
      const { state, receipts, story } = yield* judged("FAILED")
      assert.strictEqual(runStatus(state), "failed")
      assert.deepStrictEqual(
        receipts.map(({ problem, statement }) => [problem, statement.predicate.result]),
        [[undefined, "FAILED"]],
      )
      assert.deepStrictEqual(story.slice(1, 5), [
        "attempt.started gate",
        "gate.failed gate",
        "attempt.failed gate",
        "task.skipped next",
      ])
      assert.include(taskOf(state, "gate").error?.message, "sharpe 0.25")
      assert.hasAllKeys(taskOf(state, "gate").output, ["gate", "score"], "what only a passed gate gives is not there")
      assert.deepStrictEqual(taskOf(state, "report").output, { value: ["sharpe 0.25 is not above 1.2"] })
    }),
  )
})

describe("an output", () => {
  it.live("that does not fit its schema fails the task", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const wrong = taskType({
        type: "wrong",
        version: 1,
        description: "wrong",
        input: Schema.Struct({}),
        output: Schema.Struct({ rows: Schema.Int }),
        effects: "pure",
        run: () => Effect.succeed({ rows: 1.5 }),
      })
      const { state } = yield* Run.start(Project.request(plan([task("one", wrong)]))).pipe(
        Effect.provide(Project.services(place, { types: [wrong] })),
      )
      assert.strictEqual(taskOf(state, "one").error?.tag, "OutputInvalid")
      assert.include(taskOf(state, "one").error?.message, "rows")
    }),
  )

  it.live("over 256 KiB is an artifact in the ledger and reaches the next task whole", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const long = Array.from({ length: 40_000 }, (_, i) => i * 1.5)
      const large = typeOf("large", "pure", () => Effect.succeed({ value: long }))
      yield* Effect.gen(function* () {
        const tasks = [
          task("large", large),
          task("next", echo, { needs: ["large"], with: { value: "${{ tasks.large.value }}" } }),
        ]
        const { run, state } = yield* Run.start(Project.request(plan(tasks)))
        assert.strictEqual(runStatus(state), "succeeded")
        const entries = yield* Project.entriesOf(run)
        assert.isTrue(entries.every((entry) => JSON.stringify(entry).length < 8_192))
        const [first, second] = Project.dataOf(entries, "attempt.succeeded")
        assert.deepStrictEqual(second.outputArtifact, first.outputArtifact)
        const { sha256 } = first.outputArtifact as { sha256: string }
        const bytes = yield* (yield* Artifacts).get(sha256)
        assert.deepStrictEqual(JSON.parse(new TextDecoder().decode(bytes)), { value: long })
      }).pipe(Effect.provide(Project.services(place, { types: [large, echo] })))
    }),
  )
})

describe("a secret that was resolved", () => {
  const secret = "hunter2-correct-horse"
  const filesBelow = async (folder: string): Promise<ReadonlyArray<string>> => {
    const entries = await Fs.readdir(folder, { withFileTypes: true, recursive: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  }
  const resolved = Effect.gen(function* () {
    return Redacted.value(yield* (yield* Secrets).resolve("${env:TOKEN}"))
  }).pipe(Effect.orDie)

  it.live("is in no file below the home: not in events, logs, artifacts, the cache or the errors", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const Odd = Schema.Struct({ rows: Schema.Int })
      const says = typeOf("says", "pure", () =>
        Effect.gen(function* () {
          const value = yield* resolved
          const attempt = yield* Attempt
          yield* attempt.log(`the token is ${value}`)
          yield* Effect.logInfo(`and again ${value}`)
          yield* attempt.note({ token: value })
          return { value: [value, "x".repeat(300_000)] }
        }),
      )
      const small = typeOf("small", "pure", () => Effect.map(resolved, (value) => ({ value })))
      const fails = typeOf("fails", "pure", () =>
        Effect.flatMap(resolved, (value) => Effect.fail(new Broken({ text: `refused ${value}` }))),
      )
      const dies = typeOf("dies", "pure", () => Effect.flatMap(resolved, (value) => Effect.die(new Error(value))))
      const opens = typeOf("opens", "once", () =>
        Effect.flatMap(resolved, (value) => Effect.fail(new Broken({ text: `half done with ${value}` }))),
      )
      const odd = taskType({
        type: "odd",
        version: 1,
        description: "odd",
        input: Schema.Struct({}),
        output: Odd,
        effects: "pure",
        run: () => Effect.map(resolved, (value) => ({ rows: value }) as unknown as typeof Odd.Type),
      })
      const warns = taskType({
        ...gate,
        type: "warns",
        run: () =>
          Effect.flatMap(resolved, (value) =>
            Effect.map(gate.run({ verdict: "WARNED" }), (output) => ({
              ...output,
              gate: { ...output.gate, reasons: [`it warned of ${value}`] },
            })),
          ),
      })
      const picky = taskType({ ...odd, type: "picky", input: Odd, run: () => Effect.succeed({ rows: 1 }) })
      yield* Effect.gen(function* () {
        const soft = { continueOnError: true }
        const needs = ["small"]
        const { state, run } = yield* Run.start(
          Project.request(
            plan(
              [
                task("says", says, { cache: true }),
                task("small", small, { cache: true }),
                task("given", echo, { needs, with: { value: "${{ params.token }}" } }),
                task("picky", picky, { needs, with: { rows: "${{ params.token }}" }, ...soft }),
                task("fails", fails, soft),
                task("dies", dies, soft),
                task("odd", odd, soft),
                task("warns", warns, { with: { verdict: "WARNED" } }),
                task("opens", opens, soft),
              ],
              { params: { token: {} } },
            ),
            { params: { token: secret } },
          ),
        )
        assert.strictEqual(runStatus(state), "waiting")
        assert.deepStrictEqual(taskOf(state, "small").output, { value: "[secret TOKEN]" })
        assert.deepStrictEqual(taskOf(state, "given").output, { value: "[secret TOKEN]" })
        // The params of the run were given in clear before anything was resolved: they stand in run.created.
        const [created, ...rest] = yield* Project.entriesOf(run)
        assert.include(JSON.stringify(created), secret)
        assert.notInclude(JSON.stringify(rest), secret)
        for (const id of ["fails", "dies"]) {
          assert.include(taskOf(state, id).error?.message, "[secret TOKEN]")
        }
        const files = yield* Effect.promise(() => filesBelow(place.home))
        const folders = new Set(files.map((file) => file.slice(place.home.length + 1).split("/")[0]))
        for (const name of ["logs", "cache", "ledger", "artifacts"]) assert.isTrue(folders.has(name), name)
        for (const file of files) {
          const text = yield* Effect.promise(() => Fs.readFile(file, "utf8"))
          if (!file.endsWith(`${run}.ndjson`)) assert.notInclude(text, secret, file)
        }
      }).pipe(
        Effect.provide(
          Project.services(place, {
            types: [says, small, echo, fails, dies, opens, odd, warns, picky],
            environment: { TOKEN: secret },
          }),
        ),
      )
    }),
  )
})
