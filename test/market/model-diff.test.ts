import { assert, describe, it } from "@effect/vitest"
import { compare } from "../../src/market/model-diff.ts"

const files = {
  "metrics.json": '{"ai1":{"auc":0.8,"folds":[1,2]}}\n',
  "model_ai1.json": '{"coefficients":[0.1,0.2]}\n',
  "theta.yaml": "theta1: 0.7\ntheta2: 0.3\n",
  "provenance.json": '{"run":"a"}\n',
}

describe("comparing two trainings", () => {
  it("leaves provenance out", () => {
    assert.deepStrictEqual(compare(files, { ...files, "provenance.json": '{"run":"b"}\n' }), {
      verdict: "bit-identical",
    })
  })

  it("names the first metric that differs, although other files differ too", () => {
    const after = {
      ...files,
      "metrics.json": '{"ai1":{"auc":0.8,"folds":[1,3]}}\n',
      "model_ai1.json": '{"coefficients":[0.1,0.3]}\n',
    }
    assert.deepStrictEqual(compare(files, after), {
      verdict: "different",
      file: "metrics.json",
      first: { file: "metrics.json", path: "ai1.folds[1]", before: 2, after: 3 },
    })
  })

  it("calls models of the same metrics metric-identical, and names the first field that differs", () => {
    assert.deepStrictEqual(compare(files, { ...files, "theta.yaml": "theta1: 0.7\ntheta2: 0.31\n" }), {
      verdict: "metric-identical",
      file: "theta.yaml",
      first: { file: "theta.yaml", path: "theta2", before: 0.3, after: 0.31 },
    })
  })

  it("tells the file where only the text differs", () => {
    assert.deepStrictEqual(compare(files, { ...files, "metrics.json": '{"ai1": {"auc": 0.8, "folds": [1, 2]}}' }), {
      verdict: "metric-identical",
      file: "metrics.json",
    })
  })

  it("counts a file that only one side has", () => {
    const { "metrics.json": metrics, ...rest } = files
    assert.deepStrictEqual(compare(rest, files), {
      verdict: "different",
      file: "metrics.json",
      first: { file: "metrics.json", path: "", before: undefined, after: metrics },
    })
  })
})
