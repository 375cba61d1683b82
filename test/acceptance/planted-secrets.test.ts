import * as Fs from "node:fs/promises"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Sdk from "@aws-sdk/client-s3"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Planted from "../support/planted.ts"
import * as Sample from "../support/sample-project.ts"
import * as Chat from "../support/servers/chat-server.ts"
import * as Echoing from "../support/servers/echoing.ts"
import type { Postgres } from "../support/servers/postgres.ts"
import type { Redis } from "../support/servers/redis.ts"
import * as S3Server from "../support/servers/s3.ts"
import * as Servers from "../support/servers/scoped.ts"

const scope = Scope.makeUnsafe()
const start = <A>(server: Effect.Effect<A, never, Scope.Scope>) => Effect.runPromise(Scope.provide(server, scope))

/** What each encoding writes differently stands around the cores, where it may. */
const odd = [`p"q\\r/s&<t>'u é☃ %`, `=+?`] as const
const secrets = {
  postgres: Planted.plant("Postgres", [`p"q\\r/s&<t>'u é %`, `=+?`]),
  wrongPostgres: Planted.plant("WrongPostgres"),
  redis: Planted.plant("Redis", [`q&<r>'é%`, `=+?`]),
  wrongRedis: Planted.plant("WrongRedis"),
  accessKey: Planted.plant("AccessKey"),
  secretKey: Planted.plant("SecretKey", ["ab+/", "=="]),
  token: Planted.plant("Token", odd),
  header: Planted.plant("Header", ["Bearer ab&<c>'\"", "~"]),
  exporter: Planted.plant("Exporter", ["Basic ab&<c>'", "=="]),
  webhook: { name: "Webhook", core: "plantedWebhookSecret1", value: "" },
  routing: { name: "Routing", core: "plantedroutingkey0123456789abcde", value: "" },
}
const all: ReadonlyArray<Planted.Planted> = Object.values(secrets)

let postgres: Postgres
let redis: Redis
let s3: S3Server.S3
let chat: Chat.ChatServer
let project: Sample.SampleProject
let echo: { readonly http: string; readonly redis: number; readonly postgres: number }
let admin: string
/** What every call said. */
const heard: Array<{ readonly call: string; readonly code: number | null; readonly text: string }> = []

const urls = () => ({
  postgres: (password: string, port: number = postgres.port) =>
    `postgres://planted:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`,
  redis: (password: string, port: number = redis.port) =>
    `redis://:${encodeURIComponent(password)}@127.0.0.1:${port}/0`,
})

const environment = (over: Record<string, string> = {}) => ({
  POSTGRES_URL: urls().postgres(secrets.postgres.value),
  REDIS_URL: urls().redis(secrets.redis.value),
  SLACK_WEBHOOK_URL: chat.webhook,
  AWS_ACCESS_KEY_ID: secrets.accessKey.value,
  AWS_SECRET_ACCESS_KEY: secrets.secretKey.value,
  AWS_ENDPOINT_URL_S3: s3.endpoint,
  S3_BUCKET: "s3://backups/dandori",
  TOKEN: secrets.token.value,
  HEADER: secrets.header.value,
  EXPORTER: secrets.exporter.value,
  ...over,
})

const call = (words: ReadonlyArray<string>, over: Record<string, string> = {}, onLine?: (line: string) => void) =>
  Sample.start(project, words, { env: environment(over), ...(onLine === undefined ? {} : { onLine }) })

const keep = (words: ReadonlyArray<string>, { code, err, out }: Sample.Said) => {
  heard.push({ call: words.join(" "), code, text: out + err })
  return { code, text: out + err, out, run: /run ([0-9a-f-]{36})/.exec(out + err)?.[1] ?? "" }
}

const dandori = async (words: ReadonlyArray<string>, over: Record<string, string> = {}) =>
  keep(words, await call(words, over).said)

/** Prints a secret as programs do: as it is, in JSON, in JSON within JSON, in a URL, in HTML, in base64 and in hex. */
const teller = `
const { TOKEN: token, OTHER: other } = process.env
const json = JSON.stringify({ token, other })
const ascii = json.replace(/[^ -~]/g, (c) => "\\\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"))
const html = token.replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c])
const bytes = Buffer.from("user:" + token + "@")
const forms = [token, other, json, JSON.stringify({ json }), ascii, json.replaceAll("/", "\\\\/"), encodeURIComponent(token),
  new URLSearchParams({ token }).toString(), html, bytes.toString("base64"), bytes.toString("base64url"), bytes.toString("hex")]
for (const form of forms) { console.log("said " + form); console.error("cried " + form) }
if (process.argv[1] === "fail") process.exit(3)
`

const pipelines = () => ({
  tell: `
  say: { uses: command, with: { argv: [bun, -e, ${JSON.stringify(teller)}], secrets: { TOKEN: '\${env:TOKEN}', OTHER: '\${file:secrets/routing}' }, effects: idempotent } }
  fails: { uses: command, needs: [say], with: { argv: [bun, -e, ${JSON.stringify(teller)}, fail], secrets: { TOKEN: '\${env:TOKEN}', OTHER: '\${env:HEADER}' }, effects: idempotent } }
  again: { uses: notify, needs: [say], with: { channel: ml-ops, text: '\${{ tasks.say.stdout }}' } }
  alarm: { uses: notify, needs: [say], with: { channel: on-call, severity: critical, text: '\${{ tasks.say.stderr }}' } }`,
  ask: `
  ask: { uses: http, with: { method: POST, url: '${echo.http}/path', body: { a: 1 }, secretHeaders: { X-Token: '\${env:HEADER}' }, expect: { status: [400] } }, retry: { attempts: 1 } }
  refused: { uses: http, with: { method: GET, url: '${echo.http}/path', secretHeaders: { X-Token: '\${env:HEADER}' }, expect: { status: [200] } }, retry: { attempts: 1 } }`,
})

const configure = async () => {
  const dev = join(project.folder, "configs/envs/dev")
  await Fs.mkdir(join(project.folder, "secrets"), { mode: 0o700 })
  await Fs.writeFile(join(project.folder, "secrets/routing"), `${chat.routingKey}\n`, { mode: 0o600 })
  const files = {
    "database.yaml": "backend: postgres\ntimeout: 2s\n",
    "ledger.yaml": "store: postgres\n",
    "messaging.yaml": "backend: redis\n",
    "exporters.yaml": `timeout: 2s
exporters:
  - { name: echo, kind: otlp, url: '${echo.http}', headers: { Authorization: '\${env:EXPORTER}' } }
`,
    "storage.yaml": `s3: { region: us-east-1, path_style: true }
offsite:
  bucket: \${env:S3_BUCKET}
  worm_location: s3://audit/worm
  storage_class: GLACIER_IR
  rds_instance: none
  rds_snapshot_prefix: none
  ebs_tag: none
`,
    "notifications.yaml": `timeout: 2s
channels:
  risk-alerts: { routes: [{ to: slack, channel: '#risk-alerts' }] }
  ml-ops: { routes: [{ to: slack, channel: '#ml-ops' }, { to: file, path: .dandori/alarms.ndjson }] }
  analytics-info: { routes: [{ to: slack, channel: '#analytics-info' }] }
  config-changes: { routes: [{ to: slack, channel: '#config-changes' }] }
  on-call: { routes: [{ to: pagerduty }, { to: file, path: .dandori/alarms.ndjson }] }
pagerduty: { routing_key: '\${file:secrets/routing}', url: '${chat.url}/v2/enqueue' }
`,
  }
  for (const [name, text] of Object.entries(files)) await Fs.writeFile(join(dev, name), text)
  for (const [id, tasks] of Object.entries(pipelines())) {
    const text = `version: 1\nid: ${id}\ntasks:${tasks}\n`
    await Fs.writeFile(join(project.folder, `pipelines/${id}.yaml`), text)
  }
}

/** A user whose password is asked for, beside the superuser of the tests. */
const withPasswords = async () => {
  const sql = async (query: string) => (await Bun.$`psql ${postgres.url} -XAtq -c ${query}`.text()).trim()
  const quoted = secrets.postgres.value.replaceAll("'", "''")
  await sql(`CREATE ROLE planted LOGIN PASSWORD '${quoted}'`)
  await sql("GRANT CREATE ON DATABASE postgres TO planted")
  const file = await sql("SHOW hba_file")
  const rule = "host all planted 127.0.0.1/32 scram-sha-256\n"
  await Fs.writeFile(file, rule + (await Fs.readFile(file, "utf8")))
  await sql("SELECT pg_reload_conf()")
  await Bun.$`redis-cli -u ${redis.url} CONFIG SET requirepass ${secrets.redis.value}`.quiet()
}

const releaseOf = (candidate: string) => {
  const params = [`run=${candidate}`, "reason=planted", 'copies=["s3://models/releases"]']
  return ["run", "pipelines/release.yaml", ...params.flatMap((param) => ["--param", param])]
}

beforeAll(async () => {
  const ports = Effect.all({ http: Echoing.http, redis: Echoing.redis, postgres: Echoing.postgres })
  const keys = { AWS_ACCESS_KEY_ID: secrets.accessKey.value, AWS_SECRET_ACCESS_KEY: secrets.secretKey.value }
  const ownS3 = Effect.acquireRelease(
    Effect.promise(() => S3Server.start(mkdtempSync(join(tmpdir(), "s3 ")), keys)),
    (server) => Effect.promise(() => server.stop("SIGINT")),
  )
  ;[postgres, redis, s3, chat, echo] = await Promise.all([
    start(Servers.ownPostgres()),
    start(Servers.ownRedis),
    start(ownS3),
    start(Chat.start),
    start(ports),
  ])
  admin = postgres.url
  const sdk = client()
  await sdk.createBucket({ Bucket: "audit", ObjectLockEnabledForBucket: true })
  for (const Bucket of ["models", "backups"]) await sdk.createBucket({ Bucket })
  project = await Sample.make()
  await configure()
  await withPasswords()

  await dandori(["config", "doctor"])
  await dandori(["config", "doctor", "--json"])
  await dandori(["config", "show", "--origin"])
  await dandori(["config", "show", "--json"])
  const wrong = {
    "a wrong password": {
      POSTGRES_URL: urls().postgres(secrets.wrongPostgres.value),
      REDIS_URL: urls().redis(secrets.wrongRedis.value),
    },
    "refused connections": {
      POSTGRES_URL: urls().postgres(secrets.postgres.value, 1),
      REDIS_URL: urls().redis(secrets.redis.value, 1),
      AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1",
    },
    "servers that echo": {
      POSTGRES_URL: urls().postgres(secrets.postgres.value, echo.postgres),
      REDIS_URL: urls().redis(secrets.redis.value, echo.redis),
      SLACK_WEBHOOK_URL: `${echo.http}/services/T0/B0/${secrets.webhook.core}`,
      AWS_ENDPOINT_URL_S3: echo.http,
    },
    "values that are no URLs": {
      POSTGRES_URL: secrets.postgres.value,
      REDIS_URL: secrets.redis.value,
      SLACK_WEBHOOK_URL: secrets.token.value,
      S3_BUCKET: secrets.token.value,
    },
  }
  for (const over of Object.values(wrong)) {
    await dandori(["config", "doctor", "--debug"], over)
    await dandori(["model", "list", "--debug"], over)
    await dandori(["doctor"], over)
    await dandori(["worm", "verify", "--debug"], over)
    await dandori(["ops", "status", "--debug"], over)
    await dandori(["ops", "halt", "--reason", "planted", "--debug"], {
      ...over,
      POSTGRES_URL: environment().POSTGRES_URL,
    })
    await dandori(["run", "hello", "--debug"], over)
  }
  await dandori(["ops", "halt", "--reason", "planted"])
  await dandori(["run", "tell", "--debug"])
  await dandori(["run", "ask", "--debug"])
  chat.script("/", Array(6).fill({ status: 500, text: `no: ${chat.routingKey} ${new URL(chat.webhook).pathname}` }))
  await dandori(["run", "tell"])
  await dandori(["run", "tell"], { SLACK_WEBHOOK_URL: `${echo.http}/services/T0/B0/${secrets.webhook.core}` })

  const candidate = await dandori(["run", "pipelines/backtest.yaml"])
  assert.strictEqual(candidate.code, 0, candidate.text)
  const release = releaseOf(candidate.run)
  // The ledger's database answers, and the others do not.
  for (const { POSTGRES_URL: _, ...over } of Object.values(wrong).slice(0, 3)) {
    await dandori([...release, "--debug"], over)
  }
  await dandori([...release, "--debug"], { AWS_SECRET_ACCESS_KEY: secrets.token.core })
  let killed = false
  const dying = call(release, {}, (line) => {
    if (/register/.test(line) && !killed) {
      killed = true
      dying.kill("SIGKILL")
    }
  })
  keep(release, await dying.said)
  const runs = Sample.ndjson((await dandori(["runs", "list", "--json"])).out)
  const run = String(runs.find(({ pipeline, status }) => pipeline === "release" && status === "interrupted")?.run)
  const waiting = await dandori(["runs", "resume", run])
  assert.strictEqual(waiting.code, 16, waiting.text)
  assert.strictEqual((await dandori(["runs", "approve", run, "deploy", "--yes"])).code, 0)
  const resumed = await dandori(["runs", "resume", run])
  assert.strictEqual(resumed.code, 0, resumed.text)
  for (const { run: each } of runs.slice(0, 5)) {
    await dandori(["runs", "show", each])
    await dandori(["runs", "logs", each])
    await dandori(["ledger", "show", each, "--json"])
  }
  await dandori(["ledger", "show", "system", "--json"])
  await dandori(["ledger", "send"])
}, 600_000)

afterAll(async () => {
  await Sample.remove(project)
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

const client = () =>
  new Sdk.S3({
    endpoint: s3.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: secrets.accessKey.value, secretAccessKey: secrets.secretKey.value },
  })

describe("planted secrets", () => {
  it("were used, and what refused them said so", () => {
    const all = heard.map(({ text }) => text).join("\n")
    for (const said of [
      /password authentication failed/,
      /WRONGPASS/,
      /ECONNREFUSED|refused/,
      /is not that of the user/,
      /unknown command/,
      /release succeeded/,
      /\[secret TOKEN\]/,
      /\[secret HEADER\]/,
    ]) {
      assert.match(all, said)
    }
    assert.isAbove(chat.slack().length, 0)
    assert.isAbove(chat.pagerDuty().length, 0)
  })

  it("stand in nothing that a command says", () => {
    assert.deepStrictEqual(
      heard.flatMap(({ call: words, text }) => Planted.foundIn(words, text, all)),
      [],
    )
  })

  it("stand in nothing that a project keeps", async () => {
    assert.isAbove((await Sample.filesBelow(project.home)).length, 20)
    assert.deepStrictEqual(await Planted.foundBelow(project.home, all), [])
    assert.deepStrictEqual(await Planted.foundBelow(project.temporary, all), [])
  })

  it("stand in nothing that the database keeps", async () => {
    const dump = await Bun.$`pg_dump ${admin} --inserts`.text()
    assert.include(dump, "dev.dandori.run.created.v1")
    assert.deepStrictEqual(Planted.foundIn("the dump", dump, all), [])
  })

  it("stand in nothing that Redis keeps", async () => {
    const file = join(project.temporary, "redis.rdb")
    const cli = ["redis-cli", "-p", String(redis.port)]
    const env = { ...process.env, REDISCLI_AUTH: secrets.redis.value }
    await Bun.$`${cli} CONFIG SET rdbcompression no`.env(env).quiet()
    await Bun.$`${cli} --rdb ${file}`.env(env).quiet()
    const saved = await Fs.readFile(file)
    assert.include(saved.toString("latin1"), "core:ops:flags")
    assert.deepStrictEqual(Planted.foundIn("Redis", saved, all), [])
  })

  it("stand in no object", async () => {
    const sdk = client()
    let objects = 0
    for (const Bucket of ["audit", "models", "backups"]) {
      const { Versions = [] } = await sdk.listObjectVersions({ Bucket })
      for (const { Key, VersionId } of Versions) {
        const version = VersionId === undefined || VersionId === "null" ? {} : { VersionId }
        const { Body, Metadata } = await sdk.getObject({ Bucket, Key, ...version })
        const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array()
        const facts = `${Key} ${JSON.stringify(Metadata)}`
        assert.deepStrictEqual(Planted.foundIn(`${Bucket}/${Key}`, bytes, all), [])
        assert.deepStrictEqual(Planted.foundIn(`${Bucket}/${Key}`, facts, all), [])
        objects++
      }
    }
    assert.isAbove(objects, 10)
  })

  it("stand in no message but where they are the key to it", () => {
    const { routing, webhook, ...others } = secrets
    for (const { body, path } of chat.received) {
      const { routing_key, ...rest } = body ?? {}
      assert.deepStrictEqual(Planted.foundIn("a message", JSON.stringify(rest), [routing, webhook]), [])
      assert.deepStrictEqual(Planted.foundIn("a message", JSON.stringify(body), Object.values(others)), [])
      assert.deepStrictEqual(Planted.foundIn("a path", path, Object.values(others)), [])
      if (routing_key !== undefined) assert.strictEqual(routing_key, chat.routingKey)
    }
  })
})
