import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"
import { Evidence } from "../../src/services/evidence.ts"
import * as WormDirectory from "../../src/services/worm-directory.ts"
import restore from "../../tasks/restore/index.ts"
import type { RestoreInput } from "../../tasks/restore/schema.ts"
import snapshot from "../../tasks/snapshot/index.ts"
import * as Workplace from "./workplace.ts"

const write = (root: string, path: string, text: string, mode = 0o644) =>
  Effect.promise(async () => {
    await Fs.mkdir(join(root, path, ".."), { recursive: true })
    await Fs.writeFile(join(root, path), text)
    await Fs.chmod(join(root, path), mode)
  })

const record = (root: string, name: string) =>
  WormDirectory.append(join(root, ".dandori/worm"), {
    recordType: "ops",
    recordId: `run/${name}`,
    payload: { name },
  })

const filled = Effect.gen(function* () {
  const root = yield* Workplace.project
  yield* write(root, ".dandori/models/m1/model_ai1.json", "weights", 0o444)
  yield* write(root, ".dandori/ledger/root.ndjson", '{"a":1}\n')
  yield* record(root, "first")
  yield* record(root, "second")
  return root
})

/** A ledger's copy that was looked at, with what is wrong with it. */
const ledgerWith = (problems: ReadonlyArray<string>) => (evidence: Evidence["Service"]) => ({
  ...evidence,
  verifyFolder: () => Effect.succeed({ streams: 1, entries: 7, problems }),
})

const services = (root: string, task: string, problems: ReadonlyArray<string> = []) => {
  const attempt = Layer.merge(
    Workplace.attempt(root, { task }),
    ArtifactsDirectory.layer(join(root, ".dandori/artifacts")),
  )
  return Layer.effect(Evidence, Effect.map(Evidence, ledgerWith(problems))).pipe(Layer.provideMerge(attempt))
}

const taken = (root: string) =>
  snapshot
    .run({
      targets: [{ kind: "registry" }, { kind: "models" }, { kind: "worm" }, { kind: "ledger" }],
      verify: "digest",
    })
    .pipe(Effect.provide(Workplace.attempt(root, { task: "backup" })))

const restoring = (root: string, input: Partial<RestoreInput> = {}, problems: ReadonlyArray<string> = []) =>
  restore
    .run({ into: "restored", databases: "scratch", ...input })
    .pipe(Effect.provide(services(root, "restore", problems)))

const names = (folder: string) => Effect.promise(async () => (await Fs.readdir(folder)).toSorted())

describe("restore", () => {
  it.effect("brings the newest snapshot into a new folder, proves it, and measures RPO and RTO", () =>
    Effect.gen(function* () {
      const root = yield* filled
      const { digest, snapshot: id, taken: times } = yield* taken(root)
      const lostAt = new Date(Date.parse(times?.from ?? "") + 90_000).toISOString()
      const output = yield* restoring(root, { lostAt, maxRpo: "90s", maxRto: "100000d" })
      assert.deepInclude(output, { verdict: "PASSED", snapshot: id, digest, rpoSeconds: 90, records: 2 })
      assert.deepStrictEqual(output.ledger, { streams: 1, entries: 7 })
      assert.deepStrictEqual(output.databases, [{ name: "registry", count: 0, unit: "versions" }])
      assert.deepStrictEqual(yield* names(join(root, "restored")), ["ledger", "models", "registry", "worm"])
      assert.deepStrictEqual(
        output.gate.reports.map(({ name }) => name),
        ["recovery.json", "recovery.html"],
      )
    }),
  )

  it.effect("fails as a gate when more was lost than is allowed, with the report to read", () =>
    Effect.gen(function* () {
      const root = yield* filled
      const { taken: times } = yield* taken(root)
      const lostAt = new Date(Date.parse(times?.from ?? "") + 7_200_000).toISOString()
      const output = yield* restoring(root, { lostAt, maxRpo: "1h" })
      assert.strictEqual(output.verdict, "FAILED")
      assert.deepStrictEqual(output.gate.reasons, ["RPO is 2h, at most 1h is allowed"])
    }),
  )

  it.effect("does nothing where that snapshot is already, and refuses a folder with anything else", () =>
    Effect.gen(function* () {
      const root = yield* filled
      yield* taken(root)
      const first = yield* restoring(root)
      assert.deepInclude(yield* restoring(root), { digest: first.digest, folder: first.folder })
      yield* write(root, "restored/models/extra.txt", "not ours")
      const refused = yield* Effect.flip(restoring(root))
      assert.strictEqual(refused._tag, "RestoreRefused")
      assert.include(yield* names(join(root, "restored/models")), "extra.txt")
    }),
  )

  it.effect("clears away what a killed attempt left beside the folder, and nothing shows up half", () =>
    Effect.gen(function* () {
      const root = yield* filled
      yield* taken(root)
      const store = join(root, ".dandori/backups")
      const [id] = yield* names(store)
      const objects = join(store, id, "objects")
      yield* Effect.promise(() => Fs.rename(objects, `${objects}.away`))
      const failed = yield* Effect.flip(restoring(root))
      assert.strictEqual(failed._tag, "ObjectStoreError")
      // As when it is killed: a part stays, with files that nobody may write to, and not under its name.
      const left = (yield* names(root)).find((name) => name.startsWith(".restored-")) ?? ""
      yield* write(root, `${left}/models/m1/model_ai1.json`, "half", 0o444)
      assert.notInclude(yield* names(root), "restored")
      yield* Effect.promise(() => Fs.rename(`${objects}.away`, objects))
      yield* restoring(root)
      assert.deepStrictEqual(
        (yield* names(root)).filter((name) => name.includes("restored")),
        ["restored"],
      )
    }),
  )

  it.effect("names what does not verify of the ledger or of the records", () =>
    Effect.gen(function* () {
      const root = yield* filled
      yield* taken(root)
      const ledger = yield* Effect.flip(restoring(root, {}, ["runs/x line 3: altered"]))
      assert.strictEqual(ledger._tag, "EvidenceDamaged")
      assert.include(ledger.message, "runs/x line 3")

      const other = yield* filled
      const chain = join(other, ".dandori/worm/ops/chain")
      yield* Effect.promise(async () => {
        const [first] = (await Fs.readdir(chain)).toSorted()
        await Fs.rm(join(chain, first))
      })
      yield* taken(other)
      const records = yield* Effect.flip(restoring(other))
      assert.strictEqual(records._tag, "EvidenceDamaged")
      assert.include(records.message, "deleted")
    }),
  )

  it.effect("says where to look when there is no such snapshot, and none at all", () =>
    Effect.gen(function* () {
      const root = yield* filled
      const none = yield* Effect.flip(restoring(root))
      assert.include(none.message, "no complete snapshot")
      assert.include(none.message, "dandori snapshot list")
      yield* taken(root)
      const other = yield* Effect.flip(restoring(root, { snapshot: "20250101T000000Z_0123456789ab" }))
      assert.include(other.message, "20250101T000000Z_0123456789ab")
      assert.notInclude(yield* names(root), "restored")
    }),
  )

  it.effect("without a folder keeps nothing beside the run's own", () =>
    Effect.gen(function* () {
      const root = yield* filled
      yield* taken(root)
      const before = yield* names(root)
      const output = yield* restoring(root, { into: "" })
      assert.include(output.folder, "scratch")
      assert.deepStrictEqual(yield* names(root), before)
    }),
  )

  it.effect("puts the registry into the configured, empty one, and says what is wrong with another", () =>
    Effect.gen(function* () {
      const root = yield* filled
      yield* taken(root)
      assert.deepInclude(yield* restoring(root, { databases: "configured" }), { verdict: "PASSED" })
      const dry = yield* (restore.dryRun?.({ databases: "none", into: "x" }) ?? Effect.succeed("")).pipe(
        Effect.provide(services(root, "dry")),
      )
      assert.include(dry, "would restore")
    }),
  )
})
