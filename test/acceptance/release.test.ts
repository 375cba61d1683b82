import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { projectOn } from "../support/database-chaos.ts"
import type { Postgres } from "../support/servers/postgres.ts"
import * as Servers from "../support/servers/scoped.ts"
import * as Sample from "../support/sample-project.ts"

const scope = Scope.makeUnsafe()
const slot = "EURUSD-GBPUSD/1h"
let server: Postgres
let project: Sample.SampleProject
/** Runs that have trained and tested a model, and the versions that came of them. */
const candidates: Array<{ readonly run: string; version: string }> = []

const psql = async (query: string) =>
  (await Bun.$`psql ${server.url} --no-psqlrc --csv --tuples-only -c ${query}`.text()).trim().split("\n")

/** Runs a pipeline that ships; its run's id, and what it said. */
const run = async (name: string, params: Readonly<Record<string, string>>) => {
  const given = Object.entries(params).flatMap(([key, value]) => ["--param", `${key}=${value}`])
  const said = await Sample.dandori(project, "run", `pipelines/${name}.yaml`, ...given)
  return { ...said, id: /run ([0-9a-f-]{36})/.exec(said.out + said.err)?.[1] ?? "" }
}
/** Agrees to a task that waits, and goes on with its run. */
const agree = async (id: string, task: string) => {
  const approved = await Sample.dandori(project, "runs", "approve", id, task, "--yes")
  assert.strictEqual(approved.code, 0, approved.out + approved.err)
  const resumed = await Sample.dandori(project, "runs", "resume", id)
  assert.strictEqual(resumed.code, 0, resumed.out + resumed.err)
}
const halted = async () => Sample.ndjson((await Sample.dandori(project, "ops", "status", "--json")).out)[0].halted
const statuses = () => psql("SELECT status FROM core.model_registry ORDER BY id")

beforeAll(async () => {
  server = await Effect.runPromise(Scope.provide(Servers.ownPostgres(), scope))
  project = await projectOn(server.url)
  for (const from of ["2024-01", "2024-02"]) {
    const { code, err, id } = await run("backtest", { from })
    assert.strictEqual(code, 0, err)
    candidates.push({ run: id, version: "" })
  }
}, 180_000)

afterAll(async () => {
  await Sample.remove(project)
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

describe("releasing a model and going back", () => {
  it("publishes the model of an earlier run, whose receipts hold", async () => {
    const [first] = candidates
    const { code, err, out } = await run("publish", { run: first.run, reason: "the first one" })
    assert.strictEqual(code, 0, out + err)
    ;[first.version] = await psql("SELECT version FROM core.model_registry WHERE status = 'deployed'")
    const none = await run("publish", {
      run: first.run.replace(/.$/, (last) => (last === "0" ? "1" : "0")),
      reason: "no such run",
    })
    assert.strictEqual(none.code, 1, none.out)
    assert.match(none.out, /NoModel|has no model of task backtest/)
  })

  it("registers, distributes and verifies a candidate, and waits for a person before it becomes champion", async () => {
    const second = candidates[1]
    const released = await run("release", { run: second.run, reason: "better in March" })
    assert.strictEqual(released.code, 16, released.out + released.err)
    assert.deepStrictEqual(await statuses(), ["deployed", "candidate"])
    ;[second.version] = await psql("SELECT version FROM core.model_registry WHERE status = 'candidate'")
    const copies = await Sample.filesBelow(join(project.folder, ".dandori/releases", second.version))
    const published = await Sample.filesBelow(join(project.folder, ".dandori/models", second.version))
    assert.deepStrictEqual(copies, published)

    await agree(released.id, "deploy")
    assert.deepStrictEqual(await statuses(), ["archived", "deployed"])
    assert.deepStrictEqual(
      await psql("SELECT version, from_version, reason FROM core.alias_history ORDER BY sequence DESC LIMIT 1"),
      [`${second.version},${candidates[0].version},better in March`],
    )
  })

  it("archives and tells nothing when the same run is released again: it is champion already", async () => {
    const told = async () => {
      const { out } = await Sample.dandori(project, "worm", "verify", "--json")
      const { chains } = Sample.ndjson(out)[0]
      const lines = await Fs.readFile(join(project.home, "logs/notifications.ndjson"), "utf8")
      return [chains.find(({ recordType }: any) => recordType === "model_publish").records, lines.split("\n").length]
    }
    const before = await told()
    const released = await run("release", { run: candidates[1].run, reason: "once more" })
    assert.strictEqual(released.code, 16, released.out + released.err)
    await agree(released.id, "deploy")
    assert.deepStrictEqual(await told(), before)
    assert.deepStrictEqual(await statuses(), ["archived", "deployed"])
  })

  it("does not go back to a version whose bytes are damaged: nothing is switched", async () => {
    const [first] = candidates
    const theta = join(project.folder, ".dandori/models", first.version, "theta.yaml")
    const whole = await Fs.readFile(theta)
    await Fs.chmod(theta, 0o644)
    await Fs.writeFile(theta, `${whole.toString()}# one more line\n`)
    const refused = await run("rollback", { slot, reason: "wrong signals" })
    assert.strictEqual(refused.code, 1, refused.out)
    assert.match(refused.out, /theta\.yaml/)
    assert.isTrue(await halted())
    assert.deepStrictEqual(await statuses(), ["archived", "deployed"])
    await Fs.writeFile(theta, whole)
    await Fs.chmod(theta, 0o444)
  })

  it("goes back to the version before, on the receipts of its own release, and acts again when a person agrees", async () => {
    const { code, err, id, out } = await run("rollback", { slot, reason: "wrong signals" })
    assert.strictEqual(code, 16, out + err)
    assert.deepStrictEqual(await statuses(), ["deployed", "rolled_back"])
    assert.isTrue(await halted())
    await agree(id, "resume")
    assert.isFalse(await halted())
    const verified = await Sample.dandori(project, "ledger", "verify", "--registry")
    assert.strictEqual(verified.code, 0, verified.out + verified.err)
    const history = await Sample.dandori(project, "model", "history", "--slot", slot, "--json")
    assert.strictEqual(history.code, 0, history.err)
    for (const { version } of candidates) assert.include(history.out, version)
  })

  it("does not go back a second time to what was taken out, and says how to name another version", async () => {
    const { code, err, out } = await run("rollback", { slot, reason: "still wrong" })
    assert.strictEqual(code, 1, out + err)
    assert.match(out, /is rolled_back, and so not what to go back to; no other one was deployed before: release one/)
    assert.deepStrictEqual(await statuses(), ["deployed", "rolled_back"])
  })
})
