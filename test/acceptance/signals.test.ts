import { existsSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Sample from "../support/sample-project.ts"

const pipeline = "pipelines/sample-e2e.yaml"
let project: Sample.SampleProject

beforeAll(async () => {
  project = await Sample.make()
})

afterAll(() => Sample.remove(project))

/** Starts a command and sends a signal when the training's child process is at work. */
const signalled = async (signal: NodeJS.Signals, words: ReadonlyArray<string>) => {
  const { promise: reached, resolve } = Promise.withResolvers<void>()
  const call = Sample.start(project, words, {
    onLine: (line) => line.includes("train") && line.includes("started") && resolve(),
  })
  await Promise.race([reached, call.said])
  const { run } = await newest()
  while ((await Sample.leftBehind([run])).length === 0) assert.strictEqual((await newest()).status, "running")
  call.kill(signal)
  return await call.said
}

const newest = async () => {
  const runs = await Sample.runsOf(project)
  return runs[runs.length - 1]
}

describe("a signal while the sample trains", () => {
  it("SIGINT cancels the run: its child process is gone, the finally block ran, exit 130", async () => {
    const { code, err, out } = await signalled("SIGINT", ["run", pipeline])
    assert.strictEqual(code, 130, err)
    assert.include(err, "Cancelling")
    assert.match(out, /sample-e2e was cancelled after/)
    assert.match(err, /train +cancelled/)
    assert.match(err, /report +succeeded/)
    assert.match(err, /\[warning\] sample-e2e: sample-e2e cancelled, run /)
    assert.isFalse(Sample.hasStackTrace(out + err), err)
    const { run, status } = await newest()
    assert.strictEqual(status, "cancelled")
    assert.deepStrictEqual(await Sample.leftBehind([run]), [])
    assert.isFalse(existsSync(join(project.home, "models")))
    const again = await Sample.dandori(project, "run", "--resume", run)
    assert.strictEqual(again.code, 64, again.err)
    assert.include(again.err, "cancelled")
    assert.isFalse(Sample.hasStackTrace(again.err), again.err)
  })

  it("SIGTERM leaves the run to be resumed: exit 143, no child process is left, and --resume takes it to its end", async () => {
    const { code, err, out } = await signalled("SIGTERM", ["run", pipeline])
    assert.strictEqual(code, 143, err)
    assert.isFalse(Sample.hasStackTrace(out + err), err)
    const { run, status } = await newest()
    assert.strictEqual(status, "interrupted")
    assert.deepStrictEqual(await Sample.leftBehind([run]), [])
    const resumed = await Sample.dandori(project, "run", "--resume", run)
    assert.strictEqual(resumed.code, 0, resumed.err)
    assert.match(resumed.err, /goes on/)
    assert.notMatch(resumed.err, /seed +started/)
    assert.match(resumed.out, new RegExp(`sample-e2e succeeded in .* run ${run}`))
    assert.strictEqual((await Sample.dandori(project, "ledger", "verify")).code, 0)
    assert.strictEqual(
      (await Fs.readdir(join(project.home, "models"))).filter((name) => !name.startsWith(".")).length,
      1,
    )
  })
})
