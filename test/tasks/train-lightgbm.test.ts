import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Classifier from "../../src/market/classifier.ts"
import * as Matrix from "../../src/market/matrix.ts"
import * as Random from "../../src/market/random.ts"
import * as Contract from "../../tasks/train/contract.ts"

const checkout = fileURLToPath(new URL("../..", import.meta.url))
const environment = join(checkout, ".cache/lightgbm-4.7.0")
const python = join(environment, "bin/python")

beforeAll(async () => {
  const there = await Bun.$`${python} -c ${"import lightgbm, numpy"}`.nothrow().quiet()
  if (there.exitCode === 0) return
  const made = await Bun.$`python3 -m venv ${environment} && ${python} -m pip install --quiet lightgbm==4.7.0`
    .nothrow()
    .quiet()
  if (made.exitCode !== 0) throw new Error(`install Python 3 with venv and lightgbm 4.7.0: ${made.stderr.toString()}`)
})

const rows = 400
const random = Random.make(3)
const names = ["x", "y", "noise"]
const columns = names.map(() => Float64Array.from({ length: rows }, () => random.normal()))
const labels = Array.from(columns[0], (x, row) => (x + columns[1][row] ** 2 + random.normal() > 1 ? 1 : 0))
const all = Array.from({ length: rows }, (_, row) => row)

/** One fold that trains on what it tests, so that its scores are those of the final model. */
const samples: Contract.SamplesFile = {
  timestamp: all.map((row) => new Date(row * 3_600_000).toISOString()),
  names,
  features: Object.fromEntries(names.map((name, j) => [name, Array.from(columns[j])])),
  labels: { ai1: labels, ai2: labels.map((label, row) => (row % 7 === 0 ? null : label)) },
  kFold: [{ train: all, test: all }],
  walkForward: [{ train: all.slice(0, 300), test: all.slice(300) }],
}

const fitOnce = async () => {
  const folder = await Fs.mkdtemp(join(tmpdir(), "dandori-lightgbm-"))
  const manifest = {
    samples: join(folder, "samples.json"),
    fitted: join(folder, "fitted.json"),
    seed: 1,
    threads: 1,
    config: { training: { max_class_weight: 5 } },
  }
  await Bun.write(manifest.samples, JSON.stringify(samples))
  await Bun.write(join(folder, "manifest.json"), JSON.stringify(manifest))
  const script = join(checkout, "samples/trainers/lightgbm.py")
  const said = await Bun.$`${python} ${script} ${join(folder, "manifest.json")}`.text()
  const text = await Bun.file(manifest.fitted).text()
  await Fs.rm(folder, { recursive: true })
  return { said, text }
}

describe("the LightGBM sample trainer", () => {
  it("writes models that score as LightGBM does, the same bytes each time, and tells its progress", async () => {
    const { said, text } = await fitOnce()
    const fitted = Schema.decodeUnknownSync(Schema.fromJsonString(Contract.FittedFile))(text)
    for (const name of ["ai1", "ai2"] as const) {
      const model = Schema.decodeUnknownSync(Classifier.Model)(fitted[name].model)
      const scores = Classifier.score(model, Matrix.make(names, columns))
      for (const row of all) assert.closeTo(scores[row], fitted[name].kFold[row] ?? Number.NaN, 1e-9)
      assert.isAbove(new Set(scores).size, 10)
      assert.isTrue(fitted[name].walkForward.every((score, row) => (score === null) === row < 300))
    }
    const lines = said
      .trim()
      .split("\n")
      .map((line) => Schema.decodeUnknownSync(Contract.ProgressLine)(JSON.parse(line)))
    assert.deepStrictEqual(lines.at(-1), { progress: { done: 6, total: 6, unit: "fits", note: "ai2 final" } })
    assert.strictEqual((await fitOnce()).text, text)
  })
})
