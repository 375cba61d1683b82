import { existsSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { join, resolve } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Yaml from "yaml"
import * as Sample from "../support/sample-project.ts"

/** Hourly bars of EURUSD and GBPUSD, 2015 to 2018, as MetaTrader exports them. They are not part of the project. */
const data = process.env.DANDORI_TEST_FX ?? resolve(import.meta.dirname, "../../../shared/data/fx")
const there = existsSync(join(data, "EURUSD_H1_2015-2018.csv.gz"))

const mapping = {
  columns: { timestamp: ["DATE", "TIME"], open: "OPEN", high: "HIGH", low: "LOW", close: "CLOSE", volume: "TICKVOL" },
  timestampFormat: "%Y.%m.%d %H:%M:%S",
  utcOffset: 2,
  delimiter: "\t",
}
const expectations = {
  name: "fx_hourly",
  required_columns: ["timestamp", "open", "high", "low", "close", "volume"],
  max_missing_rate: 0,
  column_ranges: { open: [0.5, 2.5], close: [0.5, 2.5], volume: [0, null] },
  checks: [
    { check: "unique" },
    { check: "ordered" },
    { check: "max_gap", max: "80h" },
    { check: "ohlc_consistent" },
    { check: "finite" },
    { check: "spike", severity: "warn" },
    { check: "outlier", severity: "warn" },
    { check: "stale", severity: "warn" },
  ],
}
const checkFiles = {
  version: 1,
  id: "fx-files",
  tasks: {
    dq: {
      uses: "dq-file",
      with: {
        files: ["EURUSD", "GBPUSD"].map((symbol) => join(data, `${symbol}_H1_2015-2018.csv.gz`)),
        symbols: ["EURUSD", "GBPUSD"],
        expectations: "fx-expectations.yaml",
        quarantine: false,
        ...mapping,
      },
    },
  },
}

/** The sample's pipeline with its seed and its expectations changed, and nothing else. */
const sampleOn = (sample: string) => {
  const pipeline = Yaml.parse(sample)
  pipeline.id = "fx-e2e"
  pipeline.tasks.seed.with.source = { kind: "file", path: join(data, "{symbol}_H1_2015-2018.csv.gz"), ...mapping }
  pipeline.tasks.seed.with.expectations = "fx-expectations.yaml"
  pipeline.tasks.dq.with.expectations = "fx-expectations.yaml"
  return Yaml.stringify(pipeline)
}

let project: Sample.SampleProject | undefined

const write = async (place: Sample.SampleProject) => {
  await Fs.writeFile(join(place.folder, "fx-expectations.yaml"), Yaml.stringify(expectations))
  await Fs.writeFile(join(place.folder, "pipelines/fx-files.yaml"), Yaml.stringify(checkFiles))
  const sample = await Fs.readFile(join(place.folder, "pipelines/sample-e2e.yaml"), "utf8")
  await Fs.writeFile(join(place.folder, "pipelines/fx-e2e.yaml"), sampleOn(sample))
}

const run = (...words: ReadonlyArray<string>) => {
  if (project === undefined) throw new Error("there is no project")
  return Sample.dandori(project, "run", ...words)
}

if (!there)
  console.warn(`No real bars in ${data}: their test is left out. Set DANDORI_TEST_FX to the folder that has them.`)

describe.runIf(there)("the sample's pipeline on real hourly bars", () => {
  beforeAll(async () => {
    project = await Sample.make()
    await write(project)
  })

  afterAll(() => Sample.remove(project))

  it("dq fails the files because GBPUSD has nothing in 2018, and says so with symbol and times", async () => {
    const { code, err, out } = await run("fx-files", "--json")
    assert.strictEqual(code, 1, err)
    const failed = Sample.ndjson(out).find(({ type }) => type === "dev.dandori.attempt.failed.v1")
    const checks = failed?.data.output.checks
    assert.strictEqual(failed?.data.output.verdict, "FAILED")
    const wrong = checks.filter((check: any) => !check.passed && check.severity === "error")
    assert.deepStrictEqual(
      wrong.map(({ name }: any) => name),
      ["max_gap"],
    )
    const [gap] = wrong[0].sample
    assert.deepInclude(gap, { symbol: "GBPUSD", timestamp: "2017-12-29T21:00:00Z" })
    assert.match(
      gap.detail,
      /^nothing from 2017-12-29T21:00:00Z to 2018-12-31T\d\d:00:00Z, 88\d\d\.0 h, where another symbol has bars$/,
    )
    assert.match(wrong[0].observed, /GBPUSD/)
  })

  it("seed refuses months that GBPUSD does not have and names them", async () => {
    const { code, err } = await run("pipelines/fx-e2e.yaml", "--param", "from=2015-01", "--param", "to=2018-12")
    assert.strictEqual(code, 1, err)
    assert.match(err, /has no bars of GBPUSD in 2018-01 to 2018-12; it has 2015-01 to 2017-12/)
    assert.isFalse(Sample.hasStackTrace(err))
  })

  it("on the years that both have, dq lets the bars pass with warnings, and the run ends with a verdict on the model", async () => {
    const said = await run("pipelines/fx-e2e.yaml", "--param", "from=2015-01", "--param", "to=2017-12", "--json")
    const values = Sample.ndjson(said.out)
    const dq = values.find(({ type, data: event }) => type === "dev.dandori.gate.passed.v1" && event.task === "dq")
    assert.strictEqual(dq?.data.gate.verdict, "WARNED", said.err)
    const seeded = values.find(
      ({ type, data: event }) => type === "dev.dandori.attempt.succeeded.v1" && event.task === "seed",
    )
    assert.isFalse(seeded?.data.output.dataset.synthetic)
    assert.strictEqual(seeded?.data.output.dataset.rows, 37_267)
    const failed = values.filter(({ type }) => type === "dev.dandori.attempt.failed.v1")
    const refused = failed.map(({ data: event }) => `${event.task} ${event.error.tag}`)
    assert.deepStrictEqual(refused, ["train TrainingBlocked"])
    assert.match(
      failed[0].data.error.message,
      /ai1: The AUC of 0\.\d+ is not above 0\.\d+, where it would differ from chance/,
    )
    assert.strictEqual(said.code, 1)
    assert.isFalse(existsSync(join(project?.home ?? "", "models")))
  })
})
