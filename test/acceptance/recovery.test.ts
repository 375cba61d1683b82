import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { projectOn } from "../support/database-chaos.ts"
import type { Postgres } from "../support/servers/postgres.ts"
import type { Redis } from "../support/servers/redis.ts"
import * as S3 from "../support/servers/s3.ts"
import * as Servers from "../support/servers/scoped.ts"
import * as S3Place from "../support/s3-place.ts"
import * as Sample from "../support/sample-project.ts"

const scope = Scope.makeUnsafe()
const start = <A>(server: Effect.Effect<A, never, Scope.Scope>) => Effect.runPromise(Scope.provide(server, scope))

/** A place with servers of its own. */
interface Place {
  readonly postgres: Postgres
  readonly redis: Redis
  readonly project: Sample.SampleProject
}

let s3: S3.S3
let [backups, audit] = ["", ""]
let lost: Place
let empty: Place
let backup: Record<string, any>

const psql = async ({ postgres }: Place, query: string) =>
  (await Bun.$`psql ${postgres.url} --no-psqlrc --csv --tuples-only -c ${query}`.text()).trim()

/** Every table of the registry and the ledger as text, which psql and not Dandori writes. */
const tables = async (place: Place) => {
  const listed = await psql(
    place,
    "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('core', 'audit', 'ledger') ORDER BY 1",
  )
  const rows = listed
    .split("\n")
    .map(async (name) => `${name}\n${await psql(place, `SELECT * FROM ${name} ORDER BY 1, 2`)}`)
  return (await Promise.all(rows)).join("\n")
}

const newPlace = async (): Promise<Place> => {
  const [postgres, redis] = await Promise.all([start(Servers.ownPostgres()), start(Servers.ownRedis)])
  const project = await projectOn(postgres.url)
  const dev = join(project.folder, "configs/envs/dev")
  const secret = (name: string, value: string) =>
    Fs.writeFile(join(project.folder, "secrets", name), value, { mode: 0o600 })
  await secret("redis", redis.url)
  await secret("bucket", `s3://${backups}/ours`)
  await Fs.writeFile(join(dev, "messaging.yaml"), "backend: redis\nurl: ${file:secrets/redis}\n")
  await Fs.writeFile(
    join(dev, "storage.yaml"),
    `s3: { endpoint: '${s3.endpoint}', region: us-east-1, path_style: true }
offsite:
  bucket: \${file:secrets/bucket}
  worm_location: s3://${audit}/worm
  storage_class: GLACIER_IR
`,
  )
  await Fs.mkdir(join(project.user, ".aws"))
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key } = S3.env
  await Fs.writeFile(
    join(project.user, ".aws/credentials"),
    `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${key}\n`,
  )
  return { postgres, redis, project }
}

const succeeds = async (place: Place, ...args: ReadonlyArray<string>) => {
  const said = await Sample.dandori(place.project, ...args)
  assert.strictEqual(said.code, 0, said.out + said.err)
  return said
}

/** Runs a pipeline and gives the output of one of its tasks, from the events that it prints. */
const outputOf = async (place: Place, task: string, ...words: ReadonlyArray<string>) => {
  const { out } = await succeeds(place, "run", "--json", ...words)
  return Sample.ndjson(out).find(({ data, type }) => /attempt\.succeeded/.test(type) && data.task === task)?.data.output
}

beforeAll(async () => {
  s3 = await start(Servers.ownS3)
  const { bucket } = S3Place.at(s3.endpoint)
  ;[backups, audit] = await Effect.runPromise(Effect.all([bucket(), bucket({ lock: true })]))
  ;[lost, empty] = await Promise.all([newPlace(), newPlace()])
  await succeeds(lost, "run", "pipelines/sample-e2e.yaml")
  await succeeds(lost, "ops", "halt", "--reason", "the market is closed", "--yes")
  backup = await outputOf(lost, "snapshot", "pipelines/backup.yaml")
}, 240_000)

afterAll(async () => {
  await Sample.remove(lost?.project)
  await Sample.remove(empty?.project)
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

describe("a backup of PostgreSQL, Redis, ledger, models and records", () => {
  it("goes to the bucket with one consistency point, and is proven by restoring it", () => {
    assert.strictEqual(backup.location, `s3://${backups}/ours`)
    assert.match(backup.transaction, /^\d+:\d+:/)
    assert.isAbove(backup.head.entries, 0)
    assert.deepStrictEqual(
      backup.targets.map(({ kind }: { kind: string }) => kind),
      ["registry", "ledger", "models", "worm", "postgres", "redis"],
    )
    assert.strictEqual(backup.verification.mode, "full-restore")
    const proved = Object.fromEntries(
      backup.verification.databases.map(({ count, name }: { count: number; name: string }) => [name, count]),
    )
    assert.strictEqual(proved.registry, 1)
    assert.isAbove(proved.postgres, 10)
    assert.isAbove(proved.redis, 0)
  })
})

describe("its restore on empty servers", () => {
  let restored: Record<string, any>

  beforeAll(async () => {
    // The run that restores keeps its own ledger in files: the database is to be as it was.
    await Fs.writeFile(join(empty.project.folder, "configs/envs/dev/ledger.yaml"), "store: files\n")
    restored = await outputOf(empty, "restore", "pipelines/restore.yaml", "--param", "into=restored")
  }, 120_000)

  it("says what was lost and how long it took, and shows it on a page", async () => {
    assert.strictEqual(restored.digest, backup.digest)
    assert.isAbove(restored.rpoSeconds, 0)
    assert.isAbove(restored.rtoSeconds, 0)
    const page = restored.gate.reports.find(({ name }: { name: string }) => name === "recovery.html")
    const { sha256 } = page
    const html = await Fs.readFile(
      join(empty.project.home, "artifacts/sha256", sha256.slice(0, 2), sha256.slice(2)),
      "utf8",
    )
    assert.include(html, backup.snapshot)
    assert.include(html, "RPO")
  })

  it("has the rows of registry and ledger as they were at the consistency point, as psql sees them", async () => {
    for (const name of ["core.model_registry", "core.alias_history", "audit.model_registry_events"]) {
      const query = `SELECT * FROM ${name} ORDER BY 1`
      assert.strictEqual(await psql(empty, query), await psql(lost, query), name)
    }
    // What the backup's own run wrote after it is not in it: the ledger of before is a beginning of the one now.
    const entries = "SELECT stream, sequence, line FROM ledger.events ORDER BY 1, 2"
    const [ours, theirs] = [await psql(empty, entries), await psql(lost, entries)]
    assert.isAbove(ours.length, 0)
    for (const line of ours.split("\n")) assert.include(theirs, line)
  })

  it("has the flags of Redis, as redis-cli reads them", async () => {
    const flags = async ({ redis }: Place) =>
      JSON.parse(await Bun.$`redis-cli -u ${redis.url} --json -3 HGETALL core:ops:flags`.text())
    assert.include(JSON.stringify(await flags(empty)), "market is closed")
    assert.deepStrictEqual(await flags(empty), await flags(lost))
  })

  it("has models and records byte for byte, as diff compares them", async () => {
    for (const [name, ignored] of [
      ["models", ".publish.lock"],
      ["worm", ".locks"],
    ]) {
      const [here, there] = [join(empty.project.folder, "restored", name), join(lost.project.home, name)]
      // The record of the backup itself was written after it.
      const found = await Bun.$`diff -r --exclude ${ignored} --exclude ops ${there} ${here}`.nothrow().text()
      assert.strictEqual(found, "", name)
    }
  })

  it("has a ledger that verifies, in files and in the database, and bears out the registry", async () => {
    await succeeds(empty, "ledger", "verify", "restored/ledger")
    await Fs.writeFile(join(empty.project.folder, "configs/envs/dev/ledger.yaml"), "store: postgres\n")
    await succeeds(empty, "ledger", "verify", "--registry")
  })

  it("changes nothing the second time, and is refused where other things are", async () => {
    await Fs.writeFile(join(empty.project.folder, "configs/envs/dev/ledger.yaml"), "store: files\n")
    const after = await tables(empty)
    await succeeds(empty, "run", "pipelines/restore.yaml", "--param", "into=restored")
    assert.strictEqual(await tables(empty), after)
    await psql(empty, "DELETE FROM core.outbox; CREATE TABLE public.mine (x int)")
    const refused = await Sample.dandori(empty.project, "run", "pipelines/restore.yaml", "--param", "into=elsewhere")
    assert.strictEqual(refused.code, 1)
    assert.include(refused.out + refused.err, "restore into an empty one")
    await psql(empty, "DROP TABLE public.mine")
  })
})

describe("a drill", () => {
  it("restores the newest backup into places that are gone afterwards, and records RPO and RTO", async () => {
    const drill = await outputOf(lost, "restore", "pipelines/dr-drill.yaml")
    assert.strictEqual(drill.snapshot, backup.snapshot)
    assert.strictEqual(drill.verdict, "PASSED")
    assert.strictEqual(await psql(lost, "SELECT count(*) FROM pg_database WHERE datname LIKE 'dandori_restore_%'"), "0")
    const records = await Bun.$`grep -rl dr-drill ${join(lost.project.home, "worm/ops")}`.text()
    assert.match(records, /ops_\d{8}T/)
  })

  it("fails when more would be lost than is allowed", async () => {
    const said = await Sample.dandori(lost.project, "run", "pipelines/dr-drill.yaml", "--param", "max_rpo=1s")
    assert.strictEqual(said.code, 1)
    assert.match(said.out + said.err, /RPO is .* at most 1s is allowed|RPO .* 1s/)
  })
})
