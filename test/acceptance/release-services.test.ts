import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { projectOn } from "../support/database-chaos.ts"
import * as Chat from "../support/servers/chat-server.ts"
import * as Install from "../support/servers/install.ts"
import type { Postgres } from "../support/servers/postgres.ts"
import type { Redis } from "../support/servers/redis.ts"
import * as S3 from "../support/servers/s3.ts"
import * as Servers from "../support/servers/scoped.ts"
import * as Sample from "../support/sample-project.ts"

const scope = Scope.makeUnsafe()
const start = <A>(server: Effect.Effect<A, never, Scope.Scope>) => Effect.runPromise(Scope.provide(server, scope))
const password = "planted-in-the-dsn"

let postgres: Postgres
let redis: Redis
let s3: S3.S3
let chat: Chat.ChatServer
let project: Sample.SampleProject
/** The AWS command line, which knows nothing of Dandori. */
let aws: (...words: ReadonlyArray<string>) => Promise<any>
let release: { readonly id: string; readonly version: string; readonly out: string }
/** What `redis-cli` hears on the channel of operations. */
const heard: Array<string> = []

const psql = async (query: string) =>
  (await Bun.$`psql ${postgres.url} --no-psqlrc --csv --tuples-only -c ${query}`.text()).trim().split("\n")

const configure = async () => {
  const dev = join(project.folder, "configs/envs/dev")
  const secret = (name: string, value: string) =>
    Fs.writeFile(join(project.folder, "secrets", name), value, { mode: 0o600 })
  await secret("dsn", postgres.url.replace("dandori@", `dandori:${password}@`))
  await secret("redis", redis.url)
  await secret("bucket", "s3://backups/dandori")
  await secret("webhook", chat.webhook)
  await secret("routing", chat.routingKey)
  await Fs.writeFile(join(dev, "messaging.yaml"), "backend: redis\nurl: ${file:secrets/redis}\n")
  await Fs.writeFile(
    join(dev, "storage.yaml"),
    `s3: { endpoint: '${s3.endpoint}', region: us-east-1, path_style: true }
offsite:
  bucket: \${file:secrets/bucket}
  worm_location: s3://audit/worm
  storage_class: GLACIER_IR
  rds_instance: none
  rds_snapshot_prefix: none
  ebs_tag: none
`,
  )
  await Fs.writeFile(
    join(dev, "notifications.yaml"),
    `channels:
  risk-alerts: { routes: [{ to: slack, channel: '#risk-alerts' }] }
  ml-ops: { routes: [{ to: slack, channel: '#ml-ops' }] }
  analytics-info: { routes: [{ to: slack, channel: '#analytics-info' }] }
  config-changes: { routes: [{ to: slack, channel: '#config-changes' }] }
  on-call: { routes: [{ to: pagerduty }] }
slack: { webhook: '\${file:secrets/webhook}' }
pagerduty: { routing_key: '\${file:secrets/routing}', url: '${chat.url}/v2/enqueue' }
`,
  )
  // The keys of S3, as the SDK finds them without Dandori's help.
  await Fs.mkdir(join(project.user, ".aws"))
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key } = S3.env
  await Fs.writeFile(
    join(project.user, ".aws/credentials"),
    `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${key}\n`,
  )
}

const run = async (...args: ReadonlyArray<string>) => {
  const said = await Sample.dandori(project, ...args)
  return { ...said, id: /run ([0-9a-f-]{36})/.exec(said.out + said.err)?.[1] ?? "" }
}

beforeAll(async () => {
  const python = await Install.python("awscli-1.45.11", ["awscli==1.45.11"])
  ;[postgres, redis, s3, chat] = await Promise.all([
    start(Servers.ownPostgres()),
    start(Servers.ownRedis),
    start(Servers.ownS3),
    start(Chat.start),
  ])
  aws = async (...words) => {
    // By its interpreter: in a path with a space the script's first line names none.
    const text =
      await Bun.$`${join(python, "python")} ${join(python, "aws")} --endpoint-url ${s3.endpoint} --output json ${words}`
        .env({ ...process.env, ...S3.env, AWS_DEFAULT_REGION: "us-east-1" })
        .text()
    return text.trim() === "" ? undefined : JSON.parse(text)
  }
  await aws("s3api", "create-bucket", "--bucket", "audit", "--object-lock-enabled-for-bucket")
  for (const bucket of ["models", "backups"]) await aws("s3api", "create-bucket", "--bucket", bucket)
  project = await projectOn(postgres.url)
  await configure()

  const listener = Bun.spawn(["redis-cli", "-u", redis.url, "SUBSCRIBE", "core:ops:events"], { stdout: "pipe" })
  const listening = Promise.withResolvers<void>()
  void (async () => {
    for await (const chunk of listener.stdout) {
      heard.push(new TextDecoder().decode(chunk))
      listening.resolve()
    }
  })()
  await listening.promise
  await Effect.runPromise(
    Scope.addFinalizer(
      scope,
      Effect.sync(() => listener.kill()),
    ),
  )

  const candidate = await run("run", "pipelines/backtest.yaml")
  assert.strictEqual(candidate.code, 0, candidate.err)
  const params = { run: candidate.id, reason: "the first release", copies: '["s3://models/releases"]' }
  const given = Object.entries(params).flatMap(([name, value]) => ["--param", `${name}=${value}`])
  const waiting = await run("run", "pipelines/release.yaml", ...given)
  assert.strictEqual(waiting.code, 16, waiting.out + waiting.err)
  const approved = await run("runs", "approve", waiting.id, "deploy", "--yes")
  assert.strictEqual(approved.code, 0, approved.out + approved.err)
  const resumed = await run("runs", "resume", waiting.id)
  assert.strictEqual(resumed.code, 0, resumed.out + resumed.err)
  const [version] = await psql("SELECT version FROM core.model_registry")
  const out = [candidate, waiting, approved, resumed].map((said) => said.out + said.err).join("")
  release = { id: waiting.id, version, out }
}, 240_000)

afterAll(async () => {
  await Sample.remove(project)
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

describe("a release on PostgreSQL, Redis, S3, Slack and PagerDuty", () => {
  it("leaves the deployed row and its audit, as psql sees them", async () => {
    assert.deepStrictEqual(await psql("SELECT status FROM core.model_registry"), ["deployed"])
    assert.deepStrictEqual(await psql("SELECT to_status FROM audit.model_registry_events ORDER BY sequence"), [
      "candidate",
      "approved",
      "deployed",
    ])
    assert.deepStrictEqual(await psql("SELECT count(*) FROM core.outbox WHERE delivered IS NULL"), ["0"])
  })

  it("signals the processes that serve, as redis-cli hears it", () => {
    const said = heard.join("")
    assert.include(said, "model.deployed")
    assert.include(said, release.version)
  })

  it("has the version's files in the bucket, byte for byte, as the AWS command line reads them", async () => {
    const listed = await aws(
      "s3api",
      "list-objects-v2",
      "--bucket",
      "models",
      "--prefix",
      `releases/${release.version}/`,
    )
    const names = (listed.Contents as ReadonlyArray<{ readonly Key: string }>).map(({ Key }) =>
      Key.split("/").slice(2).join("/"),
    )
    const folder = join(project.folder, ".dandori/models", release.version)
    assert.deepStrictEqual(names.toSorted(), [...(await Sample.filesBelow(folder))])
    const copy = join(project.temporary, "theta.yaml")
    await aws("s3api", "get-object", "--bucket", "models", "--key", `releases/${release.version}/theta.yaml`, copy)
    assert.deepStrictEqual(await Fs.readFile(copy), await Fs.readFile(join(folder, "theta.yaml")))
  })

  it("has its write-once record in a folder and in a bucket under Object Lock", async () => {
    const listed = await aws("s3api", "list-objects-v2", "--bucket", "audit", "--prefix", "worm/model_publish/")
    const keys = (listed.Contents as ReadonlyArray<{ readonly Key: string }>).map(({ Key }) => Key)
    const record = keys.find((key) => /model_publish_.*\.json$/.test(key)) ?? ""
    const { Retention } = await aws("s3api", "get-object-retention", "--bucket", "audit", "--key", record)
    assert.strictEqual(Retention.Mode, "GOVERNANCE")
    assert.isAbove(Date.parse(Retention.RetainUntilDate), Date.now() + 4 * 365 * 86_400_000)
    const verified = await run("worm", "verify")
    assert.strictEqual(verified.code, 0, verified.out + verified.err)
    assert.match(verified.out, /intact .*s3:\/\/audit\/worm/)
  })

  it("is told to people on Slack after it has happened, as the ledger has it", async () => {
    const told = chat.slack().map((body) => JSON.stringify(body))
    assert.isTrue(
      told.some((text) => text.includes(`${release.version} is champion of EURUSD-GBPUSD/1h`)),
      told.join("\n"),
    )
    const [moved] = await psql("SELECT at AT TIME ZONE 'UTC' FROM core.alias_history")
    const system = Sample.ndjson((await run("ledger", "show", "system", "--json")).out)
    const delivered = system.find(({ type }) => type === "dev.dandori.notification.delivered.v1")
    assert.isDefined(delivered)
    assert.isAbove(Date.parse(delivered?.time), Date.parse(`${moved.replace(" ", "T")}Z`))
    const story = Sample.ndjson((await run("ledger", "show", release.id, "--json")).out)
      .filter(({ type }) => type === "dev.dandori.attempt.succeeded.v1" || type === "dev.dandori.approval.granted.v1")
      .map(({ data, type }) => (type.includes("approval") ? `approval of ${data.task}` : data.task))
    assert.deepStrictEqual(story, [
      "model",
      "preflight",
      "register",
      "distribute",
      "verify",
      "approval of deploy",
      "deploy",
      "archive",
      "tell",
    ])
  })

  it("pages somebody when a rollback fails, and halts before it does anything else, as redis-cli reads it", async () => {
    const failed = await run(
      "run",
      "pipelines/rollback.yaml",
      "--param",
      "slot=EURUSD-GBPUSD/1h",
      "--param",
      "reason=there is none to go back to",
    )
    assert.strictEqual(failed.code, 1, failed.out + failed.err)
    assert.match(failed.out, /no version was deployed before/)
    const flag = await Bun.$`redis-cli -u ${redis.url} HGET core:ops:flags global_halt`.text()
    assert.strictEqual(flag.trim(), "1")
    assert.isAbove(chat.pagerDuty().length, 0)
    assert.deepStrictEqual(await psql("SELECT status FROM core.model_registry"), ["deployed"])
  })

  it("bears out registry and ledger by each other, and shows no secret anywhere", async () => {
    const verified = await run("ledger", "verify", "--registry")
    assert.strictEqual(verified.code, 0, verified.out + verified.err)
    const planted = [password, chat.routingKey, new URL(chat.webhook).pathname, S3.env.AWS_SECRET_ACCESS_KEY + "-never"]
    for (const secret of planted) {
      assert.notInclude(release.out, secret)
      assert.strictEqual(await Bun.$`grep -rlF ${secret} ${project.home}`.nothrow().text(), "")
    }
    assert.deepStrictEqual(await psql(`SELECT count(*) FROM ledger.events WHERE line LIKE '%${password}%'`), ["0"])
  })
})
