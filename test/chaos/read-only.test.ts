import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import * as Sample from "../support/sample-project.ts"
import * as Weather from "../support/weather.ts"

let project: Sample.SampleProject

beforeEach(async () => {
  project = await Weather.project()
})

afterEach(() => Sample.remove(project))

const dandori = (...args: ReadonlyArray<string>) => Sample.start(project, args, { before: Weather.modest }).said
const ledger = () => join(project.home, "ledger")
const forbid = () => Bun.$`chmod -R a-w ${ledger()}`.quiet()
const allow = () => Bun.$`chmod -R u+w ${ledger()}`.quiet()
const runs = async () => Sample.ndjson((await dandori("runs", "list", "--json")).out)

const isRefused = (said: Sample.Said) => {
  assert.strictEqual(said.code, 74, said.err)
  assert.strictEqual(said.err.match(/permission denied; give this user the right to it/g)?.length, 1, said.err)
  assert.isFalse(Sample.hasStackTrace(said.err), said.err)
}

describe("a ledger directory that cannot be written", () => {
  it("before the first event: nothing starts, and one error says what to do", async () => {
    await Fs.mkdir(ledger(), { recursive: true })
    await forbid()
    isRefused(await dandori("run", "pipelines/once.yaml"))
    assert.deepStrictEqual(await Weather.effects(project), [])
    assert.deepStrictEqual(await Sample.filesBelow(ledger()), [])
    await allow()
    assert.strictEqual((await dandori("run", "pipelines/once.yaml")).code, 0)
    await forbid()
    isRefused(await dandori("run", "pipelines/once.yaml"))
    assert.deepStrictEqual(await Weather.effects(project), ["once"])
    assert.strictEqual((await dandori("ledger", "verify")).code, 0)
  })

  it("in a run: what is open is written to its end, and what the root lacks is added by the next start", async () => {
    const args = ["run", "pipelines/weather.yaml"]
    const call = await Weather.until(project, args, "two      started", Weather.modest)
    while ((await Weather.effects(project)).length < 2) assert.isTrue(await Weather.isAlive(call))
    await forbid()
    await Weather.go(project)
    isRefused(await call.said)
    const [{ run, status }] = await runs()
    assert.strictEqual(status, "succeeded")
    assert.deepStrictEqual(await Weather.effects(project), ["one", "two", "three"])
    assert.strictEqual((await dandori("ledger", "verify")).code, 0)
    await allow()
    const again = await dandori("run", "--resume", run)
    assert.strictEqual(again.code, 64, again.err)
    assert.include(again.err, "has ended: succeeded")
    const verified = await dandori("ledger", "verify")
    assert.strictEqual(verified.code, 0, verified.err)
    assert.match(verified.out, /was added by a later start, when it was missing/)
  })

  it("at a resume: nothing is written, and the run is resumed when it can be", async () => {
    const args = ["run", "pipelines/weather.yaml"]
    const call = await Weather.until(project, args, "two      started", Weather.modest)
    while ((await Weather.effects(project)).length < 2) assert.isTrue(await Weather.isAlive(call))
    call.kill("SIGKILL")
    await call.said
    await Weather.go(project)
    const [{ run, status }] = await runs()
    assert.strictEqual(status, "interrupted")
    await forbid()
    isRefused(await dandori("run", "--resume", run))
    assert.deepStrictEqual(await Weather.effects(project), ["one", "two"])
    await allow()
    const resumed = await dandori("run", "--resume", run)
    assert.strictEqual(resumed.code, 0, resumed.err)
    assert.deepStrictEqual(await Weather.effects(project), ["one", "two", "two", "three"])
    assert.strictEqual((await dandori("ledger", "verify")).code, 0)
  })
})
