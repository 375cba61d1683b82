import { existsSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { Database } from "bun:sqlite"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Yaml from "yaml"
import * as Sample from "../support/sample-project.ts"

const pipeline = "pipelines/sample-e2e.yaml"
const made: Array<Sample.SampleProject> = []
const project = async (): Promise<Sample.SampleProject> => {
  const place = await Sample.make()
  made.push(place)
  return place
}

afterAll(async () => {
  for (const each of made) await Sample.remove(each)
})

const edit = async (place: Sample.SampleProject, file: string, change: (text: string) => string) => {
  const path = join(place.folder, file)
  await Fs.writeFile(path, change(await Fs.readFile(path, "utf8")))
}

/** The result of `run --json`: how each task ended, and the error of the one that failed. */
const resultOf = (said: Sample.Said) => {
  const values = Sample.ndjson(said.out)
  const result = values.at(-1)
  if (result?.kind !== "result") throw new Error(`There is no result: ${said.err}`)
  const statuses: Record<string, string> = Object.fromEntries(
    result.tasks.map(({ id, status }: { id: string; status: string }) => [id, status]),
  )
  const failed = values.find(({ type }) => type === "dev.dandori.attempt.failed.v1")
  return {
    statuses,
    error: failed?.data.error,
    gate: values.find(({ type }) => type === "dev.dandori.gate.failed.v1")?.data.gate,
  }
}

const registered = (place: Sample.SampleProject): number => {
  const path = join(place.home, "state.db")
  if (!existsSync(path)) return 0
  const database = new Database(path, { readonly: true })
  const tables = database.query("SELECT name FROM sqlite_master WHERE name = 'model_registry'").all()
  const count =
    tables.length === 0
      ? 0
      : (database.query<{ n: number }, []>("SELECT count(*) AS n FROM model_registry").get()?.n ?? 0)
  database.close()
  return count
}

const published = (place: Sample.SampleProject) => Fs.readdir(join(place.home, "models")).catch(() => [])

const artifact = async (place: Sample.SampleProject, sha256: string) =>
  await Fs.readFile(join(place.home, "artifacts/sha256", sha256.slice(0, 2), sha256.slice(2)), "utf8")

describe("production's backtest thresholds", () => {
  it("refuse the sample model: exit 1, nothing published or registered, what comes after is skipped", async () => {
    const place = await project()
    const base = Yaml.parse(await Fs.readFile(join(place.folder, "configs/base/backtest_policy.yaml"), "utf8"))
    await Fs.writeFile(join(place.folder, "configs/envs/dev/backtest_policy.yaml"), Yaml.stringify({ gate: base.gate }))
    const said = await Sample.dandori(place, "run", pipeline, "--json")
    assert.strictEqual(said.code, 1, said.err)
    const { error, gate, statuses } = resultOf(said)
    assert.deepStrictEqual(statuses, {
      seed: "succeeded",
      dq: "succeeded",
      train: "succeeded",
      backtest: "failed",
      publish: "skipped",
      archive: "skipped",
      snapshot: "skipped",
      report: "succeeded",
    })
    assert.strictEqual(gate.verdict, "FAILED")
    assert.match(gate.reasons.join("\n"), /trades_per_year is [\d.]+, must be >= 150/)
    assert.strictEqual(error.tag, "GateFailed")
    const page = gate.reports.find(({ mediaType }: { mediaType: string }) => mediaType.startsWith("text/html"))
    assert.include(await artifact(place, page.sha256), "trades_per_year")
    assert.deepStrictEqual(await published(place), [])
    assert.strictEqual(registered(place), 0)
    assert.isFalse(existsSync(join(place.home, "worm/retrain")))
    assert.isFalse(existsSync(join(place.home, "backups")))
    assert.strictEqual((await Sample.dandori(place, "ledger", "verify")).code, 0)
    const run = (await Sample.runsOf(place))[0].run
    const given = ["--param", `run=${run}`, "--param", "reason=all the same"]
    const refused = await Sample.dandori(place, "run", "pipelines/publish.yaml", ...given)
    assert.strictEqual(refused.code, 1, refused.out + refused.err)
    const why = refused.out.replace(/\s+/g, " ")
    assert.include(why, `Run ${run} has no model of task backtest: it failed. The gate says FAILED: `)
    assert.include(why, `dandori runs show ${run}`)
  })
})

describe("a data quality gate that fails", () => {
  it("stops the run before training, leaves quarantine files and a readable report, and exits with 1", async () => {
    const place = await project()
    await edit(place, "samples/expectations.yaml", (text) => text.replace("max: 72h", "max: 24h"))
    const said = await Sample.dandori(place, "run", pipeline, "--json")
    assert.strictEqual(said.code, 1, said.err)
    const { gate, statuses } = resultOf(said)
    assert.deepInclude(statuses, {
      seed: "succeeded",
      dq: "failed",
      train: "skipped",
      publish: "skipped",
      report: "succeeded",
    })
    assert.isFalse(
      Sample.ndjson(said.out).some(({ type, data }) => /attempt\.started/.test(type) && data.task === "train"),
    )
    const marks = (await Sample.filesBelow(join(place.home, "canonical"))).filter((name) =>
      name.endsWith("__quarantine.json"),
    )
    assert.strictEqual(marks.length, 48)
    const mark = JSON.parse(await Fs.readFile(join(place.home, "canonical", marks[0]), "utf8"))
    assert.include(
      mark.reasons.map(({ check }: { check: string }) => check),
      "max_gap",
    )
    assert.match(mark.reasons[0].sample[0].detail, /nothing from 2024-01-\d+T.* to 2024-01-/)
    const json = gate.reports.find(({ mediaType }: { mediaType: string }) => mediaType.startsWith("application/json"))
    assert.strictEqual(JSON.parse(await artifact(place, json.sha256)).verdict, "FAILED")
    const shown = await Sample.dandori(place, "runs", "show", (await Sample.runsOf(place))[0].run)
    assert.match(shown.out, /✗ +max_gap +longest [\d.]+ h/)
    assert.deepStrictEqual(await published(place), [])
  })
})

describe("labels of a single class", () => {
  it("block the training with the reason: exit 1, nothing published, and people are told without a stack trace", async () => {
    const place = await project()
    await edit(place, "configs/base/training.yaml", (text) =>
      text.replace("label_horizon_bars: 48", "label_horizon_bars: 1"),
    )
    const said = await Sample.dandori(place, "run", pipeline)
    assert.strictEqual(said.code, 1, said.err)
    assert.match(
      said.out,
      /✗ train failed \(TrainingBlocked\)\n +Training is blocked:\n +- .*ai1.*(single class|one class|only)/i,
    )
    assert.match(said.out, /– +publish +skipped/)
    assert.match(said.err, /\[warning\] sample-e2e: sample-e2e failed, run /)
    assert.isFalse(Sample.hasStackTrace(said.out + said.err))
    assert.deepStrictEqual(await published(place), [])
    assert.strictEqual(registered(place), 0)
  })
})

describe("a pipeline that goes around the gate", () => {
  it("does not compile: exit 65 with file, line and column, and no run begins", async () => {
    const place = await project()
    await edit(place, pipeline, (text) =>
      text.replace("model: '${{ tasks.backtest.model }}', reason", "model: '${{ tasks.train.model }}', reason"),
    )
    const lines = (await Fs.readFile(join(place.folder, pipeline), "utf8")).split("\n")
    const line = lines.findIndex((text) => text.includes("tasks.train.model }}', reason")) + 1
    const said = await Sample.dandori(place, "run", pipeline)
    assert.strictEqual(said.code, 65, said.err)
    const column = (/pipelines\/sample-e2e\.yaml:(\d+):(\d+)/.exec(said.err) ?? []).slice(1).map(Number)
    assert.strictEqual(column[0], line, said.err)
    assert.isTrue(lines[line - 1].slice(column[1] - 1).startsWith("tasks.train.model"), said.err)
    assert.match(said.err, /Gated/)
    assert.isFalse(Sample.hasStackTrace(said.out + said.err))
    assert.isFalse(existsSync(join(place.home, "ledger")))
  })

  it("tells of every mistake at once, each with its place", async () => {
    const place = await project()
    await edit(place, pipeline, (text) =>
      text
        .replace("timeframe: 1h", "timeframe: 1 hour")
        .replace("timeout: 30m", "timeout: 30")
        .replace("tasks.publish.version", "tasks.publish.verzion")
        .replace("uses: snapshot", "uses: snapshop"),
    )
    const said = await Sample.dandori(place, "run", pipeline)
    assert.strictEqual(said.code, 65, said.err)
    for (const word of ["1 hour", "timeout", "verzion", "snapshop"]) assert.include(said.err, word)
    assert.isAtLeast(said.err.match(/sample-e2e\.yaml:\d+:\d+/g)?.length ?? 0, 4)
    assert.isFalse(Sample.hasStackTrace(said.err))
  })
})
