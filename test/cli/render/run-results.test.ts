import { assert, describe, it } from "@effect/vitest"
import * as RunResults from "../../../src/cli/render/run-results.ts"
import { Sha256 } from "../../../src/domain/sha256.ts"

const sha256 = Sha256.make("b".repeat(64))
const page = { name: "report.html", sha256, bytes: 10, mediaType: "text/html" }
const data = { name: "report.json", sha256: Sha256.make("c".repeat(64)), bytes: 10, mediaType: "application/json" }

describe("ofOutput", () => {
  it("takes verdict, reasons, judged numbers and pages from a gate's output", () => {
    const output = {
      verdict: "FAILED",
      criteria: [
        { name: "sharpe", observed: 0.4321, comparison: ">=", threshold: 0.5, severity: "error", passed: false },
        { name: "trades", observed: null, comparison: ">", threshold: 10, severity: "warn", passed: false },
      ],
      page,
      files: [data],
      gate: {
        verdict: "FAILED",
        subjects: [{ name: "model", sha256 }],
        policy: { name: "backtest_policy", sha256 },
        reasons: ["sharpe is too low"],
        reports: [page],
      },
    }
    const result = RunResults.ofOutput("backtest", output, undefined)
    assert.strictEqual(result?.verdict, "FAILED")
    assert.deepEqual(result?.reasons, ["sharpe is too low"])
    assert.deepEqual(
      result?.criteria.map(({ observed, threshold }) => [observed, threshold]),
      [
        ["0.4321", ">= 0.5"],
        ["not defined", "> 10"],
      ],
    )
    assert.deepEqual(result?.reports, [page])
  })

  it("puts each score beside what it has to be seen against", () => {
    assert.deepEqual(RunResults.metricsOf({ ai1_base_rate: 0.31, ai1_auc: 0.62, ai1_pr_auc: 0.5, oof_sharpe: 1.2 }), [
      { name: "ai1_base_rate", value: 0.31 },
      { name: "ai1_auc", value: 0.62, chance: 0.5 },
      { name: "ai1_pr_auc", value: 0.5, baseRate: 0.31 },
      { name: "oof_sharpe", value: 1.2 },
    ])
  })

  it("of many numbers shows the headline ones", () => {
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`ai1_bin_${index}`, index]))
    assert.deepEqual(RunResults.metricsOf({ ...many, ai1_auc: 0.6 }), [{ name: "ai1_auc", value: 0.6, chance: 0.5 }])
  })

  it("says where something was published and that its data are synthetic", () => {
    const output = {
      version: "v1",
      path: "models/v1",
      deployed: true,
      dataset: { synthetic: true },
      warnings: ["few rows"],
    }
    const result = RunResults.ofOutput("publish", output, undefined)
    assert.deepEqual(result?.paths, [{ name: "path", path: "models/v1" }])
    assert.deepEqual(result?.facts, [
      { name: "version", value: "v1" },
      { name: "deployed", value: "true" },
    ])
    assert.isTrue(result?.synthetic)
    assert.deepEqual(result?.warnings, ["few rows"])
  })

  it("has nothing to say of an output without any of that", () => {
    assert.isUndefined(RunResults.ofOutput("command", { exitCode: 0, stdout: "", artifacts: [] }, undefined))
    assert.isUndefined(RunResults.ofOutput("command", "text", undefined))
  })
})
