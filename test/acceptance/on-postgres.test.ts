import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Postgres } from "../support/servers/postgres.ts"
import * as Servers from "../support/servers/scoped.ts"
import * as Sample from "../support/sample-project.ts"

const password = "pa55word-of-the-registry"
const scope = Scope.makeUnsafe()
let server: Postgres
let project: Sample.SampleProject
let run: Sample.Said

/** What psql, a program that knows nothing of Dandori, sees. */
const psql = async (query: string) =>
  (await Bun.$`psql ${server.url} --no-psqlrc --csv --tuples-only -c ${query}`.text()).trim().split("\n")

beforeAll(async () => {
  server = await Effect.runPromise(Scope.provide(Servers.ownPostgres(), scope))
  project = await Sample.make()
  await Fs.mkdir(join(project.folder, "secrets"), { mode: 0o700 })
  await Fs.writeFile(join(project.folder, "secrets/dsn"), server.url.replace("dandori@", `dandori:${password}@`), {
    mode: 0o600,
  })
  const section = "backend: postgres\ndsn: ${file:secrets/dsn}\ntimeout: 1s\n"
  await Fs.writeFile(join(project.folder, "configs/envs/dev/database.yaml"), section)
  await Fs.writeFile(join(project.folder, "configs/envs/dev/ledger.yaml"), "store: postgres\n")
  run = await Sample.dandori(project, "run", "pipelines/sample-e2e.yaml")
}, 120_000)

afterAll(async () => {
  await Sample.remove(project)
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

describe("the sample with its registry and its ledger on PostgreSQL", () => {
  it("publishes: psql sees the deployed row, its audit events and the move of the alias", async () => {
    assert.strictEqual(run.code, 0, run.err)
    const version = /^ +model (\S+) for EURUSD-GBPUSD\/1h$/m.exec(run.out)?.[1]
    assert.deepStrictEqual(await psql("SELECT version, slot, status FROM core.model_registry"), [
      `${version},EURUSD-GBPUSD/1h,deployed`,
    ])
    assert.deepStrictEqual(
      await psql("SELECT from_status, to_status FROM audit.model_registry_events ORDER BY sequence"),
      [",candidate", "candidate,approved", "approved,deployed"],
    )
    assert.deepStrictEqual(await psql("SELECT alias, version, from_version FROM core.alias_history"), [
      `champion,${version},`,
    ])
  })

  it("answers who is champion, finds every row attested by the ledger, and changes nothing when it runs again", async () => {
    const [row] = Sample.ndjson((await Sample.dandori(project, "model", "list", "--json")).out)
    assert.strictEqual(row.status, "deployed")
    const at = await Sample.dandori(project, "model", "at", "now", "--slot", "EURUSD-GBPUSD/1h", "--json")
    assert.strictEqual(at.code, 0, at.err)
    assert.strictEqual(Sample.ndjson(at.out)[0].slots[0].move.version, row.version)
    const verified = await Sample.dandori(project, "ledger", "verify", "--registry")
    assert.strictEqual(verified.code, 0, verified.err + verified.out)
    assert.match(
      verified.out,
      /registry +4 rows of the registry, 1 publication in the ledger: each bears out the other/,
    )
    const again = await Sample.dandori(project, "run", "pipelines/sample-e2e.yaml")
    assert.strictEqual(again.code, 0, again.err)
    assert.deepStrictEqual(await psql("SELECT count(*) FROM core.model_registry"), ["1"])
    assert.deepStrictEqual(await psql("SELECT count(*) FROM core.alias_history"), ["1"])
  })

  it("finds a row that no entry testifies to, and an entry whose rows are gone", async () => {
    const copied = await Sample.copyOf(project)
    const verify = async () => {
      const said = await Sample.dandori(copied, "ledger", "verify", "--registry")
      return { code: said.code, text: said.out + said.err }
    }
    await Bun.$`psql ${server.url} -q -c ${"CREATE DATABASE other TEMPLATE postgres"}`.quiet()
    const dsn = join(copied.folder, "secrets/dsn")
    const other = (await Fs.readFile(dsn, "utf8")).replace(/postgres$/, "other")
    await Fs.writeFile(dsn, other)
    const change = (statement: string) => Bun.$`psql ${other} -q -v ON_ERROR_STOP=1 -c ${statement}`.quiet()
    assert.strictEqual((await verify()).code, 0)
    await change("ALTER TABLE core.alias_history DISABLE TRIGGER USER")
    await change(`UPDATE core.alias_history SET intent = repeat('0', 64)`)
    const unattested = await verify()
    assert.strictEqual(unattested.code, 10, unattested.text)
    assert.match(unattested.text, /row 1 of alias_history: unattested: the ledger has no entry 000000000000/)
    const tables = ["audit.model_files_events", "audit.model_registry_events", "core.model_registry"]
    for (const table of tables) {
      await change(`ALTER TABLE ${table} DISABLE TRIGGER USER`)
    }
    await change(`TRUNCATE core.alias_history, ${tables.join(", ")}`)
    const gone = await verify()
    assert.strictEqual(gone.code, 13, gone.text)
    assert.match(
      gone.text,
      /line \d+ of runs\/\S+: task publish says that it published, deployed or purged \S+, but no row of the registry does/,
    )
    await Sample.remove(copied)
  })

  it("tells in one line that the database is away, starts nothing, and goes on when it is back", async () => {
    await server.stop("SIGINT")
    for (const args of [
      ["model", "list"],
      ["runs", "list"],
      ["run", "pipelines/hello.yaml"],
    ]) {
      const { code, err, out } = await Sample.dandori(project, ...args)
      assert.strictEqual(code, 69, out + err)
      assert.match(err, /start the server, or correct host and port in the dsn/)
      assert.isFalse(Sample.hasStackTrace(err), err)
    }
    server = await server.again()
    const back = await Sample.dandori(project, "model", "list", "--json")
    assert.strictEqual(Sample.ndjson(back.out).length, 1, back.err)
    const doctor = await Sample.dandori(project, "doctor")
    assert.match(doctor.out, /ledger +it is in PostgreSQL/)
  })

  it("keeps every stream in the database, whose bytes are those of a segment file and verify as they do", async () => {
    const streams = await psql("SELECT count(DISTINCT stream) FROM ledger.events WHERE stream LIKE 'runs/%'")
    assert.deepStrictEqual(streams, ["2"])
    const files = await Sample.filesBelow(project.home)
    assert.deepStrictEqual(
      files.filter((name) => name.endsWith(".ndjson") && name.startsWith("ledger/")),
      [],
    )
    const checkpoint = await Sample.dandori(project, "ledger", "checkpoint")
    assert.strictEqual(checkpoint.code, 0, checkpoint.err)
    const verified = await Sample.dandori(project, "ledger", "verify")
    assert.strictEqual(verified.code, 0, verified.out + verified.err)
    assert.match(verified.out, /intact +PostgreSQL/)
    const { run: id } = Sample.ndjson((await Sample.dandori(project, "runs", "list", "--json")).out)[0]
    const exported = await Sample.dandori(project, "ledger", "export", id, "exported")
    assert.strictEqual(exported.code, 0, exported.err)
    const elsewhere = await Sample.dandori(project, "ledger", "verify", "exported")
    assert.strictEqual(elsewhere.code, 0, elsewhere.out + elsewhere.err)
    const shown = await Sample.dandori(project, "ledger", "show", id, "--json")
    assert.strictEqual(shown.out, await Fs.readFile(join(project.folder, "exported/events.ndjson"), "utf8"))
  })

  it("leaves a run whose database went away when it is told to, and goes on with it when that is back", async () => {
    const slow =
      "version: 1\nid: slow\ntasks:\n  wait:\n    uses: command\n    with: { argv: [sleep, '3'], effects: idempotent }\n"
    await Fs.writeFile(join(project.folder, "pipelines/slow.yaml"), slow)
    const begun = Promise.withResolvers<void>()
    const call = Sample.start(project, ["run", "pipelines/slow.yaml"], {
      onLine: (line) => (line.includes("wait  started") ? begun.resolve() : undefined),
    })
    await begun.promise
    await server.stop("SIGINT")
    call.kill("SIGINT")
    const { code, err } = await call.said
    server = await server.again()
    assert.strictEqual(code, 74, err)
    const id = /when that is mended: dandori runs resume (\S+)/.exec(err)?.[1] ?? ""
    const resumed = await Sample.dandori(project, "runs", "resume", id)
    assert.strictEqual(resumed.code, 0, resumed.out + resumed.err)
    const verified = await Sample.dandori(project, "ledger", "verify")
    assert.strictEqual(verified.code, 0, verified.out + verified.err)
  })

  it("names the secret that is missing, before anything is connected to", async () => {
    await Fs.rename(join(project.folder, "secrets/dsn"), join(project.folder, "secrets/away"))
    const list = await Sample.dandori(project, "model", "list")
    await Fs.rename(join(project.folder, "secrets/away"), join(project.folder, "secrets/dsn"))
    assert.notStrictEqual(list.code, 0)
    assert.match(list.err, /The secret \$\{file:secrets\/dsn\} cannot be used/)
  })

  it("shows the password nowhere", async () => {
    assert.notInclude(run.out + run.err, password)
    const found = await Bun.$`grep -rlF ${password} ${project.home}`.nothrow().text()
    assert.strictEqual(found, "")
  })
})
