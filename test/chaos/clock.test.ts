import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import * as Sample from "../support/sample-project.ts"
import * as Weather from "../support/weather.ts"

const hour = 3_600
let project: Sample.SampleProject
let clock: Weather.WallClock

beforeEach(async () => {
  project = await Weather.project()
  clock = await Weather.wallClock(project)
})

afterEach(() => Sample.remove(project))

const dandori = (...args: ReadonlyArray<string>) => Sample.start(project, args, { before: clock.before }).said

const onlyRun = async () => Sample.onlyRunIn(await dandori("runs", "list", "--json"))

/** The events of a run; its ledger is intact, and its entries stand in the order of their sequence. */
const eventsOf = async (run: string) => {
  const verified = await dandori("ledger", "verify")
  assert.strictEqual(verified.code, 0, verified.err)
  const events = Sample.ndjson((await dandori("ledger", "show", run, "--json")).out)
  assert.deepStrictEqual(
    events.map(({ sequence }) => Number(sequence)),
    events.map((_, index) => index + 1),
  )
  return events.map(({ type, data, time }) => ({ type: type.slice("dev.dandori.".length, -3), data, time }))
}

const steps = [
  ["forward", hour],
  ["back", -hour],
] as const

describe.each(steps)("a clock that is stepped %s by an hour", (_, seconds) => {
  it("in a run bends no wait, no timeout and no measured time", async () => {
    const words = ["run", "pipelines/clock.yaml", "--wait"]
    const call = await Weather.until(project, words, "first  started", clock.before)
    await clock.step(seconds)
    await Weather.go(project)
    const said = await call.said
    assert.strictEqual(said.code, 0, said.err)
    assert.match(said.err, /slow +timed out after 500 ms/)
    assert.match(said.err, /flaky +succeeded/)
    assert.notMatch(said.out + said.err, /\d h \d\d min/)
    const { run } = await onlyRun()
    const events = await eventsOf(run)
    const stepped = events.filter(({ time }) => Math.abs(Date.parse(time) - Date.parse(events[0].time)) > 1_800_000)
    assert.isAbove(stepped.length, 0)
    const measured = events.flatMap(({ data }) => data.millis ?? data.durationMillis ?? [])
    for (const millis of measured) {
      assert.isAtLeast(millis, 0)
      assert.isBelow(millis, 600_000)
    }
    assert.isAtLeast(measured.length, 4)
    const flaky = said.heard.filter(({ line }) => line.includes("flaky  started")).map(({ millis }) => millis)
    assert.isAtLeast(flaky[1] - flaky[0], 2_000)
    assert.deepStrictEqual(
      events.filter(({ type }) => type === "approval.expired" || type === "attempt.timed_out").map(({ type }) => type),
      ["attempt.timed_out", "approval.expired"],
    )
    assert.deepStrictEqual(await Weather.effects(project), [])
  })

  it("before a resume makes no wait longer than it was planned, and leaves none below zero", async () => {
    await Weather.go(project)
    const words = ["run", "pipelines/clock.yaml", "--wait"]
    const call = await Weather.until(project, words, "flaky  will be tried again", clock.before)
    call.kill("SIGKILL")
    await call.said
    const { run } = await onlyRun()
    await clock.step(seconds)
    const resumed = await dandori("run", "--resume", run, "--wait")
    assert.strictEqual(resumed.code, 0, resumed.err)
    assert.match(resumed.err, /flaky +succeeded/)
    assert.notMatch(resumed.err, /first +started/)
    const types = (await eventsOf(run)).map(({ type }) => type)
    assert.include(types, "approval.expired")
    assert.notInclude(types, "cancel.requested")
    assert.strictEqual((await onlyRun()).status, "warned")
  })

  it("before a resume leaves of the pipeline's timeout no more than all of it", async () => {
    const call = await Weather.until(project, ["run", "pipelines/hangs.yaml"], "hangs  started", clock.before)
    call.kill("SIGKILL")
    await call.said
    const { run } = await onlyRun()
    await clock.step(seconds)
    const resumed = await dandori("run", "--resume", run)
    assert.strictEqual(resumed.code, 124, resumed.err)
    assert.strictEqual((await onlyRun()).status, "timed_out")
    assert.deepStrictEqual(await Sample.leftBehind([run]), [])
  })
})
