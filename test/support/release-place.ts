import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Sdk from "@aws-sdk/client-s3"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { projectOn } from "./database-chaos.ts"
import * as Sample from "./sample-project.ts"
import * as Chat from "./servers/chat-server.ts"
import * as Postgres from "./servers/postgres.ts"
import * as Redis from "./servers/redis.ts"
import * as S3 from "./servers/s3.ts"

/** Servers that may go away and come back. */
export type ServerName = "postgres" | "redis" | "s3"
export const serverNames = ["postgres", "redis", "s3"] as const

/** A server as it is at the moment; each of them starts again on its port with its data. */
export interface Restarted {
  readonly stop: (signal?: NodeJS.Signals) => Promise<unknown>
  readonly again: () => Promise<Restarted>
}

/** A project on a PostgreSQL, a Redis, an S3 server, a Slack and a PagerDuty of its own. */
export interface Place {
  /** Where the servers have their data. */
  readonly folder: string
  readonly project: Sample.SampleProject
  readonly servers: Record<ServerName, Restarted>
  readonly postgres: string
  readonly redis: string
  readonly chat: Chat.ChatServer
  /** A client of S3 that knows nothing of Dandori. */
  readonly s3: Sdk.S3
  /** Stops the servers; removes what there is, unless it is kept. */
  readonly close: (keep: boolean) => Promise<void>
}

/** A seed for the trainer makes another model of the same data, whose checks and receipts are cached. */
const gated = `version: 1
id: gated
params:
  seed: { type: integer, default: 0 }
tasks:
  seed:
    uses: seed
    with: { symbols: [EURUSD, GBPUSD], timeframe: 1h, expectations: samples/expectations.yaml, months: { from: '2024-01', to: '2025-12' } }
  dq:
    uses: dq
    with: { dataset: '\${{ tasks.seed.dataset }}', expectations: samples/expectations.yaml }
    cache: true
  train:
    uses: train
    with: { dataset: '\${{ tasks.dq.dataset }}', trainer: { kind: builtin, model: logistic }, seed: '\${{ params.seed }}' }
  backtest:
    uses: backtest
    with: { model: '\${{ tasks.train.model }}' }
`

const sections = (endpoint: string, chat: Chat.ChatServer): Readonly<Record<string, string>> => ({
  messaging: "backend: redis\nurl: ${file:secrets/redis}\n",
  storage: `s3: { endpoint: '${endpoint}', region: us-east-1, path_style: true }
offsite:
  bucket: \${file:secrets/bucket}
  worm_location: s3://audit/worm
  storage_class: GLACIER_IR
  rds_instance: none
  rds_snapshot_prefix: none
  ebs_tag: none
`,
  notifications: `channels:
  risk-alerts: { routes: [{ to: slack, channel: '#risk-alerts' }] }
  ml-ops: { routes: [{ to: slack, channel: '#ml-ops' }] }
  analytics-info: { routes: [{ to: slack, channel: '#analytics-info' }] }
  config-changes: { routes: [{ to: slack, channel: '#config-changes' }] }
  on-call: { routes: [{ to: pagerduty }] }
slack: { webhook: '\${file:secrets/webhook}' }
pagerduty: { routing_key: '\${file:secrets/routing}', url: '${chat.url}/v2/enqueue' }
`,
})

/** What a project needs to work on all of these servers, in its environment dev. */
const configure = async (project: Sample.SampleProject, redis: string, endpoint: string, chat: Chat.ChatServer) => {
  const secrets = { redis, bucket: "s3://backups/dandori", webhook: chat.webhook, routing: chat.routingKey }
  for (const [name, value] of Object.entries(secrets)) {
    await Fs.writeFile(join(project.folder, "secrets", name), value, { mode: 0o600 })
  }
  for (const [name, text] of Object.entries(sections(endpoint, chat))) {
    await Fs.writeFile(join(project.folder, "configs/envs/dev", `${name}.yaml`), text)
  }
  await Fs.writeFile(join(project.folder, "pipelines/gated.yaml"), gated)
  await Fs.mkdir(join(project.user, ".aws"))
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key } = S3.env
  const credentials = `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${key}\n`
  await Fs.writeFile(join(project.user, ".aws/credentials"), credentials)
}

/** Starts the servers and makes the project. */
export const open = async (): Promise<Place> => {
  const folder = await Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "release chaos ")))
  // PostgreSQL may run as another user.
  await Fs.chmod(folder, 0o711)
  const place = async (name: string) => {
    const path = join(folder, name)
    await Fs.mkdir(path)
    return path
  }
  const scope = Scope.makeUnsafe()
  const [postgres, redis, s3, chat] = await Promise.all([
    Postgres.start(await place("database")),
    Redis.start(await place("redis")),
    S3.start(await place("s3")),
    Effect.runPromise(Scope.provide(Chat.start, scope)),
  ])
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region } = S3.env
  const credentials = { accessKeyId, secretAccessKey }
  const sdk = new Sdk.S3({ endpoint: s3.endpoint, region, forcePathStyle: true, credentials })
  await sdk.createBucket({ Bucket: "audit", ObjectLockEnabledForBucket: true })
  for (const Bucket of ["models", "backups"]) await sdk.createBucket({ Bucket })
  const project = await projectOn(postgres.url)
  await configure(project, redis.url, s3.endpoint, chat)
  const servers: Record<ServerName, Restarted> = { postgres, redis, s3 }
  const close = async (keep: boolean) => {
    await Promise.all(serverNames.map((name) => servers[name].stop("SIGINT")))
    await Effect.runPromise(Scope.close(scope, Exit.void))
    if (keep) return
    await Sample.remove(project)
    await Fs.rm(folder, { recursive: true, force: true })
  }
  return { folder, project, servers, postgres: postgres.url, redis: redis.url, chat, s3: sdk, close }
}
