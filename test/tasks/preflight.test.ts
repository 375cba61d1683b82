import * as Fs from "node:fs"
import { createServer, type AddressInfo, type Socket } from "node:net"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { fileURLToPath } from "node:url"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Redis } from "ioredis"
import * as Checksums from "../../src/domain/checksums.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"
import { Attempt } from "../../src/services/attempt.ts"
import * as ModelFiles from "../../src/services/model-files.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as ObjectStoreDirectory from "../../src/services/object-store-directory.ts"
import * as Postgres from "../../src/services/postgres.ts"
import * as Secrets from "../../src/services/secrets.ts"
import * as SettingsFiles from "../../src/services/settings-files.ts"
import preflight from "../../tasks/preflight/index.ts"
import { PreflightInput } from "../../tasks/preflight/schema.ts"
import * as Databases from "../support/servers/databases.ts"
import * as Servers from "../support/servers/scoped.ts"
import { freePort } from "../support/servers/server.ts"
import * as Stage from "./publish/stage.ts"
import * as Workplace from "./workplace.ts"

const shipped = fileURLToPath(new URL("../../configs", import.meta.url))
const decode = Schema.decodeUnknownSync(PreflightInput)

/** A project with the configuration that ships, and these files over its dev environment. */
const projectWith = (files: Readonly<Record<string, string>> = {}) =>
  Effect.tap(Workplace.project, (root) =>
    Effect.sync(() => {
      Stage.equip(root)
      Fs.cpSync(shipped, join(root, "configs"), { recursive: true })
      for (const [name, text] of Object.entries(files)) Fs.writeFileSync(join(root, "configs/envs/dev", name), text)
    }),
  )

const real = {
  "database.yaml": "backend: postgres\ntimeout: 2s\n",
  "messaging.yaml": "backend: redis\nsubscribe_timeout: 2s\n",
}

const given = (root: string, environment: Readonly<Record<string, string>>, log: Array<string>) =>
  Layer.unwrap(
    Effect.map(SettingsFiles.load(root, "dev"), (configuration) => {
      const attempt = Layer.provideMerge(Stage.evidence(root), Workplace.attempt(root))
      const telling = Layer.effect(
        Attempt,
        Effect.map(Attempt, (own) => ({ ...own, log: (line: string) => Effect.sync(() => void log.push(line)) })),
      )
      const base = Layer.mergeAll(
        Layer.provideMerge(Layer.merge(telling, SettingsFiles.layerOf(configuration)), attempt),
        Secrets.layer({ project: root, environment }),
        ArtifactsDirectory.layer(join(root, ".dandori", "artifacts")),
        ObjectStoreDirectory.layer,
      )
      const models = Layer.merge(RegistrySql.layerOf(configuration.sections.database), ModelFiles.layer)
      return Layer.provideMerge(models, base)
    }),
  )

const look = (
  root: string,
  input: unknown = {},
  environment: Readonly<Record<string, string>> = {},
  log: Array<string> = [],
) => preflight.run(decode(input)).pipe(Effect.provide(given(root, environment, log)), Effect.scoped)

/** What was found wrong, and the whole of the error and the log as text. */
const refused = (root: string, input?: unknown, environment?: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const log: Array<string> = []
    const error = yield* Effect.flip(look(root, input, environment, log))
    if (error._tag !== "PreflightFailed") return assert.fail(String(error))
    return { error, findings: error.findings, text: `${JSON.stringify(error)}\n${error.message}\n${log.join("\n")}` }
  })

/** A server that takes connections and says nothing; gives its port. */
const silent = Effect.acquireRelease(
  Effect.callback<{ port: number; close: () => void }>((resume) => {
    const open: Array<Socket> = []
    const server = createServer((socket) => void open.push(socket.on("error", () => socket.destroy())))
    const close = () => {
      for (const socket of open) socket.destroy()
      server.close()
    }
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ port: (server.address() as AddressInfo).port, close })))
  }),
  ({ close }) => Effect.sync(close),
)

const roots = ["canonical", "features", "snapshots", "models", "backups"]

describe("preflight", () => {
  it.live("finds dev as it ships ready, writes to each root, and leaves nothing there", () =>
    Effect.gen(function* () {
      const root = yield* projectWith()
      const log: Array<string> = []
      const { env, findings } = yield* look(root, { freeBytes: "1B", version: "new" }, {}, log)
      assert.strictEqual(env, "dev")
      assert.deepStrictEqual([...new Set(findings.map(({ level }) => level))], ["ok"])
      const sections = ["storage", "database", "messaging", "notifications", "exporters"]
      assert.deepStrictEqual([...new Set(findings.map(({ section }) => section))], sections)
      const kept = findings.flatMap(({ what }) => /^(\w+)_root: .*keeps what is written/.exec(what)?.[1] ?? [])
      assert.deepStrictEqual(kept, roots)
      for (const name of roots) assert.deepStrictEqual(Fs.readdirSync(join(root, ".dandori", name)), [])
      assert.strictEqual(log.length, findings.length)
    }),
  )

  it.live("looks only at what it is told to", () =>
    Effect.gen(function* () {
      const root = yield* projectWith(real)
      const { findings } = yield* look(root, { connections: ["storage", "storage"] })
      assert.deepStrictEqual([...new Set(findings.map(({ section }) => section))], ["storage"])
      assert.strictEqual(findings.length, 6)
    }),
  )

  it.live("says all that is missing at once, each with what to do", () =>
    Effect.gen(function* () {
      const absent = join(yield* Workplace.project, "not-mounted")
      const root = yield* projectWith({
        ...real,
        "storage.yaml": `models_root: ${absent}\n`,
        "notifications.yaml": "timeout: 5s\n",
      })
      Fs.writeFileSync(join(root, ".dandori", "features"), "")
      const closed = freePort()
      const { error, findings } = yield* refused(
        root,
        { freeBytes: "1000TiB" },
        { REDIS_URL: `redis://127.0.0.1:${closed}` },
      )
      const said = findings.map(({ level, section, what }) => `${section} ${level} ${what}`)
      const expected = [
        /^storage error features_root: .* is not a folder/,
        /^storage missing models_root: the folder .*not-mounted does not exist/,
        /^database missing dsn: \$\{env:POSTGRES_URL\} is not there/,
        new RegExp(`^messaging error url: Redis 127.0.0.1:${closed} does not answer: .*ECONNREFUSED`),
        /^notifications missing slack\.webhook/,
        /^notifications missing pagerduty\.routing_key/,
        /^storage error models_root: .* are free, 1000 TiB are needed/,
        /^storage error backups_root: .* are free, 1000 TiB are needed/,
      ]
      assert.strictEqual(said.length, expected.length, said.join("\n"))
      for (const [n, pattern] of expected.entries()) assert.match(said[n], pattern)
      for (const { fix, what } of findings) {
        assert.notStrictEqual(fix, "")
        assert.include(error.message, what)
        assert.include(error.message, fix)
      }
      assert.isFalse(Fs.existsSync(absent))
    }),
  )

  it.live("gives up on a server that takes a connection and says nothing", () =>
    Effect.gen(function* () {
      const root = yield* projectWith({
        "database.yaml": "backend: postgres\ntimeout: 300ms\n",
        "messaging.yaml": "backend: redis\nsubscribe_timeout: 300ms\n",
      })
      const { port } = yield* silent
      const { findings } = yield* refused(
        root,
        { connections: ["database", "messaging"] },
        { POSTGRES_URL: `postgres://user@127.0.0.1:${port}/x`, REDIS_URL: `redis://127.0.0.1:${port}` },
      )
      assert.deepStrictEqual(
        findings.map(({ level, section }) => [section, level]),
        [
          ["database", "error"],
          ["messaging", "error"],
        ],
      )
    }),
  )

  it.live(
    "probes an offsite folder, looks at write-once records only, and asks a bucket through the object store",
    () =>
      Effect.gen(function* () {
        const offsite = yield* Workplace.project
        const configured = (worm: string) =>
          [
            "offsite:",
            "  bucket: ${env:S3_BUCKET}",
            `  worm_location: ${worm}`,
            "  storage_class: STANDARD",
            "  rds_instance: a",
            "  rds_snapshot_prefix: a",
            "  ebs_tag: a",
            "",
          ].join("\n")
        const here = pathToFileURL(offsite).href
        const root = yield* projectWith({ "storage.yaml": configured("s3://audit/worm") })
        const input = { connections: ["storage"] }
        const names = (findings: ReadonlyArray<{ readonly level: string; readonly what: string }>) =>
          findings.map(({ level, what }) => `${level} ${what.split(":")[0]}`).toSorted()
        // The store of this test opens folders alone: what it says of the bucket is what preflight says.
        const folder = yield* refused(root, input, { S3_BUCKET: here })
        assert.deepStrictEqual(names(folder.findings), ["error offsite.worm_location"])
        assert.match(folder.findings[0].what, /only folders/)
        assert.deepStrictEqual(Fs.readdirSync(offsite), [".dandori"])
        const missing = yield* refused(root, input, {})
        assert.deepStrictEqual(names(missing.findings), ["error offsite.worm_location", "missing offsite.bucket"])
        const unknown = yield* refused(root, input, { S3_BUCKET: "gopher://planted-bucket" })
        assert.strictEqual(unknown.findings[0].level, "error")
        assert.notInclude(unknown.text, "planted")
      }),
  )

  it.live("lets a version through that is nowhere or is there with the same bytes, and no other", () =>
    Effect.gen(function* () {
      const root = yield* projectWith()
      const digest = Checksums.rootDigest([{ path: "a.json", sha256: Sha256.of("a"), bytes: 1 }])
      const place = Effect.gen(function* () {
        const files = yield* ModelFiles.ModelFiles
        yield* files.claim
        const staged = yield* files.stage("v1")
        yield* files.add(staged, "a.json", yield* (yield* Artifacts).put("a.json", "application/json", "a"))
        yield* files.seal(staged, Checksums.make("v1", yield* files.inspect(staged), {}))
        yield* files.place(staged)
      }).pipe(Effect.provide(given(root, {}, [])), Effect.scoped)
      const register = Effect.gen(function* () {
        const registry = yield* ModelRegistry
        const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
        const model = { version: "v1", slot, digest, path: "models/v1", theta: {}, metrics: {} }
        const { intent, run } = yield* Attempt
        yield* registry.register({ ...model, datasets: [], receipts: [], synthetic: true }, "candidate", {
          who: "tester",
          reason: "test",
          intent,
          run,
          task: "work",
          key: `${run}/work`,
        })
      }).pipe(Effect.provide(given(root, {}, [])), Effect.scoped)

      const input = { connections: ["database"], version: "v1" }
      yield* look(root, input)
      yield* place
      yield* register
      yield* look(root, { ...input, digest })
      const taken = yield* refused(root, input)
      assert.deepStrictEqual(
        taken.findings.map(({ section }) => section),
        ["database", "storage"],
      )
      assert.match(taken.findings[0].what, /has version v1 already: it is candidate/)
      const other = yield* refused(root, { ...input, digest: Sha256.of("other") })
      assert.match(other.findings[0].what, /with other bytes/)
      assert.match(other.findings[1].what, /with other bytes/)
      const file = join(root, ".dandori/models/v1/a.json")
      Fs.chmodSync(file, 0o644)
      Fs.writeFileSync(file, "b")
      const torn = yield* refused(root, { ...input, digest })
      assert.deepStrictEqual(
        torn.findings.map(({ what }) => what),
        ["models_root: the folder v1 is not what its checksums.json says"],
      )
    }),
  )

  it.effect("says in a dry run at what it would look, and connects to nothing", () =>
    Effect.gen(function* () {
      const root = yield* projectWith(real)
      const input = decode({ connections: ["database", "messaging"], version: "v1", freeBytes: "2GiB" })
      const words = yield* (preflight.dryRun?.(input) ?? Effect.succeed("")).pipe(
        Effect.provide(given(root, {}, [])),
        Effect.scoped,
      )
      assert.strictEqual(words, "would look in dev at database, messaging, for the version v1, for 2 GiB of free space")
    }),
  )

  it("refuses an input that names nothing that is known", () => {
    for (const input of [
      { connections: [] },
      { connections: ["mail"] },
      { version: "../v1" },
      { digest: Sha256.of("a") },
      { version: "v1", digest: "a" },
      { freeBytes: "2" },
    ]) {
      assert.throws(() => decode(input), undefined, undefined, JSON.stringify(input))
    }
  })
})

layer(Databases.layer)("preflight at real servers", (test) => {
  test.effect("connects to PostgreSQL and Redis", () =>
    Effect.gen(function* () {
      const root = yield* projectWith(real)
      const environment = {
        POSTGRES_URL: yield* (yield* Databases.Databases).make,
        REDIS_URL: yield* Servers.redisUrl,
      }
      const { findings } = yield* look(root, { connections: ["database", "messaging"], version: "v1" }, environment)
      const said = findings.map(({ what }) => what)
      assert.include(said, "dsn: the server answers and takes writes")
      assert.include(said, "the registry has no version v1")
      assert.match(said.join("\n"), /url: 127\.0\.0\.1:\d+ answers/)
    }),
  )

  test.effect("finds a database that takes no writes", () =>
    Effect.gen(function* () {
      const root = yield* projectWith(real)
      const url = yield* (yield* Databases.Databases).make
      const sql = yield* Postgres.open(Databases.options(url))
      yield* sql`ALTER DATABASE ${sql(new URL(url).pathname.slice(1))} SET default_transaction_read_only = on`
      const { findings } = yield* refused(root, { connections: ["database"] }, { POSTGRES_URL: url })
      assert.deepStrictEqual(
        findings.map(({ what }) => what),
        ["dsn: the server takes no writes (it is a standby, or read-only)"],
      )
    }),
  )

  test.effect("names a database that is not there and a password that is wrong without showing a secret", () =>
    Effect.gen(function* () {
      const root = yield* projectWith(real)
      const url = new URL(yield* (yield* Databases.Databases).make)
      url.pathname = "/no_such_database"
      url.password = "hunter2-hunter2"
      const redis = new URL((yield* Servers.ownRedis).url)
      const client = new Redis(redis.href)
      yield* Effect.promise(() => client.config("SET", "requirepass", "the-right-one"))
      client.disconnect()
      redis.password = "hunter3-hunter3"
      const { findings, text } = yield* refused(
        root,
        { connections: ["database", "messaging"] },
        { POSTGRES_URL: url.href, REDIS_URL: redis.href },
      )
      assert.match(findings[0].what, /no_such_database/)
      assert.match(findings[1].what, /WRONGPASS/)
      assert.notMatch(text, /hunter[23]/)
      for (const planted of ["not a url hunter2", "postgres//hunter2@host", "http://hunter2@host"]) {
        const wrong = yield* refused(
          root,
          { connections: ["database", "messaging"] },
          { POSTGRES_URL: planted, REDIS_URL: planted },
        )
        assert.strictEqual(wrong.findings.length, 2)
        assert.notInclude(wrong.text, "hunter2")
      }
    }),
  )
})
