import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Checksums from "../../src/domain/checksums.ts"
import type { Event } from "../../src/domain/event.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"
import * as ModelFiles from "../../src/services/model-files.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import * as SettingsFiles from "../../src/services/settings-files.ts"
import * as WorkspaceFiles from "../../src/services/workspace-files.ts"
import { projectAt, runId, writeRun } from "../ledger/fixtures/project.ts"
import { dandori, ndjson, project, shifted } from "./evidence-project.ts"

const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
const run = runId(1)
const years = 3 * 365 * 86_400_000

const open = (folder: string) => {
  const home = join(folder, ".dandori")
  const base = Layer.mergeAll(
    SettingsFiles.layer({ project: folder, env: "dev" }),
    WorkspaceFiles.layer({ project: folder, home, extraRoots: [], allowUserPaths: true }),
    ArtifactsDirectory.layer(join(home, "artifacts")),
    projectAt(home),
  )
  return Layer.merge(ModelFiles.layer, RegistrySql.layerState).pipe(Layer.provideMerge(base))
}

const contents = (version: string) => ({ "ai1.json": `${version} one`, "theta.yaml": "x" })

/** Puts a version's files in place, as publishing does; answers with its digest. */
const place = Effect.fnUntraced(function* (version: string) {
  const artifacts = yield* Artifacts
  const files = yield* ModelFiles.ModelFiles
  yield* files.claim
  const staged = yield* files.stage(version)
  for (const [name, text] of Object.entries(contents(version))) {
    yield* files.add(staged, name, yield* artifacts.put(name, "text/plain", text))
  }
  const list = Checksums.make(version, yield* files.inspect(staged), {})
  yield* files.seal(staged, list)
  yield* files.place(staged)
  return list.root_digest
}, Effect.scoped)

const versions = ["v1", "v2", "v3", "v4"]

/** A project whose four versions were registered three years ago in the ledger's run 1; v3 and then v4 were champion. */
const withOld = Effect.gen(function* () {
  const folder = yield* project
  const config = join(folder, "configs/envs/dev/retention.yaml")
  Fs.writeFileSync(config, "models_min_versions: 1\ndeletion_grace_days: 0\n")
  yield* Effect.gen(function* () {
    const registry = yield* ModelRegistry
    const digests = yield* Effect.forEach(versions, place)
    const intents = digests.map((digest, at): Event => ({
      type: "dev.dandori.attempt.started.v1",
      data: { task: `publish${at}`, attempt: 1, input: { model: { version: versions[at], digest } } },
    }))
    const heads = yield* writeRun(run, intents).pipe(Effect.provide(projectAt(join(folder, ".dandori"))))
    for (const [at, version] of versions.entries()) {
      const warrant = {
        who: "tester",
        reason: "gates passed",
        intent: heads[at + 1]?.hash ?? Sha256.of(""),
        run,
        task: `publish${at}`,
        key: `run/publish${at}`,
      }
      const facts = { theta: {}, metrics: {}, datasets: [], receipts: [], synthetic: true }
      const path = `.dandori/models/${version}`
      yield* registry.register({ version, slot, digest: digests[at] ?? "", path, ...facts }, "candidate", warrant)
      if (at < 2) continue
      yield* registry.transition(version, "approved", warrant)
      yield* registry.deploy(version, { previousBecomes: "archived", receipt: null, outbox: [] }, warrant)
    }
  }).pipe(Effect.provide(open(folder)), shifted(-years))
  return folder
})

const holdTypes = (folder: string) =>
  Effect.gen(function* () {
    const { code, out } = yield* dandori(folder, "ledger", "show", "system", "--json")
    assert.strictEqual(code, 0)
    return ndjson(out)
      .map(({ type }) => String(type))
      .filter((type) => type.includes("hold"))
  })

describe("dandori hold", () => {
  it.live(
    "adds, lists and releases holds, each in the ledger first, and the same again changes nothing",
    () =>
      Effect.gen(function* () {
        const folder = yield* withOld
        const call = (...args: ReadonlyArray<string>) => dandori(folder, "hold", ...args)
        assert.deepStrictEqual((yield* call("list")).err, "There are no holds.\n")
        const missing = yield* call("add", "model/v1")
        assert.strictEqual(missing.code, 64)
        assert.match(missing.err, /reason/)
        for (const [args, code, words] of [
          [["add", "model/../v1", "--reason", "x"], 64, /write model\/<version>/],
          [["add", "v1", "--reason", "x"], 64, /write model\/<version>/],
          [["add", "model/v9", "--reason", "x"], 66, /no version v9/],
          [["add", `run/${runId(7)}`, "--reason", "x"], 66, /no run/],
          [["add", "model/v1", "--reason", "x", "--until", "yesterday"], 64, /is no time/],
          [["add", "model/v1", "--reason", "x", "--until", "2020-01-01"], 64, /over already/],
          [["add", "model/v1", "--reason", " "], 64, /say why/],
          [["release", "h1", "--reason", "x"], 66, /no hold h1/],
        ] as const) {
          const refused = yield* call(...args)
          assert.strictEqual(refused.code, code, `${args.join(" ")}: ${refused.err}`)
          assert.match(refused.err, words)
        }
        assert.deepStrictEqual(yield* holdTypes(folder), [])
        const added = yield* call("add", "model/v1", "--reason", "audit", "--until", "2099-01-01", "--json")
        assert.strictEqual(added.code, 0, added.err)
        const [hold] = ndjson(added.out)
        assert.deepInclude(hold, {
          kind: "hold",
          subject: "model/v1",
          reason: "audit",
          until: "2099-01-01T00:00:00.000Z",
          active: true,
          changed: true,
        })
        const again = yield* call("add", "model/v1", "--reason", "audit", "--until", "2099-01-01", "--json")
        assert.deepStrictEqual(ndjson(again.out), [{ ...hold, changed: false }])
        assert.match((yield* call("add", `run/${run}`, "--reason", "why")).out, /is held by/)
        assert.match((yield* call("add", "snapshot/2025_1", "--reason", "why")).out, /is held by/)
        assert.strictEqual(ndjson((yield* call("list", "--json")).out).length, 3)
        const id = String(hold?.id)
        const released = yield* call("release", id, "--reason", "closed", "--json")
        assert.deepInclude(ndjson(released.out)[0], { active: false, changed: true, releaseReason: "closed" })
        const twice = yield* call("release", id, "--reason", "again", "--json")
        assert.deepInclude(ndjson(twice.out)[0], { changed: false, releaseReason: "closed" })
        assert.notInclude((yield* call("list")).out, "model/v1")
        assert.match((yield* call("list", "--all")).out, /model\/v1.*released.*closed.*audit/)
        assert.deepStrictEqual(yield* holdTypes(folder), [
          ...Array.from({ length: 3 }, () => "dev.dandori.hold.added.v1"),
          "dev.dandori.hold.released.v1",
        ])
      }).pipe(Effect.scoped),
    120_000,
  )
})

describe("dandori model retain", () => {
  it.live(
    "lists what would go and why the rest is kept, asks, and purges in a run whose intents the registry names",
    () =>
      Effect.gen(function* () {
        const folder = yield* withOld
        const inFolder = () => Fs.readdirSync(join(folder, ".dandori/models")).filter((name) => !name.startsWith("."))
        const forecast = yield* dandori(folder, "model", "retain", "--dry-run", "--json")
        assert.strictEqual(forecast.code, 0, forecast.err)
        assert.deepStrictEqual(
          ndjson(forecast.out).map(({ verdict, version }) => [version, verdict]),
          [
            ["v4", "kept"],
            ["v3", "kept"],
            ["v2", "due"],
            ["v1", "due"],
          ],
        )
        assert.strictEqual((yield* dandori(folder, "hold", "add", "model/v2", "--reason", "audit")).code, 0)
        const marked = yield* dandori(folder, "model", "retain", "--json")
        assert.strictEqual(marked.code, 0, marked.err)
        const text = yield* dandori(folder, "model", "retain", "--dry-run")
        assert.match(text.out, /v1 .*ready.*its files go now/)
        assert.match(text.out, /v2 .*kept.*is held by/)
        assert.match(text.err, /1 version loses its files now, [\d.]+ /)
        const asked = yield* dandori(folder, "model", "retain")
        assert.strictEqual(asked.code, 64)
        assert.match(asked.err, /say --yes/)
        assert.deepStrictEqual(inFolder().toSorted(), versions)
        const done = yield* dandori(folder, "model", "retain", "--yes", "--reason", "too old", "--json")
        assert.strictEqual(done.code, 0, done.err + done.out)
        assert.deepStrictEqual(inFolder().toSorted(), ["v2", "v3", "v4"])
        const shown = yield* dandori(folder, "model", "show", "v1")
        assert.match(shown.out, /status +archived since .*: too old/)
        assert.match(shown.out, /files purged by .*: too old\n {2}intent [0-9a-f]{64} {2}in the ledger: line \d+/)
        const looked = yield* dandori(folder, "model", "verify", "v1")
        assert.strictEqual(looked.code, 13)
        assert.match(looked.out, /^PURGED {2}v1 {2}at .* by .*: too old\n$/)
        const verified = yield* dandori(folder, "ledger", "verify", "--registry")
        assert.strictEqual(verified.code, 0, verified.err + verified.out)
        const gone = yield* dandori(folder, "hold", "add", "model/v1", "--reason", "late")
        assert.strictEqual(gone.code, 66)
        assert.match(gone.err, /files of v1 were purged/)
        const row = yield* Effect.flatMap(ModelRegistry, (registry) => registry.find("v1")).pipe(
          Effect.provide(open(folder)),
        )
        assert.strictEqual(Option.getOrThrow(row).status, "archived")
      }).pipe(Effect.scoped),
    120_000,
  )
})

describe("the pipeline retention that ships", () => {
  it.effect("runs every night after the backup, tells when it fails, and has nothing to do where nothing is old", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const file = "pipelines/retention.yaml"
      Fs.mkdirSync(join(folder, "pipelines"))
      Fs.copyFileSync(join(import.meta.dirname, "../..", file), join(folder, file))
      const preview = yield* dandori(folder, "schedule", "preview", file, "--from", "2026-03-01", "-n", "2", "--json")
      assert.strictEqual(preview.code, 0, preview.err)
      assert.deepStrictEqual(
        ndjson(preview.out).flatMap(({ kind, time }) => (kind === "tick" ? [time] : [])),
        ["2026-03-01T04:30:00Z", "2026-03-02T04:30:00Z"],
      )
      const planned = yield* dandori(folder, "plan", file)
      assert.strictEqual(planned.code, 2, planned.err)
      assert.match(planned.out, /\+ report \(notify\)\n[^]*if: "run\.status != \\"succeeded\\""/)
      const ran = yield* dandori(folder, "run", "retention")
      assert.strictEqual(ran.code, 0, ran.err)
      assert.match(ran.out, /purge +skipped/)
    }).pipe(Effect.scoped),
  )
})
