import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import * as Sample from "../support/sample-project.ts"
import * as Weather from "../support/weather.ts"

let project: Sample.SampleProject
let disk: Weather.Disk | undefined

beforeEach(async () => {
  project = await Weather.project()
})

afterEach(async () => {
  await disk?.remove()
  disk = undefined
  await Sample.remove(project)
})

const mount = async (folder: string) => (disk = await Weather.smallDisk(project, folder, 4 << 20))
const dandori = (...args: ReadonlyArray<string>) => Sample.start(project, args, { before: disk?.before ?? [] }).said
const onlyRun = async () => Sample.onlyRunIn(await dandori("runs", "list", "--json"))

/** The streams on a disk, by file. */
const streams = async (folder: string) => {
  const files = (await Sample.filesBelow(folder)).filter((file) => file.endsWith(".ndjson"))
  return new Map(
    await Promise.all(files.map(async (file) => [file, await Fs.readFile(join(folder, file), "utf8")] as const)),
  )
}

const isOneError = (said: Sample.Said, pattern: RegExp) => {
  assert.strictEqual(said.code, 74, said.err)
  const errors = said.err.split("\n").filter((line) => line !== "" && !/^\d\d:\d\d:\d\d /.test(line))
  assert.strictEqual(errors.length, 1, said.err)
  assert.match(errors[0] ?? "", pattern)
  assert.isFalse(Sample.hasStackTrace(said.err), said.err)
}

describe("a full disk", () => {
  it("before a run: nothing starts, one error says that the disk is full, and with room again it runs", async () => {
    const { fill, free } = await mount(".dandori")
    await fill()
    isOneError(await dandori("run", "pipelines/once.yaml"), /the disk is full; free some space/)
    assert.deepStrictEqual(await Weather.effects(project), [])
    await free()
    assert.strictEqual((await dandori("run", "pipelines/once.yaml")).code, 0)
    assert.deepStrictEqual(await Weather.effects(project), ["once"])
    assert.strictEqual((await dandori("ledger", "verify")).code, 0)
  })

  it("in a run: it stops, no whole line is lost or torn, and with room again it is resumed to the same end", async () => {
    const { before, fill, free, inside } = await mount(".dandori")
    const call = await Weather.until(project, ["run", "pipelines/weather.yaml"], "two      started", before)
    while ((await Weather.effects(project)).length < 2) assert.isTrue(await Weather.isAlive(call))
    const acknowledged = await streams(inside)
    await fill()
    await Weather.go(project)
    isOneError(await call.said, /cannot be written: .*the disk is full; free some space .*: dandori runs resume /)
    for (const [file, text] of await streams(inside)) {
      assert.isTrue(text.startsWith(acknowledged.get(file) ?? ""), file)
      assert.isTrue(text.endsWith("\n"), file)
    }
    const { run, status } = await onlyRun()
    assert.strictEqual(status, "interrupted")
    assert.strictEqual((await dandori("ledger", "verify")).code, 0)

    // The state store gave back what it needed while it was open.
    await fill()
    isOneError(await dandori("run", "--resume", run), /the disk is full; free some space/)
    assert.strictEqual((await onlyRun()).status, "interrupted")
    await free()
    const resumed = await dandori("run", "--resume", run)
    assert.strictEqual(resumed.code, 0, resumed.err)
    assert.strictEqual((await onlyRun()).status, "succeeded")
    assert.deepStrictEqual([...new Set(await Weather.effects(project))], ["one", "two", "three"])
    assert.strictEqual((await dandori("ledger", "verify")).code, 0)
  })

  it("stops a run of pure tasks too, while one of them is still at work", async () => {
    const { before, fill, free } = await mount(".dandori/ledger")
    const call = await Weather.until(project, ["run", "pipelines/pure.yaml"], "works  started", before)
    await fill()
    await Weather.go(project)
    isOneError(await call.said, /the disk is full/)
    const { run } = await onlyRun()
    assert.deepStrictEqual(await Sample.leftBehind([run]), [])
    await free()
    const again = await Weather.until(project, ["run", "--resume", run], "says   succeeded", before)
    again.kill("SIGINT")
    assert.strictEqual((await again.said).code, 130)
    assert.strictEqual((await dandori("ledger", "verify")).code, 0)
  })

  it("below the root stream: no once task starts before the root knows its run, and each runs once in the end", async () => {
    assert.strictEqual((await dandori("run", "pipelines/once.yaml")).code, 0)
    const { before, fill, free, inside } = await mount("disk")
    const root = join(project.home, "ledger/root.ndjson")
    await Fs.copyFile(root, join(inside, "root.ndjson"))
    await Bun.$`${[...before, "mount", "--bind", join(project.folder, "disk/root.ndjson"), root]}`.quiet()
    await fill()
    let refused = 0
    let runs = 1
    // What is left of the last page of the root takes some entries.
    while (refused < 2) {
      const said = await dandori("run", "pipelines/once.yaml")
      runs++
      if (said.code === 0) continue
      refused++
      isOneError(said, /the disk is full/)
      assert.isBelow(runs, 12)
    }
    await free()
    for (const { run, status } of Sample.ndjson((await dandori("runs", "list", "--json")).out)) {
      if (status !== "interrupted") continue
      const resumed = await dandori("run", "--resume", run)
      assert.strictEqual(resumed.code, 0, resumed.err)
    }
    const all = Sample.ndjson((await dandori("runs", "list", "--json")).out)
    assert.deepStrictEqual([...new Set(all.map(({ status }) => status))], ["succeeded"])
    assert.strictEqual((await Weather.effects(project)).length, all.length)
    assert.strictEqual((await dandori("ledger", "verify")).code, 0)
  })

  it("below the logs: the run succeeds without what the log could not take, and says so", async () => {
    const { fill } = await mount(".dandori/logs")
    await fill()
    const said = await dandori("run", "pipelines/kept.yaml", "--json")
    assert.strictEqual(said.code, 0, said.err)
    assert.match(said.out, /"logLost":"write [^"]*kept\.1\.log: the disk is full/)
  })

  it("below the artifacts: the task fails and says why, nothing half is left, and a new run succeeds", async () => {
    const { fill, free, inside } = await mount(".dandori/artifacts")
    assert.strictEqual((await dandori("run", "pipelines/once.yaml")).code, 0)
    const plan = (await Sample.filesBelow(inside)).length
    const room = 16_384
    await fill(room)
    const failed = await dandori("run", "pipelines/kept.yaml")
    assert.strictEqual(failed.code, 1, failed.err)
    assert.match(failed.err, /kept +failed in .*the disk is full; free some space/)
    assert.isFalse(Sample.hasStackTrace(failed.err), failed.err)
    const files = (await Sample.filesBelow(inside)).filter((file) => file !== "ballast")
    assert.isAbove(files.length, plan)
    for (const file of files) assert.match(file, /^sha256\/[0-9a-f]{2}\/[0-9a-f]{62}$/)
    assert.strictEqual((await dandori("ledger", "verify")).code, 0)
    await free()
    assert.strictEqual((await dandori("run", "pipelines/kept.yaml")).code, 0)
    assert.strictEqual((await dandori("ledger", "verify")).code, 0)
  })
})
