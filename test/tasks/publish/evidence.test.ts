import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { GatedModel } from "../../../src/domain/model.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"
import { ModelRegistry } from "../../../src/services/model-registry.ts"
import type { PublishInput } from "../../../tasks/publish/schema.ts"
import { nothing, refused, run, test } from "./publishing.ts"
import * as Stage from "./stage.ts"

describe("publish refuses without evidence for the staged bytes", () => {
  const missing = (root: string, input: PublishInput, problem: RegExp) =>
    Effect.gen(function* () {
      const error = yield* refused(input)
      assert.strictEqual(error._tag, "ReceiptMissing")
      assert.match(error.message, problem)
      assert.isTrue("notApplied" in error && error.notApplied)
      yield* nothing(root, input.model.version)
    })

  test("when there is no receipt at all, naming each", () =>
    Effect.gen(function* () {
      const error = yield* refused({ model: yield* Stage.model("v1") })
      assert.strictEqual(error._tag, "ReceiptMissing")
      if (error._tag !== "ReceiptMissing") return
      assert.strictEqual(error.problems.length, 3)
      assert.include(error.problems[0], "no backtest receipt")
      assert.include(error.problems[1], "no dq receipt")
    }))

  const backtest = (says: Partial<Stage.Says>, problem: RegExp) => (root: string) =>
    Effect.gen(function* () {
      const model = yield* Stage.model("v1")
      yield* Stage.receipt(root, { gate: "dq", subjects: Stage.datasets })
      yield* Stage.receipt(root, { gate: "backtest", subjects: [model.digest], ...says })
      yield* missing(root, { model }, problem)
    })
  test("when the backtest failed", backtest({ result: "FAILED" }, /says FAILED/))
  test("when the signature is by another key", backtest({ forged: true }, /signature is not by the ledger's key/))
  test("when the backtest is of another environment", backtest({ env: "prod" }, /environment prod, not dev/))
  test("when the policy was another one", backtest({ policy: Sha256.of("lax") }, /under another policy/))
  test("when the backtest judged other bytes", backtest({ subjects: [Sha256.of("x")] }, /no backtest receipt/))

  test("when a later backtest of the same bytes failed", (root) =>
    Effect.gen(function* () {
      const model = yield* Stage.passed(root, "v1")
      yield* Stage.receipt(root, { gate: "backtest", subjects: [model.digest], result: "FAILED" })
      yield* missing(root, { model }, /says FAILED/)
    }))

  test("when one dataset has no receipt, or a failed one", (root) =>
    Effect.gen(function* () {
      const model = yield* Stage.model("v1")
      yield* Stage.receipt(root, { gate: "backtest", subjects: [model.digest] })
      yield* Stage.receipt(root, { gate: "dq", subjects: [Stage.datasets[0]] })
      yield* missing(root, { model }, /no dq receipt/)
      yield* Stage.receipt(root, { gate: "dq", subjects: [Stage.datasets[1]], result: "FAILED" })
      yield* missing(root, { model }, /dq receipt .* says FAILED/)
    }))

  test("when the backtest judged these bytes under another version", backtest({ name: "v9" }, /names no version v1/))

  for (const gate of ["backtest", "dq"] as const) {
    const subjects = ({ digest }: GatedModel) => (gate === "dq" ? Stage.datasets : [digest])
    test(`when a ${gate} of the same bytes failed later, under whatever policy`, (root) =>
      Effect.gen(function* () {
        const model = yield* Stage.passed(root, "v1")
        const policy = Sha256.of("strict")
        yield* Stage.receipt(root, { gate, subjects: subjects(model), result: "FAILED", policy, name: "x" })
        yield* missing(root, { model }, new RegExp(`${gate} receipt .* says FAILED`))
        yield* Stage.receipt(root, { gate, subjects: subjects(model) })
        assert.isTrue((yield* run({ model })).deployed)
      }))

    test(`not because a ${gate} failed earlier, in another environment, or by another key`, (root) =>
      Effect.gen(function* () {
        const failed = { gate, result: "FAILED" } as const
        const subject = subjects(yield* Stage.model("v1"))
        yield* Stage.receipt(root, { ...failed, subjects: subject })
        const model = yield* Stage.passed(root, "v1")
        yield* Stage.receipt(root, { ...failed, subjects: subject, env: "prod" })
        yield* Stage.receipt(root, { ...failed, subjects: subject, forged: true })
        assert.isTrue((yield* run({ model })).deployed)
      }))
  }

  test("lets WARNED through unless strict", (root) =>
    Effect.gen(function* () {
      const model = yield* Stage.model("v1")
      yield* Stage.receipt(root, { gate: "dq", subjects: Stage.datasets })
      yield* Stage.receipt(root, { gate: "backtest", subjects: [model.digest], result: "WARNED" })
      yield* missing(root, { model, strict: true }, /says WARNED and the policy is strict/)
      assert.isTrue((yield* run({ model })).deployed)
    }))

  test("does not take the claimed digest for the bytes", (root) =>
    Effect.gen(function* () {
      const good = yield* Stage.passed(root, "v1")
      const bad = yield* Stage.model("v1", "never gated")
      const error = yield* refused({ model: { ...bad, digest: good.digest } as GatedModel })
      assert.strictEqual(error._tag, "ModelRefused")
      yield* nothing(root, "v1")
    }))

  const datasets = (over: Parameters<typeof Stage.model>[2], problem: RegExp) => (root: string) =>
    Effect.gen(function* () {
      const model = yield* Stage.model("v1", "v1", over)
      yield* Stage.receipt(root, { gate: "dq", subjects: Stage.datasets })
      yield* Stage.receipt(root, { gate: "backtest", subjects: [model.digest] })
      const error = yield* refused({ model })
      assert.strictEqual(error._tag, "ModelRefused")
      assert.match(error.message, problem)
      yield* nothing(root, "v1")
    })
  test(
    "when the claim leaves a dataset of the provenance out",
    datasets({ datasets: [Stage.datasets[0]] }, /leave out dataset\/1/),
  )
  test(
    "when the claim names a dataset too many",
    datasets({ dependencies: [Stage.datasets[0]] }, /not in the model's provenance/),
  )
  test("when the provenance names no dataset", datasets({ dependencies: [], datasets: [] }, /names no dataset/))
  test("when a dataset has no digest", datasets({ dependencies: ["?", ...Stage.datasets] }, /no digest for dataset\/0/))
})

describe("publish derives what a model says of itself from its bytes", () => {
  const lies: ReadonlyArray<readonly [string, (model: GatedModel) => Partial<GatedModel>, RegExp]> = [
    ["that it is not synthetic", () => ({ synthetic: false }), /synthetic: claimed is false/],
    [
      "that its data is not synthetic",
      ({ data }) => ({ data: { ...data, synthetic: false } }),
      /data\.synthetic: claimed is false/,
    ],
    [
      "another slot",
      ({ slot }) => ({ slot: { ...slot, timeframe: "4h" } }),
      /slot: claimed is EURUSD-GBPUSD\/4h, .* EURUSD-GBPUSD\/1h/,
    ],
    [
      "a better metric",
      ({ metrics }) => ({ metrics: { ...metrics, ai1_auc: 0.99 } }),
      /metrics\.ai1_auc: claimed is 0\.99, its files say 0\.7/,
    ],
    [
      "a metric that no file has",
      ({ metrics }) => ({ metrics: { ...metrics, accuracy: 1 } }),
      /metrics\.accuracy: claimed is 1, its files say none/,
    ],
    ["none of its metrics", () => ({ metrics: {} }), /metrics\.oof_sharpe: claimed is none, its files say 1\.5/],
    [
      "all of it at once",
      () => ({ synthetic: false, metrics: { accuracy: 1 } }),
      /synthetic: claimed is false.*metrics\.accuracy/,
    ],
  ]
  for (const [lie, change, problem] of lies) {
    test(`and refuses one that claims ${lie}`, (root) =>
      Effect.gen(function* () {
        const model = yield* Stage.passed(root, "v1")
        const error = yield* refused({ model: { ...model, ...change(model) } as GatedModel })
        assert.strictEqual(error._tag, "ModelRefused")
        assert.match(error.message, problem)
        yield* nothing(root, "v1")
      }))
  }

  test("also when its folder is there already", (root) =>
    Effect.gen(function* () {
      const model = yield* Stage.passed(root, "v1")
      yield* run({ model, deploy: false }, "run 1")
      const error = yield* refused({ model: { ...model, synthetic: false } as GatedModel }, "run 2")
      assert.strictEqual(error._tag, "ModelRefused")
      assert.isTrue((yield* (yield* ModelRegistry).show("v1")).row.synthetic)
    }))

  test("and does not take a version that the backtest did not judge", (root) =>
    Effect.gen(function* () {
      const model = yield* Stage.passed(root, "v1")
      const error = yield* refused({ model: { ...model, version: "golden_v1" } as GatedModel })
      assert.strictEqual(error._tag, "ReceiptMissing")
      assert.include(error.message, "names no version golden_v1")
      yield* nothing(root, "golden_v1")
    }))
})
