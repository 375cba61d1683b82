import { fileURLToPath } from "node:url"
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import Redis from "ioredis"
import * as ConfigDoctor from "../../src/services/config-doctor.ts"
import type { Finding } from "../../src/services/config-finding.ts"
import * as Servers from "../support/servers/scoped.ts"

// A machine without credentials of AWS, wherever the tests run.
for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"]) {
  delete process.env[name]
}
process.env.AWS_EC2_METADATA_DISABLED = "true"
process.env.AWS_SHARED_CREDENTIALS_FILE = "/dev/null"
process.env.AWS_CONFIG_FILE = "/dev/null"

const shipped = fileURLToPath(new URL("../../configs", import.meta.url))

const projectWith = (files: Record<string, string>) => {
  const project = mkdtempSync(join(tmpdir(), "dandori-doctor-"))
  cpSync(shipped, join(project, "configs"), { recursive: true })
  for (const [file, text] of Object.entries(files)) writeFileSync(join(project, file), text)
  return project
}

const storage = readFileSync(join(shipped, "base/storage.yaml"), "utf8")
const wrong = (findings: ReadonlyArray<Finding>) => findings.filter(({ level }) => level !== "ok")

const diagnose = (project: string, env: string, environment: Record<string, string>) =>
  ConfigDoctor.diagnose(project, env, { environment: { PATH: process.env.PATH, ...environment } })

/** A server on a free port of this machine for as long as the scope. */
const server = Effect.acquireRelease(
  Effect.callback<{ port: number; close: () => void }>((resume) => {
    const listening = createServer((socket) => socket.end())
    listening.listen(0, "127.0.0.1", () =>
      resume(Effect.succeed({ port: (listening.address() as AddressInfo).port, close: () => listening.close() })),
    )
  }),
  ({ close }) => Effect.sync(close),
)

describe("diagnose", () => {
  it.effect("finds dev complete on a bare machine", () =>
    Effect.gen(function* () {
      const findings = yield* diagnose(projectWith({}), "dev", {})
      assert.deepStrictEqual(wrong(findings), [])
      assert.strictEqual(findings.filter(({ section }) => section === "storage").length, 6)
    }),
  )

  it.effect("finds exactly the secrets and the volumes that prod lacks, each by name", () =>
    Effect.gen(function* () {
      const project = projectWith({})
      const findings = wrong(yield* diagnose(project, "prod", {}))
      assert.deepStrictEqual([...new Set(findings.map(({ level }) => level))], ["missing"])
      const secrets = findings.flatMap(({ what }) => /\$\{env:(\w+)\}/.exec(what)?.[1] ?? [])
      const names = ["S3_BUCKET", "POSTGRES_URL", "REDIS_URL", "SLACK_WEBHOOK_URL", "PAGERDUTY_INTEGRATION_KEY"]
      assert.deepStrictEqual(secrets, names)
      for (const { fix, section, what } of findings.filter(({ what }) => what.includes("${env:"))) {
        const key = what.slice(0, what.indexOf(":"))
        const place = /\((\S+) in (configs\/\S+\.yaml):(\d+)\)$/.exec(fix)
        assert.strictEqual(place?.[1], `${section}.${key}`)
        const line = readFileSync(join(project, place?.[2] ?? ""), "utf8").split("\n")[Number(place?.[3]) - 1]
        assert.include(line, `${key.split(".").at(-1)}: ${/\$\{env:\w+\}/.exec(what)?.[0]}`)
      }
      const away = findings.flatMap(({ fix }) => /AWS_REGION|AWS_ACCESS_KEY_ID/.exec(fix)?.[0] ?? [])
      assert.sameMembers(away, ["AWS_REGION", "AWS_ACCESS_KEY_ID"])
      const roots = findings.flatMap(({ what }) => /^(\w+_root): the folder (\S+)/.exec(what)?.[2] ?? [])
      const folders = ["canonical", "features", "snapshots", "models", "worm", "backups"]
      assert.deepStrictEqual(
        roots,
        folders.map((folder) => `/mnt/prod/ml-assets-core/${folder}`),
      )
      assert.strictEqual(findings.length, secrets.length + roots.length + away.length)
      assert.isTrue(findings.every(({ fix }) => fix !== ""))
    }),
  )

  it.live("says which server does not answer, and what is no URL or no key, without showing a secret", () =>
    Effect.gen(function* () {
      const closed = yield* Effect.scoped(server)
      const findings = yield* diagnose(projectWith({ "configs/envs/prod/storage.yaml": storage }), "prod", {
        POSTGRES_URL: `postgres://user:hunter2@127.0.0.1:${closed.port}/x`,
        REDIS_URL: `redis://:hunter2@127.0.0.1:${closed.port}`,
        SLACK_WEBHOOK_URL: "hunter2",
        PAGERDUTY_INTEGRATION_KEY: "hunter2hunter2",
      })
      const of = (key: string) => findings.find(({ what }) => what.startsWith(`${key}:`))
      assert.strictEqual(of("dsn")?.level, "unavailable")
      assert.include(of("dsn")?.what, `PostgreSQL 127.0.0.1:${closed.port}/x`)
      assert.strictEqual(of("url")?.level, "unavailable")
      assert.include(of("url")?.what, `Redis at 127.0.0.1:${closed.port} cannot be used`)
      assert.strictEqual(of("slack.webhook")?.level, "error")
      assert.strictEqual(of("pagerduty.routing_key")?.level, "error")
      assert.include(of("pagerduty.routing_key")?.what, "32 letters and digits")
      assert.notInclude(JSON.stringify(findings), "hunter2")
    }),
  )

  it.live("connects to where alarms and messages go, and sends nothing", () =>
    Effect.gen(function* () {
      const received: Array<string> = []
      const { port } = yield* Effect.acquireRelease(
        Effect.callback<{ port: number; close: () => void }>((resume) => {
          const listening = createServer((socket) => socket.on("data", (bytes) => received.push(String(bytes))))
          listening.listen(0, "127.0.0.1", () =>
            resume(Effect.succeed({ port: (listening.address() as AddressInfo).port, close: () => listening.close() })),
          )
        }),
        ({ close }) => Effect.sync(close),
      )
      const base = readFileSync(join(shipped, "base/notifications.yaml"), "utf8")
      const project = projectWith({
        "configs/base/notifications.yaml": base.replace("https://events.pagerduty.com", `http://127.0.0.1:${port}`),
        "configs/envs/dev/notifications.yaml": "timeout: 2s\n",
      })
      const webhook = (url: string) => ({ SLACK_WEBHOOK_URL: url, PAGERDUTY_INTEGRATION_KEY: "a1".repeat(16) })
      const own = yield* diagnose(project, "dev", webhook(`https://127.0.0.1:${port}/hooks/plantedWebhook`))
      const told = own.filter(({ section }) => section === "notifications")
      assert.deepStrictEqual(
        told.map(({ level }) => level),
        ["ok", "ok"],
      )
      assert.match(told[0].what, /no message was sent, so whether the webhook is known there was not tried$/)
      assert.match(told[1].what, /no alarm was sent, so whether the key of \$\{env:\w+\} is known there was not tried$/)
      assert.notMatch(JSON.stringify(own), /plantedWebhook|a1a1/)
      assert.deepStrictEqual(received, [])
      const [slack] = wrong(yield* diagnose(project, "dev", webhook("https://hooks.slack.com/services/T0/x")))
      assert.deepInclude(slack, { section: "notifications", level: "error" })
      assert.include(slack.what, "is no webhook of Slack's")
    }).pipe(Effect.scoped),
  )

  it.live("asks a Redis as one that is used: a wrong password is told, and the right one is enough", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownRedis
      const project = projectWith({ "configs/envs/dev/messaging.yaml": "backend: redis\n" })
      const asked = (url: string) =>
        Effect.map(diagnose(project, "dev", { REDIS_URL: url }), (findings) =>
          findings.filter(({ section, what }) => section === "messaging" && what.startsWith("url:")),
        )
      yield* Effect.promise(async () => {
        const admin = new Redis(server.url, { retryStrategy: null })
        await admin.config("SET", "requirepass", "hunter2hunter2")
        admin.disconnect()
      })
      const at = `Redis at 127.0.0.1:${server.port}`
      const right = server.url.replace("//", "//:hunter2hunter2@")
      assert.deepStrictEqual(yield* asked(right), [
        { section: "messaging", level: "ok", what: `url: ${at} answers`, fix: "" },
      ])
      const [wrong] = yield* asked(server.url.replace("//", "//:hunter3hunter3@"))
      assert.deepInclude(wrong, { level: "error", fix: "correct what ${env:REDIS_URL} holds (messaging.url)" })
      assert.include(wrong.what, `url: ${at} cannot be used: WRONGPASS`)
      assert.notInclude(JSON.stringify(wrong), "hunter")
    }).pipe(Effect.scoped),
  )

  it.effect("finds a root that is a file, a secret that others may read, and a cost of no pair's symbol", () =>
    Effect.gen(function* () {
      const project = projectWith({
        "configs/envs/dev/database.yaml": "backend: postgres\ndsn: ${file:dsn}\ntimeout: 50ms\n",
        "configs/envs/dev/cost_table.yaml": "symbols: { EURUDS: { spread_bps: 4 } }\n",
        dsn: "not a url",
      })
      mkdirSync(join(project, ".dandori"))
      writeFileSync(join(project, ".dandori/models"), "")
      const findings = wrong(yield* diagnose(project, "dev", {}))
      assert.deepStrictEqual(
        findings.map(({ level, section }) => [section, level]),
        [
          ["storage", "error"],
          ["database", "error"],
          ["database", "warning"],
          ["cost_table", "warning"],
        ],
      )
      assert.strictEqual(findings[2].fix, `chmod 600 ${join(project, "dsn")}`)
    }),
  )

  it.live("finds a folder of notifications that is a file, and a program of backups that is not there", () =>
    Effect.gen(function* () {
      const project = projectWith({
        "configs/envs/dev/messaging.yaml": "backend: redis\nurl: ${file:url}\n",
        url: "redis://127.0.0.1:1/0",
      })
      chmodSync(join(project, "url"), 0o600)
      mkdirSync(join(project, ".dandori"))
      writeFileSync(join(project, ".dandori/logs"), "")
      const findings = wrong(yield* diagnose(project, "dev", { PATH: project }))
      const [logs, url, tools] = findings
      assert.deepInclude(logs, { section: "notifications", level: "error" })
      assert.strictEqual(logs.what, `files: ${join(project, ".dandori/logs")} is not a folder`)
      assert.deepInclude(url, { section: "messaging", level: "unavailable" })
      assert.deepInclude(tools, { section: "messaging", level: "warning" })
      assert.include(tools.fix, "apt-get install redis-tools")
      assert.strictEqual(findings.length, 3)
    }),
  )

  it.effect("gives each problem of a configuration that does not load, with the place to mend", () =>
    Effect.gen(function* () {
      const project = projectWith({ "configs/envs/dev/dq.yaml": "strikt: true\n" })
      assert.deepStrictEqual(yield* diagnose(project, "dev", {}), [
        {
          section: "dq",
          level: "error",
          what: "dq.strikt is not a known key",
          fix: "correct configs/envs/dev/dq.yaml:1:1",
        },
      ])
    }),
  )
})
