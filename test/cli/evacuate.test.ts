import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { parse, stringify } from "yaml"
import * as Sample from "../support/sample-project.ts"

const incident = "IR-1"

let project: Sample.SampleProject
let away = ""

const dandori = (...words: ReadonlyArray<string>) => Sample.dandori(project, "evacuate", ...words)
const to = (...words: ReadonlyArray<string>) => dandori("--incident", incident, "--destination", away, ...words)

const write = async (name: string, text: string | Uint8Array) => {
  const path = join(project.folder, name)
  await Fs.mkdir(join(path, ".."), { recursive: true })
  await Fs.writeFile(path, text)
}

const change = async (changed: Readonly<Record<string, unknown>>) => {
  const path = join(project.folder, "configs/base/evacuation.yaml")
  const section = parse(await Fs.readFile(path, "utf8")) as Record<string, unknown>
  await Fs.writeFile(path, stringify({ ...section, stop: [], ...changed }))
}

const folderOf = (home = project.home) => join(home, "evacuation/incidents", incident)
const lines = async (name: string, folder = folderOf()) =>
  (await Fs.readFile(join(folder, name), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, any>)

beforeEach(async () => {
  project = await Sample.make()
  away = join(project.folder, "../away")
  await change({})
  await write("logs/one.log", "one\n")
})
afterEach(() => Sample.remove(project))

describe("dandori evacuate", () => {
  it("needs no project: what is missing is named and worked around", async () => {
    for (const folder of ["configs", "pipelines"]) {
      await Fs.rm(join(project.folder, folder), { recursive: true })
    }
    const said = await to("--drill")
    assert.strictEqual(said.code, 0, said.out + said.err)
    assert.match(said.err, /^degraded: No project at/m)
    assert.match(said.err, /^degraded: the configuration has no section .*evacuation/m)
    assert.strictEqual(await Fs.readFile(join(away, "incidents/IR-1/evidence/logs/one.log"), "utf8"), "one\n")
  })

  it("goes by what can be read of a broken configuration", async () => {
    await write("configs/base/training.yaml", "folds: [")
    const said = await to("--drill")
    assert.strictEqual(said.code, 0, said.out + said.err)
    assert.match(said.err, /^degraded: configs\/base\/training\.yaml:\d+:\d+: .*what ships is used in its place$/m)
  })

  it("keeps its records elsewhere where the project's home takes none, and goes on from there", async () => {
    await Fs.writeFile(project.home, "a file where the folder should be")
    const elsewhere = join(project.temporary, `dandori-evacuation-${process.getuid?.()}`)
    for (const call of [1, 2]) {
      const said = await to("--drill")
      // What cannot be read is listed: the ledger and the models are not there any more.
      assert.strictEqual(said.code, 14, said.out + said.err)
      assert.match(said.out, /2 collectors failed \(ledger: .*; published: /)
      if (call === 1) assert.match(said.err, /^degraded: .*\.dandori\/evacuation takes no records/m)
      assert.isAbove((await lines("pushed.ndjson", join(elsewhere, "incidents", incident))).length, 0)
    }
  })

  it("takes the incident elsewhere where the records of an earlier call are damaged, and sends nothing again", async () => {
    assert.strictEqual((await to("--drill")).code, 0)
    const sent = await lines("pushed.ndjson")
    const root = join(project.home, "evacuation/ledger/root.ndjson")
    await Fs.writeFile(root, (await Fs.readFile(root, "utf8")).replace("dandori", "dandorx"))
    const said = await to("--drill")
    assert.strictEqual(said.code, 0, said.out + said.err)
    assert.match(said.err, /^degraded: .*\/evacuation takes no records: The ledger of root is damaged/m)
    assert.match(said.err, /^The earlier run cannot be gone on with, so a new one begins; .*: /m)
    const elsewhere = join(project.temporary, `dandori-evacuation-${process.getuid?.()}/incidents`, incident)
    assert.deepStrictEqual(await lines("pushed.ndjson", elsewhere), sent)
    assert.strictEqual((await dandori("verify", away, "--incident", incident)).code, 0)
  })

  it("asks before it stops anything, and takes no words that mean nothing", async () => {
    for (const [words, problem] of [
      [[], /To do that, say --yes/],
      [["--yes", "--deadline", "5"], /--deadline 5: a duration with a unit/],
      [["--yes", "--incident", "../up"], /--incident \.\.\/up: a plain name/],
    ] as const) {
      const said = await dandori(...words)
      assert.strictEqual(said.code, 64, said.err)
      assert.match(said.err, problem)
    }
    assert.isFalse(await Bun.file(join(project.home, "cordons")).exists())
  })

  it("keeps a drill a drill, and an incident an incident", async () => {
    assert.strictEqual((await to("--drill")).code, 0)
    const again = await to()
    assert.strictEqual(again.code, 0, again.out + again.err)
    assert.match(again.out, /It was a drill/)
    assert.strictEqual((await dandori("--incident", "IR-2", "--yes", "--destination", away)).code, 0)
    const refused = await dandori("--incident", "IR-2", "--drill", "--destination", away)
    assert.strictEqual(refused.code, 64)
    assert.match(refused.err, /IR-2 is no drill/)
  })

  it("keeps a deadline: the most valuable first, the rest listed; without one the rest follows, once", async () => {
    for (let n = 0; n < 30; n++) await write(`models/model_${n}.joblib`, crypto.getRandomValues(new Uint8Array(65_536)))
    for (let n = 0; n < 40; n++) await write(`logs/${n}.log`, "x".repeat(2 ** 20))
    await change({
      destinations: [{ name: "slow", location: away, away: true, bandwidth: "2MiB" }],
      parallel: 2,
    })
    const cut = await dandori("--incident", incident, "--drill", "--deadline", "8s")
    assert.strictEqual(cut.code, 14, cut.out + cut.err)
    assert.match(cut.out, /PARTIAL/)
    const { began, deadline } = JSON.parse(await Fs.readFile(join(folderOf(), "call.json"), "utf8"))
    const record = await Fs.stat(join(folderOf(), "report.html"))
    assert.isAtMost(record.mtimeMs, deadline + 2_000)
    assert.isAtMost(deadline - began, 8_000)
    const values = new Map(
      (await lines("inventory.ndjson")).map(({ path, source, value }) => [source, { path, value }]),
    )
    const byPath = new Map([...values.values()].map(({ path, value }) => [path, Number(value)]))
    const taken = (await lines("pushed.ndjson")).map(({ path }) => byPath.get(path) ?? 0)
    const left = await lines("not-taken.ndjson")
    assert.isAbove(left.length, 0)
    assert.deepStrictEqual([...new Set(left.map(({ reason }) => reason))], ["deadline"])
    const leastLeft = Math.min(...left.map(({ source }) => Number(values.get(source)?.value)))
    assert.isAtMost(Math.max(0, ...taken), leastLeft)

    await change({ destinations: [{ name: "slow", location: away, away: true }] })
    const whole = await dandori("--incident", incident)
    assert.strictEqual(whole.code, 0, whole.out + whole.err)
    const keys = (await lines("pushed.ndjson")).map(({ key }) => key)
    // The configuration was changed between the calls: that is noted of it, and nothing else is noted twice.
    assert.deepStrictEqual(
      keys.filter((key, n) => keys.indexOf(key) !== n),
      ["incidents/IR-1/evidence/configs/base/evacuation.yaml"],
    )
    const verified = await dandori("verify", away, "--incident", incident)
    assert.strictEqual(verified.code, 0, verified.out + verified.err)
  })

  it("is done when it is complete: whatever becomes of the sources, another call finds it so", async () => {
    assert.strictEqual((await to("--drill")).code, 0)
    await write("logs/one.log", "one\nmore\n")
    await write("logs/two.log", "two\n")
    await write("models/model_new.joblib", "new")
    const again = await to("--drill")
    assert.strictEqual(again.code, 0, again.out + again.err)
    assert.strictEqual(await Fs.readFile(join(away, "incidents/IR-1/evidence/logs/one.log"), "utf8"), "one\n")
    assert.strictEqual((await dandori("verify", away, "--incident", incident)).code, 0)
  })

  it("follows no link and opens no pipe; both are listed, and nothing is missing for them", async () => {
    await write("../elsewhere/secret.log", "not of this project\n")
    await Fs.symlink("../../elsewhere/secret.log", join(project.folder, "logs/out.log"))
    Bun.spawnSync(["mkfifo", join(project.folder, "logs/pipe.log")])
    const said = await to("--drill")
    assert.strictEqual(said.code, 0, said.out + said.err)
    assert.deepStrictEqual(await Fs.readdir(join(away, "incidents/IR-1/evidence/logs")), ["one.log"])
    const listed = (await lines("not-taken.ndjson")).map(({ reason }) => String(reason))
    assert.deepStrictEqual(listed.toSorted(), ["a link to ../../elsewhere/secret.log", "a named pipe"])
  })

  it("moves latest to no snapshot that is much smaller than the last, unless it is told to", async () => {
    const latest = async () => JSON.parse(await Fs.readFile(join(away, "latest.json"), "utf8")) as { incident: string }
    const call = (id: string, ...words: ReadonlyArray<string>) =>
      dandori("--yes", "--incident", id, "--destination", away, ...words)
    for (let n = 0; n < 10; n++) await write(`models/model_${n}.joblib`, `model ${n}`)
    assert.strictEqual((await call("IR-1")).code, 0)
    assert.strictEqual((await latest()).incident, "IR-1")
    for (let n = 0; n < 5; n++) await Fs.rm(join(project.folder, `models/model_${n}.joblib`))
    const smaller = await call("IR-2")
    assert.strictEqual(smaller.code, 0)
    assert.match(smaller.out, /latest was not moved: the snapshot has 5 objects and .* 10: it shrank by more than 20%/)
    assert.strictEqual((await latest()).incident, "IR-1")
    assert.strictEqual((await call("IR-2", "--may-shrink")).code, 0)
    assert.strictEqual((await latest()).incident, "IR-2")
  })

  it("is left by Ctrl-C with the words to go on, which do", async () => {
    for (let n = 0; n < 20; n++) await write(`logs/${n}.log`, "x".repeat(2 ** 20))
    await change({ destinations: [{ name: "slow", location: away, away: true, bandwidth: "1MiB" }], parallel: 1 })
    const call = Sample.start(project, ["evacuate", "--incident", incident, "--drill"], {
      onLine: (line) => {
        if (/push +started/.test(line)) call.kill("SIGINT")
      },
    })
    const said = await call.said
    assert.notStrictEqual(said.code, 0)
    assert.match(said.out + said.err, /dandori evacuate --incident IR-1/)
    await change({ destinations: [{ name: "slow", location: away, away: true }] })
    const whole = await dandori("--incident", incident)
    assert.strictEqual(whole.code, 0, whole.out + whole.err)
  })

  it.each([
    ["take", false],
    ["take, nor do a step at all,", true],
  ])("takes up in the same call what an earlier one could not %s before it was killed", async (_, isWarned) => {
    await write("logs/long.log", "x".repeat(2 ** 21))
    const { collectors } = parse(await Fs.readFile(join(project.folder, "configs/base/evacuation.yaml"), "utf8"))
    const broken = { name: "broken", kind: "command", argv: ["cat", "later"], when: "durable", value: 1 }
    const slow = { name: "slow", location: away, away: true, bandwidth: "1MiB" }
    await change({ destinations: [slow], collectors: [...collectors, broken], parallel: 1 })
    const inTheWay = join(folderOf(), "stopped.json")
    if (isWarned) await Fs.mkdir(join(inTheWay, "a folder"), { recursive: true })
    const call = Sample.start(project, ["evacuate", "--incident", incident, "--drill"], {
      onLine: (line) => {
        // By then it is in the ledger that the step before it has ended.
        if (/\d+ of \d+ objects/.test(line)) call.kill("SIGKILL")
      },
    })
    assert.notStrictEqual((await call.said).code, 0)
    const failed = (await lines("collected.ndjson")).find(({ collector }) => collector === "broken")
    assert.strictEqual(failed?.outcome, "failed")
    await write("later", "now it is there")
    if (isWarned) await Fs.rm(inTheWay, { recursive: true })
    const whole = await dandori("--incident", incident)
    assert.strictEqual(whole.code, 0, whole.out + whole.err)
    assert.match(whole.err, /^What the earlier call had left out is taken up now\.$/m)
  })

  it("prints for programs what it does, a value a line, and how it ended", async () => {
    const said = await to("--drill", "--json")
    const values = Sample.ndjson(said.out)
    assert.deepStrictEqual([...new Set(values.map(({ kind }) => kind))], ["evacuation"])
    assert.includeDeepMembers(
      values.map(({ status, step }) => [step, status]),
      ["open", "volatile", "push", "verify", "report"].map((step) => [step, "succeeded"]),
    )
    assert.deepInclude(values.at(-1), { exitCode: 0 })
  })

  it("says before what it would do", async () => {
    const forecast = await dandori("--dry-run", "--destination", away)
    assert.strictEqual(forecast.code, 0, forecast.err)
    assert.match(forecast.out, /take +logs: 1 file, 4 B/)
    assert.match(forecast.out, /replace none, remove none/)
    const looked = await dandori("--self-test", "--destination", away)
    assert.strictEqual(looked.code, 0, looked.out)
    assert.match(looked.out, /logs will be taken/)
    assert.isFalse(await Fs.exists(away))
  })
})
