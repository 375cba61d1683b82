import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import * as Sample from "../support/sample-project.ts"
import * as Weather from "../support/weather.ts"

let project: Sample.SampleProject
let disk: Weather.Disk | undefined

const waits = (file: string) => `while [ ! -e ${file} ]; do sleep 0.02; done`
/** What `two` says fits in no page that has room left. */
const pipeline = `version: 1
id: late
audit: best-effort
tasks:
  one: { uses: command, with: { effects: idempotent, argv: [sh, -c, 'echo one >> effects'] } }
  two: { uses: command, needs: [one], with: { effects: idempotent, argv: [sh, -c, "echo two >> effects; ${waits("go")}; printf %06000d 0"] } }
  three:
    uses: command
    needs: [two]
    retry: { attempts: 3, on: [CommandFailed], backoff: { initial: 1ms, jitter: none } }
    with: { effects: idempotent, argv: [sh, -c, "echo three >> effects; [ -e tried ] || { touch tried; exit 1; }; ${waits("more")}"] }
  four: { uses: command, needs: [three], with: { effects: pure, argv: [sh, -c, 'echo four >> effects'] } }
`

beforeEach(async () => {
  project = await Weather.project()
  await Fs.writeFile(join(project.folder, "pipelines/late.yaml"), pipeline)
})

afterEach(async () => {
  await disk?.remove()
  disk = undefined
  await Sample.remove(project)
})

const mount = async () => (disk = await Weather.smallDisk(project, ".dandori/ledger", 4 << 20))
const touch = (name: string) => Fs.writeFile(join(project.folder, name), "")
const dandori = (...args: ReadonlyArray<string>) => Sample.start(project, args, { before: disk?.before ?? [] }).said
const onlyRun = async () => Sample.onlyRunIn(await dandori("runs", "list", "--json"))

/** A call whose lines can be waited for. */
const watched = (args: ReadonlyArray<string>, before = disk?.before ?? []) => {
  const lines: Array<string> = []
  const hears = new Set<() => void>()
  const call = Sample.start(project, args, {
    before,
    onLine: (line) => {
      lines.push(line)
      for (const hear of hears) hear()
    },
  })
  const until = async (text: string) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const hear = () => lines.some((line) => line.includes(text)) && resolve()
    hears.add(hear)
    hear()
    const ended = await Promise.race([promise, call.said])
    assert.isUndefined(ended, `it ended before it said "${text}": ${ended?.err}${ended?.out}`)
  }
  return { ...call, until }
}

/** A run whose ledger has no room any more, with `three` at its second attempt. */
const stalled = async (...more: ReadonlyArray<string>) => {
  const { fill } = await mount()
  const call = watched(["run", "pipelines/late.yaml", ...more])
  while ((await Weather.effects(project)).length < 2) assert.isTrue(await Weather.isAlive(call))
  await fill()
  await touch("go")
  while ((await Weather.effects(project)).length < 4) assert.isTrue(await Weather.isAlive(call))
  return call
}

/** The run's events by type and task, from its file. */
const recorded = async (run: string) => {
  const { out } = await dandori("ledger", "show", run, "--json")
  return Sample.ndjson(out).map(({ data, type }) =>
    [type.replace(/^dev\.dandori\.(.*)\.v1$/, "$1"), data.task].filter(Boolean).join(" "),
  )
}

const verifies = async () => {
  const { code, err } = await dandori("ledger", "verify")
  assert.strictEqual(code, 0, err)
}

describe("a best-effort run whose disk is full", () => {
  it("from the start: is refused like any other, and nothing has begun", async () => {
    const { fill } = await mount()
    await fill()
    const said = await dandori("run", "pipelines/late.yaml")
    assert.strictEqual(said.code, 74, said.err)
    assert.match(said.err, /the disk is full; free some space/)
    assert.deepStrictEqual(await Weather.effects(project), [])
  })

  it("for a while: goes on and says so, and all of it is in the record in the end", async () => {
    const call = await stalled()
    await call.until("late   the ledger cannot be written, and the run goes on without it: ")
    await disk?.free()
    await touch("more")
    const said = await call.said
    assert.strictEqual(said.code, 0, said.err)
    assert.match(said.err, /the ledger can be written again: \d+ events that were late are in it/)
    assert.notInclude(said.out, "record incomplete")
    const { run, status } = await onlyRun()
    assert.strictEqual(status, "succeeded")
    assert.deepStrictEqual(await Weather.effects(project), ["one", "two", "three", "three", "four"])
    const story = await recorded(run)
    assert.deepStrictEqual(
      story.filter((each) => !each.startsWith("ledger.")),
      [
        "run.created",
        "attempt.started one",
        "attempt.succeeded one",
        "attempt.started two",
        "attempt.succeeded two",
        "attempt.started three",
        "attempt.failed three",
        "retry.scheduled three",
        "attempt.started three",
        "attempt.succeeded three",
        "attempt.started four",
        "attempt.succeeded four",
        "run.finished",
      ],
    )
    assert.isBelow(story.indexOf("attempt.succeeded two"), story.indexOf("ledger.stalled"))
    assert.isBelow(story.indexOf("ledger.stalled"), story.indexOf("ledger.recovered"))
    await verifies()
  })

  it("to its end: its tasks go through, its exit code and its summary say what is lost, and a resume does that again", async () => {
    const call = await stalled()
    await touch("more")
    const said = await call.said
    assert.strictEqual(said.code, 74, said.err)
    assert.match(said.out, /late succeeded in /)
    assert.match(
      said.out,
      /record incomplete: 1\d events since .* could not be written: .*the disk is full.*\(ENOSPC\)/,
    )
    assert.isFalse(Sample.hasStackTrace(said.err), said.err)
    assert.deepStrictEqual(await Weather.effects(project), ["one", "two", "three", "three", "four"])
    const { run, status } = await onlyRun()
    assert.strictEqual(status, "interrupted")
    assert.include(said.out, `dandori runs resume ${run}`)
    assert.include((await dandori("runs", "show", run)).out, "was interrupted")
    await verifies()

    await disk?.free()
    const resumed = await dandori("runs", "resume", run)
    assert.strictEqual(resumed.code, 0, resumed.err)
    assert.strictEqual((await onlyRun()).status, "succeeded")
    assert.deepStrictEqual(await Weather.effects(project), [
      "one",
      "two",
      "three",
      "three",
      "four",
      "two",
      "three",
      "four",
    ])
    await verifies()
  })

  it("tells programs at once and at its end", async () => {
    const call = await stalled("--json")
    await call.until('"type":"dev.dandori.ledger.stalled.v1"')
    await touch("more")
    const said = await call.said
    assert.strictEqual(said.code, 74, said.err)
    const result = Sample.ndjson(said.out).at(-1)
    assert.deepInclude(result, { kind: "result", status: "succeeded" })
    const stop = Sample.ndjson(said.out).find(({ type }) => type === "dev.dandori.ledger.stalled.v1")
    assert.deepInclude(stop?.data, { code: "ENOSPC" })
    assert.isAbove(result?.incomplete.events, 8)
    assert.match(result?.incomplete.since, /^\d{4}-.*Z$/)
    assert.match(result?.incomplete.reason, /ENOSPC/)
  })

  it("is cancelled by Ctrl-C, with no process left behind; with room again the cancel is recorded", async () => {
    const call = await stalled()
    call.kill("SIGINT")
    const said = await call.said
    assert.strictEqual(said.code, 74, said.err)
    assert.match(said.out, /late was cancelled/)
    assert.match(said.out, /record incomplete: /)
    const { run } = await onlyRun()
    assert.deepStrictEqual(await Sample.leftBehind([run]), [])
    await verifies()
    await disk?.free()
    const again = watched(["runs", "resume", run])
    await again.until("three  started")
    await disk?.fill()
    await disk?.free()
    again.kill("SIGINT")
    assert.strictEqual((await again.said).code, 130)
    assert.strictEqual((await onlyRun()).status, "cancelled")
    await verifies()
  })

  it("is cancelled from another command line, which hears that it could not be recorded", async () => {
    const call = await stalled()
    const { run } = await onlyRun()
    const cancelled = await dandori("runs", "cancel", run, "--reason", "enough")
    assert.strictEqual(cancelled.code, 0, cancelled.err)
    assert.match(cancelled.err, /The run does it, but the record of it could not be written: .*the disk is full/)
    const said = await call.said
    assert.strictEqual(said.code, 74, said.err)
    assert.match(said.out, /late was cancelled/)
    await verifies()
  })

  it("and whose process is killed: a resume does again what is not recorded", async () => {
    const call = await stalled()
    call.kill("SIGKILL")
    await call.said
    await disk?.free()
    await touch("more")
    const { run, status } = await onlyRun()
    assert.strictEqual(status, "interrupted")
    const resumed = await dandori("runs", "resume", run)
    assert.strictEqual(resumed.code, 0, resumed.err)
    assert.deepStrictEqual(await Weather.effects(project), ["one", "two", "three", "three", "two", "three", "four"])
    await verifies()
  })

  it("and that is left by SIGTERM when there is room again: loses nothing", async () => {
    const call = await stalled()
    await disk?.free()
    call.kill("SIGTERM")
    assert.strictEqual((await call.said).code, 143)
    const { run, status } = await onlyRun()
    assert.strictEqual(status, "interrupted")
    assert.include(await recorded(run), "attempt.failed three")
    await touch("more")
    assert.strictEqual((await dandori("runs", "resume", run)).code, 0)
    await verifies()
  })
})

describe("a best-effort run whose root stream has no room", () => {
  it("goes through, says that the root does not know it, and is known with the next run", async () => {
    await touch("go")
    await touch("more")
    assert.strictEqual((await dandori("run", "pipelines/late.yaml")).code, 0)
    const small = await Weather.smallDisk(project, "disk", 1 << 20)
    disk = small
    const root = join(project.home, "ledger/root.ndjson")
    await Fs.copyFile(root, join(small.inside, "root.ndjson"))
    await Bun.$`${[...small.before, "mount", "--bind", join(project.folder, "disk/root.ndjson"), root]}`.quiet()
    await small.fill()
    // What is left of the last page of the root takes some entries.
    for (let runs = 1; ; runs++) {
      assert.isBelow(runs, 12)
      const before = (await Weather.effects(project)).length
      const said = await dandori("run", "pipelines/late.yaml")
      assert.lengthOf(await Weather.effects(project), before + 4)
      if (said.code === 0) continue
      assert.strictEqual(said.code, 74, said.err)
      assert.match(said.out, /late succeeded in /)
      assert.match(said.out, /record incomplete: .* not what the root stream says of it: .*the disk is full/)
      break
    }
    await small.free()
    assert.strictEqual((await dandori("run", "pipelines/late.yaml")).code, 0)
    const verified = await dandori("ledger", "verify")
    assert.strictEqual(verified.code, 0, verified.err)
    const runs = Sample.ndjson((await dandori("runs", "list", "--json")).out)
    assert.deepStrictEqual([...new Set(runs.map(({ status }) => status))], ["succeeded"])
  })
})

describe("a best-effort run whose ledger directory becomes read-only", () => {
  it("is resumed only when the ledger can be written again, and nothing is done before", async () => {
    const ledger = join(project.home, "ledger")
    const call = watched(["run", "pipelines/late.yaml"], Weather.modest)
    while ((await Weather.effects(project)).length < 2) assert.isTrue(await Weather.isAlive(call))
    call.kill("SIGKILL")
    await call.said
    await touch("go")
    await touch("more")
    const { run } = await onlyRun()
    await Bun.$`chmod -R a-w ${ledger}`.quiet()
    const refused = await watched(["runs", "resume", run], Weather.modest).said
    assert.strictEqual(refused.code, 74, refused.err)
    assert.match(refused.err, /permission denied/)
    assert.deepStrictEqual(await Weather.effects(project), ["one", "two"])
    await Bun.$`chmod -R u+w ${ledger}`.quiet()
    assert.strictEqual((await dandori("runs", "resume", run)).code, 0)
    await verifies()
  })

  it("ends with its own record whole, and says that the root stream lacks its end, which the next run adds", async () => {
    const ledger = join(project.home, "ledger")
    const call = watched(["run", "pipelines/late.yaml"], Weather.modest)
    while ((await Weather.effects(project)).length < 2) assert.isTrue(await Weather.isAlive(call))
    await Bun.$`chmod -R a-w ${ledger}`.quiet()
    await touch("go")
    await touch("more")
    const said = await call.said
    assert.strictEqual(said.code, 74, said.err)
    assert.match(said.out, /late succeeded in /)
    assert.match(said.out, /record incomplete: .* not what the root stream says of it: .*permission denied/)
    assert.strictEqual((await onlyRun()).status, "succeeded")
    await Bun.$`chmod -R u+w ${ledger}`.quiet()
    const next = await dandori("run", "pipelines/late.yaml")
    assert.strictEqual(next.code, 0, next.err)
    const verified = await dandori("ledger", "verify")
    assert.strictEqual(verified.code, 0, verified.err)
    assert.match(verified.out, /was added by a later start, when it was missing/)
  })
})
