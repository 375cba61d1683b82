import { createHash } from "node:crypto"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { Database } from "bun:sqlite"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Yaml from "yaml"
import * as Random from "../../src/market/random.ts"
import * as Sample from "../support/sample-project.ts"

const pipeline = "pipelines/sample-e2e.yaml"
const stages = ["start", "seed", "dq", "train", "backtest", "publish", "archive", "snapshot", "end"] as const
type Stage = (typeof stages)[number]

/** When a process is killed: in which stage, and after which part of the time that the stage takes. */
interface Moment {
  readonly number: number
  readonly stage: Stage
  readonly part: number
  /** Whether the resumed process is killed too, after which part of the time that a whole run takes. */
  readonly again: number | undefined
}

/** `DANDORI_CHAOS`: `long` is 50 kills, a number is that many; without it three. */
const wanted = process.env.DANDORI_CHAOS
const count = wanted === undefined ? 3 : wanted === "long" ? 50 : Number(wanted)
const random = Random.make(20_250_505)
const few: ReadonlyArray<Stage> = ["train", "publish", "snapshot"]
const moments = Array.from({ length: count }, (_, index): Moment => {
  const [part, again] = [random.next(), random.next()]
  const stage = wanted === undefined ? few[index] : stages[index % stages.length]
  return { number: index, stage, part, again: again < 0.25 ? again * 4 : undefined }
})

/** A project that is seeded, checked and trained, with nothing published: what kills after training start from. */
let trained: Sample.SampleProject
/** How long each stage took, milliseconds. */
const durations = new Map<Stage, number>()
let wholeRun = 0
/** Digest of each of the model's files that every run must reach. */
let expected: ReadonlyMap<string, string>

const modelOf = async (place: Sample.SampleProject): Promise<ReadonlyMap<string, string>> => {
  const root = join(place.home, "models")
  const versions = (await Fs.readdir(root)).filter((name) => name !== ".publish.lock")
  assert.strictEqual(versions.length, 1, versions.join(", "))
  const names = await Sample.filesBelow(join(root, versions[0]))
  const digests = new Map<string, string>()
  for (const name of names.filter((each) => !/^(provenance|checksums)\.json$|^model\.sig$|^receipts\//.test(each))) {
    digests.set(
      name,
      createHash("sha256")
        .update(await Fs.readFile(join(root, versions[0], name)))
        .digest("hex"),
    )
  }
  return digests
}

const measure = (said: Sample.Said) => {
  assert.strictEqual(said.code, 0, said.err)
  const result = Sample.ndjson(said.out).at(-1)
  for (const { id, millis } of result?.tasks ?? []) if (!durations.has(id)) durations.set(id, millis)
}

beforeAll(async () => {
  trained = await Sample.make()
  const whole = Yaml.parse(await Fs.readFile(join(trained.folder, pipeline), "utf8"))
  const { seed, dq, train } = whole.tasks
  const part = { version: 1, id: "trained", params: whole.params, tasks: { seed, dq, train } }
  await Fs.writeFile(join(trained.folder, "pipelines/trained.yaml"), Yaml.stringify(part))
  measure(await Sample.dandori(trained, "run", "trained", "--json"))
  const reference = await Sample.copyOf(trained)
  const began = performance.now()
  measure(await Sample.dandori(reference, "run", pipeline, "--json"))
  wholeRun = performance.now() - began
  durations.set("start", 700).set("end", 100)
  expected = await modelOf(reference)
  await Sample.remove(reference)
}, 120_000)

afterAll(() => Sample.remove(trained))

/** A place where the stage has its work still to do. */
const placeFor = async (stage: Stage): Promise<Sample.SampleProject> => {
  const place = await Sample.copyOf(trained)
  const cache = join(place.home, "cache")
  if (stage === "seed") await Fs.rm(join(place.home, "canonical"), { recursive: true })
  if (stage === "train") await Fs.rm(cache, { recursive: true })
  if (stage === "dq") {
    for (const name of await Fs.readdir(cache)) {
      if ((await Fs.readFile(join(cache, name), "utf8")).includes('"dq_report.json"')) await Fs.rm(join(cache, name))
    }
  }
  return place
}

/** Starts a run and kills its process at the moment. */
const killAt = async (place: Sample.SampleProject, { part, stage }: Moment): Promise<Sample.Said> => {
  const { promise: reached, resolve } = Promise.withResolvers<void>()
  const call = Sample.start(place, ["run", pipeline, "--json"], {
    onLine: (line) => {
      if (
        stage === "end"
          ? line.includes("run.finished.v1")
          : line.includes(`attempt.started.v1","data":{"task":"${stage}"`)
      )
        resolve()
    },
  })
  if (stage !== "start") await Promise.race([reached, call.said])
  await Bun.sleep(part * (durations.get(stage) ?? 0))
  call.kill("SIGKILL")
  return call.said
}

const sampleRun = async (place: Sample.SampleProject) => {
  const runs = (await Sample.runsOf(place)).filter((each) => each.pipeline === "sample-e2e")
  assert.isAtMost(runs.length, 1)
  return runs[0]
}

const check = async (place: Sample.SampleProject, run: string) => {
  const database = new Database(join(place.home, "state.db"), { readonly: true })
  const rows = (sql: string) => database.query<Record<string, unknown>, []>(sql).all()
  assert.deepStrictEqual(rows("SELECT slot, status FROM model_registry"), [
    { slot: "EURUSD-GBPUSD/1h", status: "deployed" },
  ])
  assert.deepStrictEqual(rows("SELECT run, task FROM alias_history"), [{ run, task: "publish" }])
  database.close()
  assert.deepStrictEqual(await modelOf(place), expected)
  // A signature is another one each time, and holds.
  const [version] = (await Fs.readdir(join(place.home, "models"))).filter((name) => name !== ".publish.lock")
  const verified = await Sample.dandori(place, "model", "verify", version)
  assert.strictEqual(verified.code, 0, verified.out + verified.err)
  const records = (await Sample.filesBelow(join(place.home, "worm/retrain"))).filter(
    (name) => !name.startsWith("chain/"),
  )
  assert.strictEqual(records.length, 1)
  assert.strictEqual(
    JSON.parse(await Fs.readFile(join(place.home, "worm/retrain", records[0]), "utf8")).payload.run,
    run,
  )
  const snapshots = await Sample.filesBelow(join(place.home, "backups"))
  assert.strictEqual(snapshots.filter((name) => name.endsWith("manifest.json")).length, 1)
  const ledger = join(place.home, "ledger")
  const [stream] = (await Sample.filesBelow(ledger)).filter((name) => name.includes(run) && name.endsWith(".ndjson"))
  const events = Sample.ndjson(await Fs.readFile(join(ledger, stream), "utf8"))
  assert.isAbove(events.length, 10)
  assert.deepStrictEqual(
    events.filter(({ type }) => type.includes("unknown")),
    [],
  )
  for (const words of [
    ["ledger", "verify"],
    ["worm", "verify"],
  ]) {
    const said = await Sample.dandori(place, ...words)
    assert.strictEqual(said.code, 0, said.out + said.err)
  }
  assert.deepStrictEqual(await Sample.leftBehind([run]), [])
}

describe("kill -9 of the sample run, then --resume", () => {
  for (const moment of moments) {
    const twice = moment.again === undefined ? "" : " and again while it was resumed"
    const name = `reaches the same end after a kill at ${(moment.part * 100).toFixed(1)} % of ${moment.stage}${twice} (${moment.number})`
    it(name, { timeout: 180_000 }, async () => {
      const place = await placeFor(moment.stage)
      try {
        await killAt(place, moment)
        let begun = await sampleRun(place)
        if (moment.again !== undefined && begun?.status === "interrupted") {
          const call = Sample.start(place, ["run", "--resume", begun.run])
          await Promise.race([call.said, Bun.sleep(moment.again * wholeRun)])
          call.kill("SIGKILL")
          await call.said
          begun = await sampleRun(place)
        }
        if (begun?.status !== "succeeded") {
          const words = begun === undefined ? [pipeline] : ["--resume", begun.run]
          const { code, err, out } = await Sample.dandori(place, "run", ...words, "--json")
          assert.strictEqual(code, 0, out.slice(-2000) + err)
          assert.isFalse(Sample.hasStackTrace(err), err)
          const result = Sample.ndjson(out).at(-1)
          assert.strictEqual(result?.status, "succeeded")
          assert.isTrue(begun === undefined || begun.run === result?.run)
          begun = await sampleRun(place)
        }
        assert.strictEqual(begun.status, "succeeded")
        await check(place, begun.run)
      } finally {
        await Sample.remove(place)
      }
    })
  }
})
