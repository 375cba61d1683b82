import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import * as Sample from "../support/sample-project.ts"
import * as Weather from "../support/weather.ts"

/** How long a process is stopped, seconds; `DANDORI_STOPPED=60` for a minute. */
const stoppedSeconds = Number(process.env.DANDORI_STOPPED ?? 3)
const limit = 60_000 + stoppedSeconds * 2_000
let project: Sample.SampleProject

beforeEach(async () => {
  project = await Weather.project()
})

afterEach(() => Sample.remove(project))

const dandori = (...args: ReadonlyArray<string>) => Sample.dandori(project, ...args)
const onlyRun = async () => Sample.onlyRunIn(await dandori("runs", "list", "--json"))

/** A run both of whose tasks are at work. */
const atWork = async () => {
  const call = await Weather.until(project, ["run", "pipelines/works.yaml"], "stands  started")
  while ((await Weather.effects(project)).length < 1) assert.isTrue(await Weather.isAlive(call))
  return call
}

const childrenOf = async (run: string, task: string) =>
  (await Sample.leftBehind([run]))
    .filter((line) => line.includes(`/${task}/`))
    .map((line) => Number(line.split(" ")[0]))

const isIntact = async (run: string) => {
  assert.deepStrictEqual(await Sample.leftBehind([run]), [])
  const verified = await dandori("ledger", "verify")
  assert.strictEqual(verified.code, 0, verified.err)
}

describe("a process that is stopped and goes on", () => {
  it(
    "is the owner of its run all the while: nobody takes it over, and it ends as if nothing had been",
    async () => {
      const call = await atWork()
      call.kill("SIGSTOP")
      const { run, status } = await onlyRun()
      assert.strictEqual(status, "running")
      const refused = await dandori("runs", "resume", run)
      assert.strictEqual(refused.code, 11, refused.err)
      assert.include(refused.err, `process ${call.pid}`)
      await Weather.go(project)
      await pause(stoppedSeconds * 1_000)
      call.kill("SIGCONT")
      const said = await call.said
      assert.strictEqual(said.code, 0, said.err)
      assert.match(said.err, /talks +succeeded/)
      assert.match(said.err, /stands +timed out after 1.0 s/)
      assert.deepStrictEqual(await Weather.effects(project), ["begun"])
      const log = await Fs.readFile(join(project.home, "logs", run, "talks.1.log"), "utf8")
      assert.match(log, /^line 1\n[^]*line 9\n0+\nthe end\n$/)
      assert.strictEqual((await onlyRun()).status, "warned")
      await isIntact(run)
    },
    limit,
  )

  it("that is killed while it is stopped leaves a run that can be resumed at once", async () => {
    const call = await atWork()
    call.kill("SIGSTOP")
    call.kill("SIGKILL")
    await call.said
    await Weather.go(project)
    const { run, status } = await onlyRun()
    assert.strictEqual(status, "interrupted")
    const resumed = await dandori("runs", "resume", run)
    assert.strictEqual(resumed.code, 0, resumed.err)
    await isIntact(run)
  })

  it(
    "where it is the child of an attempt, is ended when its time is over, and goes on where it has the time",
    async () => {
      // Long enough to find both at work on a machine that is busy.
      const file = join(project.folder, "pipelines", "works.yaml")
      await Fs.writeFile(file, (await Fs.readFile(file, "utf8")).replace("timeout: 1s", "timeout: 12s"))
      const call = await atWork()
      const { run } = await onlyRun()
      const [stands, talks] = [await childrenOf(run, "stands"), await childrenOf(run, "talks")]
      assert.isAbove(stands.length * talks.length, 0)
      for (const pid of [...stands, ...talks]) process.kill(pid, "SIGSTOP")
      await Weather.go(project)
      // What is stopped hears no request to end, so it is ended by force when its grace is over.
      while ((await childrenOf(run, "stands")).length > 0) assert.isTrue(await Weather.isAlive(call))
      assert.isTrue(await Weather.isAlive(call))
      for (const pid of await childrenOf(run, "talks")) process.kill(pid, "SIGCONT")
      const said = await call.said
      assert.strictEqual(said.code, 0, said.err)
      assert.match(said.err, /stands +timed out/)
      assert.match(said.err, /talks +succeeded/)
      await isIntact(run)
    },
    limit,
  )
})
