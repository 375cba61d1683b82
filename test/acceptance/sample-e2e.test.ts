import { createHash } from "node:crypto"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { Database } from "bun:sqlite"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Schemas from "../fixtures/schemas/in-toto.ts"
import * as LineageSchemas from "../fixtures/schemas/open-lineage.ts"
import { problems } from "../support/conforms.ts"
import * as Sample from "../support/sample-project.ts"

const stages = ["seed", "dq", "train", "backtest", "publish", "archive", "snapshot"]
const pipeline = "pipelines/sample-e2e.yaml"
const sha256 = (bytes: string | Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/** Runs a program where no network can be reached, not even this machine's own addresses. */
const isolated = ["unshare", "--map-root-user", "--net"]
const canIsolate = Bun.which("unshare") !== null && Bun.spawnSync([...isolated, "true"]).exitCode === 0

let project: Sample.SampleProject
let first: Sample.Said
let second: Sample.Said
let run: string
let version: string
/** The project as the first run left it. */
let pristine: Sample.SampleProject
const extra: Array<Sample.SampleProject> = []

beforeAll(async () => {
  project = await Sample.make()
  first = await Sample.dandori(project, "run", pipeline)
  run = /^sample-e2e succeeded in .* {2}run (\S+)$/m.exec(first.out)?.[1] ?? ""
  version = /^ +model (\S+) for EURUSD-GBPUSD\/1h$/m.exec(first.out)?.[1] ?? ""
  pristine = await Sample.copyOf(project)
  second = await Sample.dandori(project, "run", pipeline)
}, 120_000)

afterAll(async () => {
  for (const each of [project, pristine, ...extra]) await Sample.remove(each)
})

const fresh = async (): Promise<Sample.SampleProject> => {
  const copied = await Sample.copyOf(pristine)
  extra.push(copied)
  return copied
}

describe("the first run of the sample", () => {
  it("succeeds and tells each stage's start and end while it happens", () => {
    assert.strictEqual(first.code, 0, first.err)
    const when = (text: string) => {
      const found = first.heard.find(({ line }) => line.includes(text))
      assert.isDefined(found, `no line with "${text}" in:\n${first.err}`)
      return found.millis
    }
    const width = Math.max(...stages.map((stage) => stage.length), "sample-e2e".length)
    const moments = stages.flatMap((stage) => [
      when(`${stage.padEnd(width)}  started`),
      when(`${stage.padEnd(width)}  succeeded`),
    ])
    assert.deepStrictEqual(
      moments,
      moments.toSorted((x, y) => x - y),
    )
    const training = when(`${"train".padEnd(width)}  succeeded`) - when(`${"train".padEnd(width)}  started`)
    assert.isAbove(training, 500)
  })

  it("ends with a summary of verdicts, metrics beside base rates, version, paths and what to look at next", () => {
    assert.match(first.out, /dq\n +gate (PASSED|WARNED)/)
    assert.match(first.out, /backtest\n +gate (PASSED|WARNED)/)
    for (const classifier of ["ai1", "ai2"]) {
      assert.match(first.out, new RegExp(`${classifier}_auc +0\\.\\d+`))
      assert.match(first.out, new RegExp(`${classifier}_pr_auc +0\\.\\d+ +base rate 0\\.\\d+`))
    }
    assert.match(version, /^\d{8}_\d{4}_[0-9a-f]{8}$/)
    assert.match(first.out, /synthetic data/i)
    assert.include(first.out, `.dandori/models/${version}`)
    assert.match(first.out, /bt_report\.html .*\.dandori\//)
    for (const next of [`runs show ${run}`, `model show ${version}`, "ledger verify"]) {
      assert.include(first.out, `  dandori ${next}\n`)
    }
  })

  it("keeps all that it made under .dandori, for its owner only, and nothing in $HOME or $TMPDIR", async () => {
    assert.strictEqual((await Fs.stat(project.home)).mode & 0o777, 0o700)
    assert.deepStrictEqual((await Fs.readdir(project.folder)).toSorted(), [
      ".dandori",
      "configs",
      "pipelines",
      "samples",
    ])
    const kept = await Sample.filesBelow(project.user)
    assert.deepStrictEqual(
      kept.filter((name) => !name.startsWith(".bun/install/cache/")),
      [],
    )
    assert.deepStrictEqual(await Sample.filesBelow(project.temporary), [])
    assert.deepStrictEqual(await Sample.leftBehind([run]), [])
  })

  it("prints commands to look further that work", async () => {
    const commands = [...first.out.matchAll(/^ {2}dandori (.+)$/gm)].map(([, words]) => words.split(" "))
    assert.isAtLeast(commands.length, 4)
    for (const words of commands) {
      const said = await Sample.dandori(project, ...words)
      assert.strictEqual(said.code, 0, `${words.join(" ")}\n${said.err}`)
    }
  })
})

describe("what the sample published, by other tools", () => {
  it("every file of the model has its listed digest by sha256sum, and no other file is there", async () => {
    const folder = join(project.home, "models", version)
    const list = JSON.parse(await Fs.readFile(join(folder, "checksums.json"), "utf8"))
    const lines = Object.entries<string>(list.checksums).map(([name, digest]) => `${digest}  ${name}\n`)
    const check = Bun.spawn(["sha256sum", "--check", "--strict", "-"], {
      cwd: folder,
      stdin: new Blob(lines),
      stdout: "pipe",
    })
    const said = await new Response(check.stdout).text()
    assert.strictEqual(await check.exited, 0, said)
    assert.strictEqual(said.match(/: OK$/gm)?.length, lines.length)
    const files = (await Sample.filesBelow(folder)).filter((name) => !["checksums.json", "model.sig"].includes(name))
    assert.deepStrictEqual(Object.keys(list.checksums).toSorted(), files)
    const model = Object.entries<string>(list.checksums).filter(([name]) => !name.startsWith("receipts/"))
    const sorted = model.toSorted(([x], [y]) => (x < y ? -1 : 1))
    assert.strictEqual(list.root_digest, sha256(sorted.map(([name, digest]) => `${digest}  ${name}\n`).join("")))
    assert.strictEqual(list.model_version, version)
  })

  it("the registry has one deployed row for the slot and a chained history that ends with it", () => {
    const database = new Database(join(pristine.home, "state.db"), { readonly: true })
    const rows = database.query<any, []>("SELECT version, slot, status FROM model_registry").all()
    assert.deepStrictEqual(rows, [{ version, slot: "EURUSD-GBPUSD/1h", status: "deployed" }])
    const history = database.query<any, []>("SELECT * FROM alias_history ORDER BY sequence").all()
    assert.strictEqual(history.length, 1)
    assert.deepInclude(history[0], { version, alias: "champion", run, task: "publish", from_version: null })
    assert.match(history[0].intent, /^[0-9a-f]{64}$/)
    const events = database.query<any, []>("SELECT * FROM model_registry_events ORDER BY sequence").all()
    assert.strictEqual(events.at(-1)?.to_status, "deployed")
    for (const [index, row] of events.entries()) {
      assert.strictEqual(row.previous_hash, index === 0 ? "0".repeat(64) : events[index - 1].hash)
    }
    database.close()
  })

  it("the write-once record is read-only and each one names the digest of the one before it", async () => {
    const folder = join(project.home, "worm/retrain")
    assert.strictEqual(second.code, 0, second.err)
    const names = (await Sample.filesBelow(folder)).filter((name) => !name.startsWith("chain/"))
    const records = await Promise.all(
      names.map(async (name) => {
        assert.strictEqual((await Fs.stat(join(folder, name))).mode & 0o777, 0o444)
        const bytes = await Fs.readFile(join(folder, name))
        return { digest: sha256(bytes), body: JSON.parse(bytes.toString()) }
      }),
    )
    records.sort((x, y) => x.body.sequence - y.body.sequence)
    assert.deepStrictEqual(
      records.map(({ body }) => body.sequence),
      [1, 2],
    )
    assert.strictEqual(records[0].body.prev_sha256, "0".repeat(64))
    assert.strictEqual(records[1].body.prev_sha256, records[0].digest)
    assert.deepInclude(records[0].body, { record_type: "retrain" })
    assert.deepInclude(records[0].body.payload, { run, model: version })
  })

  it("the snapshot restores into an empty folder, equal byte by byte to what was copied", async () => {
    const listed = Sample.ndjson((await Sample.dandori(pristine, "snapshot", "list", ".dandori/backups", "--json")).out)
    const [{ snapshot }] = listed.filter(({ kind }) => kind === "snapshot")
    const restored = await Sample.dandori(
      pristine,
      "snapshot",
      "restore",
      ".dandori/backups",
      snapshot,
      "restored here",
    )
    assert.strictEqual(restored.code, 0, restored.err)
    const into = join(pristine.folder, "restored here")
    const manifest = JSON.parse(await Fs.readFile(join(pristine.home, "backups", snapshot, "manifest.json"), "utf8"))
    assert.deepStrictEqual(
      manifest.targets.map(({ kind }: any) => kind),
      ["models", "ledger"],
    )
    const compare = Bun.spawnSync(["diff", "-r", join(into, "models"), join(pristine.home, "models")])
    assert.strictEqual(compare.exitCode, 0, compare.stdout.toString())
    const ledger = (await Sample.filesBelow(join(into, "ledger"))).filter((name) => !name.endsWith(".lock"))
    assert.isAbove(ledger.length, 1)
    for (const name of ledger) {
      const old = await Fs.readFile(join(into, "ledger", name), "utf8")
      const now = await Fs.readFile(join(pristine.home, "ledger", name), "utf8")
      assert.isTrue(now.startsWith(old), `${name} in the snapshot is not a beginning of what it is now`)
    }
    await Fs.rm(into, { recursive: true })
  })
})

describe("a second run of the sample", () => {
  it("takes dq and train from the cache and names the run that they come from", () => {
    const { code, err, out } = second
    assert.strictEqual(code, 0, err)
    for (const task of ["dq", "train"]) {
      assert.match(out, new RegExp(`✓ +${task} +succeeded +cached +from run ${run}`))
      assert.match(err, new RegExp(`${task} +cached: from run ${run}`))
    }
    assert.match(out, /alreadyPublished +true/)
    const database = new Database(join(project.home, "state.db"), { readonly: true })
    assert.deepStrictEqual(database.query("SELECT version, status FROM model_registry").all(), [
      { version, status: "deployed" },
    ])
    assert.deepStrictEqual(database.query("SELECT version FROM alias_history").all(), [{ version }])
    database.close()
  })

  it("says everything as one JSON value a line with --json, and nothing on standard error", async () => {
    const { code, err, out } = await Sample.dandori(project, "run", pipeline, "--json")
    assert.strictEqual(code, 0, err)
    const values = Sample.ndjson(out)
    assert.isTrue(values.every(({ v }) => v === 1))
    assert.deepInclude(values.at(-1), { kind: "result", pipeline: "sample-e2e", status: "succeeded" })
    assert.isTrue(values.slice(0, -1).every(({ kind }) => kind === "event"))
    assert.strictEqual(err, "")
  })

  it("draws a live picture on a terminal", async () => {
    let screen = ""
    const terminal = new Bun.Terminal({ cols: 100, rows: 30, data: (_, bytes) => void (screen += bytes.toString()) })
    const environment = { PATH: process.env.PATH ?? "", HOME: project.user, TMPDIR: project.temporary, TERM: "xterm" }
    const argv = ["env", "-C", project.folder, ...Sample.command, "run", pipeline]
    const child = Bun.spawn(argv, { env: environment, terminal })
    assert.strictEqual(await child.exited, 0)
    terminal.close()
    assert.isAbove(screen.split("\u001b[2K").length, 20)
    for (const stage of stages) assert.include(screen, stage)
    const plain = Bun.stripANSI(screen)
    const elapsed = new Set([...plain.matchAll(/backtest +(\d+ ms|\d+\.\d s)/g)].map(([, time]) => time))
    assert.isAtLeast(elapsed.size, 3, "the backtest is drawn again while it runs")
    assert.match(plain, /1 running, \d waiting/)
  })
})

describe("another clone of the sample", () => {
  it("needs no network, knows nothing of the first, and trains the same model to the byte", async () => {
    const other = await Sample.make()
    extra.push(other)
    if (!canIsolate) console.warn("This machine lets nobody make a network namespace: the network stayed reachable.")
    const { code, err, out } = await Sample.start(other, ["run", pipeline], { before: canIsolate ? isolated : [] }).said
    assert.strictEqual(code, 0, err)
    assert.notInclude(out, "cached")
    const [folder] = await Fs.readdir(join(other.home, "models")).then((names) =>
      names.filter((name) => !name.startsWith(".")),
    )
    for (const name of (await Sample.filesBelow(join(other.home, "models", folder))).filter(
      (each) => !/^(provenance|checksums)\.json$|^model\.sig$|^receipts\//.test(each),
    )) {
      const [mine, theirs] = await Promise.all(
        [join(project.home, "models", version), join(other.home, "models", folder)].map((each) =>
          Fs.readFile(join(each, name)),
        ),
      )
      assert.isTrue(mine.equals(theirs), name)
    }
  })
})

describe("the ledger of the sample", () => {
  const runFile = async (place: Sample.SampleProject) => {
    const folder = join(place.home, "ledger")
    const name = (await Sample.filesBelow(folder)).find((each) => each.includes(run) && each.endsWith(".ndjson"))
    assert.isDefined(name)
    return join(folder, name)
  }

  it("verifies, and so does the chain of write-once records", async () => {
    for (const words of [
      ["ledger", "verify"],
      ["worm", "verify"],
      ["model", "verify", version],
    ]) {
      const { code, out, err } = await Sample.dandori(pristine, ...words)
      assert.strictEqual(code, 0, out + err)
    }
  })

  it("exits with 10 and names the run and the line after one byte of it changed", async () => {
    const place = await fresh()
    const file = await runFile(place)
    const bytes = await Fs.readFile(file)
    const position = bytes.indexOf('"verdict":"WARNED"') + '"verdict":"W'.length
    const line = bytes.subarray(0, position).toString().split("\n").length
    bytes[position] ^= 1
    await Fs.writeFile(file, bytes)
    const { code, err, out } = await Sample.dandori(place, "ledger", "verify")
    assert.strictEqual(code, 10, out)
    assert.match(out, new RegExp(`altered +runs/${run} +line ${line} `))
    assert.isFalse(Sample.hasStackTrace(out + err))
  })

  it("exits with 13 and names the run whose file is gone", async () => {
    const place = await fresh()
    await Fs.rm(await runFile(place))
    const { code, out } = await Sample.dandori(place, "ledger", "verify")
    assert.strictEqual(code, 13, out)
    assert.match(out, new RegExp(`missing +runs/${run}`))
  })
})

describe("the views of the sample's ledger", () => {
  const linesOf = async (place: Sample.SampleProject) =>
    Sample.ndjson(await Fs.readFile(join(place.folder, "lineage.ndjson"), "utf8"))
  const exporters = {
    exporters: [{ name: "file", kind: "open-lineage-file", namespace: "sample", path: "lineage.ndjson" }],
  }

  it("are OpenLineage events by the published schema, with the bars that each task read and made", async () => {
    const place = await fresh()
    await Fs.writeFile(join(place.folder, "configs/envs/dev/exporters.yaml"), JSON.stringify(exporters))
    const { code, err } = await Sample.dandori(place, "ledger", "send")
    assert.strictEqual(code, 0, err)
    const events = await linesOf(place)
    assert.deepStrictEqual(
      events.flatMap((event) => problems(LineageSchemas.runEvent, event)),
      [],
    )
    const names = ["sample-e2e", ...stages.map((stage) => `sample-e2e.${stage}`)]
    const told = (type: string) => events.filter(({ eventType }) => eventType === type).map(({ job }) => job.name)
    assert.deepStrictEqual(told("START"), names)
    assert.deepStrictEqual(told("COMPLETE"), [...names.slice(1), names[0]])
    const complete = (stage: string) =>
      events.find(({ eventType, job }) => eventType === "COMPLETE" && job.name === `sample-e2e.${stage}`)
    const bars = ["bars/1h/EURUSD", "bars/1h/GBPUSD"]
    assert.deepStrictEqual(
      complete("seed")?.outputs.map(({ name }: { name: string }) => name),
      bars,
    )
    assert.isAbove(complete("seed")?.outputs[0].outputFacets.outputStatistics.rowCount, 10_000)
    assert.deepStrictEqual(
      complete("train")?.inputs.map(({ name }: { name: string }) => name),
      bars,
    )
    assert.isAbove(complete("dq")?.inputs[0].inputFacets.dataQualityAssertions.assertions.length, 5)
  })

  it("are in-toto receipts and SLSA provenance as their specifications define them", async () => {
    const model = join(pristine.home, "models", version)
    const json = async (file: string) => JSON.parse(await Fs.readFile(join(model, file), "utf8"))
    assert.deepStrictEqual(problems(Schemas.provenance, await json("provenance.json")), [])
    const receipts = await Fs.readdir(join(model, "receipts"))
    assert.strictEqual(receipts.length, 2)
    for (const receipt of receipts) {
      const envelope = await json(`receipts/${receipt}`)
      assert.deepStrictEqual(problems(Schemas.envelope, envelope), [])
      const statement = JSON.parse(Buffer.from(envelope.payload, "base64").toString("utf8"))
      assert.deepStrictEqual(problems(Schemas.testResult, statement), [])
    }
  })
})
