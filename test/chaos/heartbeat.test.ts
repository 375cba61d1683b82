import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import * as Sample from "../support/sample-project.ts"
import * as Weather from "../support/weather.ts"

const pipeline = `version: 1
id: beats
tasks:
  quiet:
    uses: command
    heartbeat: 2s
    retry: { attempts: 1 }
    with: { effects: idempotent, argv: [sh, -c, "sleep 0.4; touch begun; while [ ! -e go ]; do sleep 0.02; done"] }
`
let project: Sample.SampleProject

beforeEach(async () => {
  project = await Sample.make()
  await Fs.writeFile(join(project.folder, "pipelines/beats.yaml"), pipeline)
})

afterEach(() => Sample.remove(project))

const words = ["run", "pipelines/beats.yaml"]

describe("a heartbeat", () => {
  it("does not count the time for which its process was stopped", async () => {
    const call = await Weather.until(project, words, "quiet  started")
    await Bun.$`sh -c ${"while [ ! -e begun ]; do sleep 0.02; done"}`.cwd(project.folder)
    call.kill("SIGSTOP")
    await Bun.$`sleep 4`
    await Weather.go(project)
    call.kill("SIGCONT")
    const { code, err } = await call.said
    assert.strictEqual(code, 0, err)
    assert.match(err, /quiet +succeeded/)
  })

  it.each([3_600, -3_600])("is bent by no step of the wall clock (%i s)", async (seconds) => {
    const clock = await Weather.wallClock(project)
    const call = await Weather.until(project, words, "quiet  started", clock.before)
    await clock.step(seconds)
    const { code, err, heard } = await call.said
    assert.strictEqual(code, 1, err)
    assert.match(err, /quiet +lost: it gave no sign of life for 2s/)
    const [started, lost] = ["quiet  started", "quiet  lost"].map((text) =>
      heard.find(({ line }) => line.includes(text)),
    )
    assert.isAtLeast((lost?.millis ?? 0) - (started?.millis ?? 0), 2_000)
    const [{ run }] = await Sample.runsOf(project)
    assert.deepStrictEqual(await Sample.leftBehind([run]), [])
  })
})
