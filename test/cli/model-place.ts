import type { Database } from "bun:sqlite"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Checksums from "../../src/domain/checksums.ts"
import { type AliasMove, type Warrant, genesis, rowHash } from "../../src/domain/registry.ts"
import * as ModelDigest from "../../src/domain/model.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"
import * as ModelFiles from "../../src/services/model-files.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import * as SettingsFiles from "../../src/services/settings-files.ts"
import * as WorkspaceFiles from "../../src/services/workspace-files.ts"
import { projectAt, runId, writeRun } from "../ledger/fixtures/project.ts"
import { project, shifted } from "./evidence-project.ts"

const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
const run = runId(1)
export const receipt = Sha256.of("receipt")

/** Puts files into the models' folder as a published version; answers with the version's digest. */
const place = Effect.fnUntraced(function* (version: string, files: Readonly<Record<string, string>>) {
  const artifacts = yield* Artifacts
  const models = yield* ModelFiles.ModelFiles
  return yield* Effect.scoped(
    Effect.gen(function* () {
      yield* models.claim
      const staged = yield* models.stage(version)
      for (const [name, text] of Object.entries(files)) {
        yield* models.add(staged, name, yield* artifacts.put(name, "text/plain", text))
      }
      const list = Checksums.make(version, yield* models.inspect(staged), {})
      yield* models.seal(staged, list)
      yield* models.place(staged)
      return list.root_digest
    }),
  )
})

export const filesOf = (version: string) => ({
  "ai1.json": `${version} one`,
  "ai2.json": `${version} two`,
  "theta.yaml": "x",
})
export const digestOf = (version: string) =>
  ModelDigest.digest(Object.entries(filesOf(version)).map(([name, text]) => ({ name, sha256: Sha256.of(text) })))
/** The intent of publishing a version, as the engine writes it. */
const intentOf = (version: string) =>
  ({
    type: "dev.dandori.attempt.started.v1",
    data: { task: "publish", attempt: 1, input: { model: { version, digest: digestOf(version) } } },
  }) as const

const publish = Effect.fnUntraced(function* (version: string, warrant: Warrant, synthetic: boolean) {
  const registry = yield* ModelRegistry
  const digest = yield* place(version, filesOf(version))
  assert.strictEqual(digest, digestOf(version))
  const path = `.dandori/models/${version}`
  const facts = { theta: { theta1: 0.7 }, metrics: { sharpe: 1.5 }, datasets: [Sha256.of("data")], receipts: [receipt] }
  yield* registry.register({ version, slot, digest, path, synthetic, ...facts }, "candidate", warrant)
  yield* registry.transition(version, "approved", warrant)
  return yield* registry.deploy(version, { previousBecomes: "archived", receipt, outbox: [] }, warrant)
})

/** A project with v1 (in the ledger) and after it v2 (synthetic, its intent in no ledger) as champion. */
export const withModels = Effect.gen(function* () {
  const folder = yield* project
  const home = join(folder, ".dandori")
  const heads = yield* writeRun(run, [intentOf("v1")]).pipe(Effect.provide(projectAt(home)))
  const warrant: Warrant = {
    who: "tester",
    reason: "gates passed",
    intent: heads[1]?.hash ?? Sha256.of(""),
    run,
    task: "publish",
    key: "run/publish",
  }
  const workspace = WorkspaceFiles.layer({ project: folder, home, extraRoots: [], allowUserPaths: true })
  const services = Layer.mergeAll(RegistrySql.layerState, ModelFiles.layer).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        workspace,
        SettingsFiles.layer({ project: folder, env: "dev" }),
        ArtifactsDirectory.layer(join(home, "artifacts")),
      ),
    ),
  )
  const moves = yield* Effect.gen(function* () {
    const one = yield* publish("v1", warrant, false).pipe(shifted(-3_600_000))
    const two = yield* publish("v2", { ...warrant, who: "bob", reason: "by hand", intent: Sha256.of("nowhere") }, true)
    return { one, two }
  }).pipe(Effect.provide(Layer.merge(services, projectAt(home))))
  return { folder, ...moves, intent: warrant.intent }
})
export const file = (folder: string, version: string, name: string) => join(folder, ".dandori/models", version, name)
export const rewrite = (path: string, text: string) =>
  Effect.promise(async () => {
    await Fs.chmod(path, 0o644)
    await Fs.writeFile(path, text)
  })

export const inState = (folder: string, use: (database: Database) => void) =>
  Effect.promise(async () => {
    const { Database } = await import("bun:sqlite")
    const database = new Database(join(folder, ".dandori/state.db"))
    use(database)
    database.close()
  })

/** Changes the first move and chains all of them anew, as somebody with the program could. */
export const rewriteMoves = (database: Database, change: Partial<AliasMove>) => {
  database.run("DROP TRIGGER IF EXISTS alias_history_no_update")
  const rows = database.query("SELECT * FROM alias_history ORDER BY sequence").all() as ReadonlyArray<
    Omit<AliasMove, "from" | "previousHash"> & { readonly from_version: string | null; readonly previous_hash: string }
  >
  let previousHash = genesis
  for (const { from_version: from, hash: _hash, previous_hash: _before, ...row } of rows) {
    const original = { version: "v1", digest: digestOf("v1"), who: "tester", task: "publish" }
    const changed = { ...row, ...(row.sequence === 1 ? { ...original, ...change } : {}), from, previousHash }
    const hash = rowHash(changed)
    database.run(
      "UPDATE alias_history SET who = ?, task = ?, version = ?, digest = ?, intent = ?, previous_hash = ?, hash = ? WHERE sequence = ?",
      [changed.who, changed.task, changed.version, changed.digest, changed.intent, previousHash, hash, row.sequence],
    )
    previousHash = hash
  }
}
