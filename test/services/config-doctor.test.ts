import { fileURLToPath } from "node:url"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import Redis from "ioredis"
import * as ConfigDoctor from "../../src/services/config-doctor.ts"
import * as Servers from "../support/servers/scoped.ts"

const shipped = fileURLToPath(new URL("../../configs", import.meta.url))

const projectWith = (files: Record<string, string>) => {
  const project = mkdtempSync(join(tmpdir(), "dandori-doctor-"))
  cpSync(shipped, join(project, "configs"), { recursive: true })
  for (const [file, text] of Object.entries(files)) writeFileSync(join(project, file), text)
  return project
}

const storage = readFileSync(join(shipped, "base/storage.yaml"), "utf8")
const wrong = (findings: ReadonlyArray<ConfigDoctor.Finding>) => findings.filter(({ level }) => level !== "ok")

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
      const findings = yield* ConfigDoctor.diagnose(projectWith({}), "dev", {})
      assert.deepStrictEqual(wrong(findings), [])
      assert.strictEqual(findings.filter(({ section }) => section === "storage").length, 6)
    }),
  )

  it.effect("finds exactly the secrets and the volumes that prod lacks, each by name", () =>
    Effect.gen(function* () {
      const findings = wrong(yield* ConfigDoctor.diagnose(projectWith({}), "prod", {}))
      assert.deepStrictEqual([...new Set(findings.map(({ level }) => level))], ["missing"])
      const secrets = findings.flatMap(({ what }) => /\$\{env:(\w+)\}/.exec(what)?.[1] ?? [])
      const names = ["S3_BUCKET", "POSTGRES_URL", "REDIS_URL", "SLACK_WEBHOOK_URL", "PAGERDUTY_INTEGRATION_KEY"]
      assert.deepStrictEqual(secrets, names)
      const roots = findings.flatMap(({ what }) => /^(\w+_root): the folder (\S+)/.exec(what)?.[2] ?? [])
      const folders = ["canonical", "features", "snapshots", "models", "worm", "backups"]
      assert.deepStrictEqual(
        roots,
        folders.map((folder) => `/mnt/prod/ml-assets-core/${folder}`),
      )
      assert.strictEqual(findings.length, secrets.length + roots.length)
      assert.isTrue(findings.every(({ fix }) => fix !== ""))
    }),
  )

  it.live("says which server answers, which does not, and what is no URL, without showing a secret", () =>
    Effect.gen(function* () {
      const open = yield* server
      const closed = yield* Effect.scoped(server)
      const findings = yield* ConfigDoctor.diagnose(
        projectWith({ "configs/envs/prod/storage.yaml": storage }),
        "prod",
        {
          POSTGRES_URL: `postgres://user:hunter2@127.0.0.1:${open.port}/x`,
          REDIS_URL: `redis://:hunter2@127.0.0.1:${closed.port}`,
          SLACK_WEBHOOK_URL: "hunter2",
          PAGERDUTY_INTEGRATION_KEY: "hunter2",
        },
      )
      const of = (key: string) => findings.find(({ what }) => what.startsWith(`${key}:`))
      assert.strictEqual(of("dsn")?.level, "ok")
      assert.strictEqual(of("url")?.level, "error")
      assert.include(of("url")?.what, `Redis at 127.0.0.1:${closed.port} cannot be used`)
      assert.strictEqual(of("slack.webhook")?.level, "error")
      assert.strictEqual(of("pagerduty.routing_key")?.level, "ok")
      assert.notInclude(JSON.stringify(findings), "hunter2")
    }),
  )

  it.live("asks a Redis as one that is used: a wrong password is told, and the right one is enough", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownRedis
      const project = projectWith({ "configs/envs/dev/messaging.yaml": "backend: redis\n" })
      const asked = (url: string) =>
        Effect.map(ConfigDoctor.diagnose(project, "dev", { REDIS_URL: url }), (findings) =>
          findings.filter(({ section }) => section === "messaging"),
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
      assert.deepInclude(wrong, { level: "error", fix: "correct messaging.url" })
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
      const findings = wrong(yield* ConfigDoctor.diagnose(project, "dev", {}))
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

  it.effect("gives each problem of a configuration that does not load, with the place to mend", () =>
    Effect.gen(function* () {
      const project = projectWith({ "configs/envs/dev/dq.yaml": "strikt: true\n" })
      assert.deepStrictEqual(yield* ConfigDoctor.diagnose(project, "dev", {}), [
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
