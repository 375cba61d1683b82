/** What the tests of retention do again and again. */
import * as Fs from "node:fs"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Checksums from "../../src/domain/checksums.ts"
import type { ModelRow } from "../../src/domain/registry.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { Holds } from "../../src/services/holds.ts"
import { ModelFiles } from "../../src/services/model-files.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as ModelRetention from "../../src/services/model-retention.ts"
import { UnfinishedRuns } from "../../src/services/unfinished-runs.ts"
import * as Stage from "./publish/stage.ts"

/** The slot of the models. */
export const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
export const dayMillis = 86_400_000

/** A clock that somebody sets: it stands until then. */
export const makeClock = (start: number) => {
  const state = { now: start }
  const layer = Layer.effect(
    Clock.Clock,
    Effect.map(Clock.Clock, (real): Clock.Clock =>
      Object.assign(Object.create(real), {
        currentTimeMillisUnsafe: () => state.now,
        currentTimeMillis: Effect.sync(() => state.now),
      }),
    ),
  )
  return { state, layer }
}

/** Everything that retention needs; `named` are the names that runs which have not ended hold. */
export const services = (root: string, named: ReadonlySet<string> = new Set()) =>
  Layer.merge(
    Stage.services(root),
    Layer.succeed(UnfinishedRuns, {
      list: () => Effect.succeed([{ run: "open", pipeline: "release", names: (name: string) => named.has(name) }]),
    }),
  )

/** The same, at the time of a clock. */
export const timed = (root: string, clock: ReturnType<typeof makeClock>, named?: ReadonlySet<string>) =>
  Layer.provideMerge(services(root, named), clock.layer)

export const warrant = (key: string, run = key) => ({
  who: "ann",
  reason: `${key} of the test`,
  intent: Sha256.of(key),
  run,
  task: "purge",
  key,
})

/** Publishes a version of two small files as a candidate. */
export const publish = Effect.fnUntraced(function* (version: string, run = `publish ${version}`) {
  const artifacts = yield* Artifacts
  const files = yield* ModelFiles
  const registry = yield* ModelRegistry
  const digest = yield* Effect.scoped(
    Effect.gen(function* () {
      yield* files.claim
      const staged = yield* files.stage(version)
      for (const name of ["ai1.json", "theta.yaml"]) {
        yield* files.add(staged, name, yield* artifacts.put(name, "text/plain", `${version} ${name}`))
      }
      const list = Checksums.make(version, yield* files.inspect(staged), {})
      yield* files.seal(staged, list)
      yield* files.place(staged)
      return list.root_digest
    }),
  )
  const facts = { theta: {}, metrics: {}, datasets: [], receipts: [], synthetic: true }
  const path = `.dandori/models/${version}`
  yield* registry.register({ version, slot, digest, path, ...facts }, "candidate", warrant(`publish ${version}`, run))
  return { version, digest }
})

/** Makes a version champion, from whatever it is. */
export const deploy = Effect.fnUntraced(function* (
  version: string,
  key: string,
  previousBecomes: "archived" | "rolled_back" = "archived",
) {
  const registry = yield* ModelRegistry
  yield* registry.atomically(
    Effect.gen(function* () {
      const { row } = yield* registry.show(version)
      if (row.status === "candidate" || row.status === "rolled_back") {
        yield* registry.transition(version, "approved", warrant(key))
      }
      yield* registry.deploy(version, { previousBecomes, receipt: null, outbox: [] }, warrant(key))
    }),
  )
})

/** Marks what is due. */
export const mark = (key: string) => ModelRetention.mark(warrant(key))
/** Purges all that is ready. */
export const purgeReady = Effect.fnUntraced(function* (key: string) {
  const all = yield* ModelRetention.survey()
  const ready = all.filter(({ verdict }) => verdict.is === "ready").map(({ row }) => row)
  return yield* ModelRetention.purge(ready, warrant(key))
})

export const addHold = (id: string, subject: string, until: string | null = null) =>
  Effect.flatMap(Holds, (holds) => holds.add({ id, subject, who: "ann", reason: "the regulator asks", until }))

/** What is wrong with a version: its folder is whole, or it is gone and the registry says so. */
export const stateOf = Effect.fnUntraced(function* (root: string, row: ModelRow) {
  const files = yield* ModelFiles
  const registry = yield* ModelRegistry
  const folder = join(root, ".dandori/models", row.version)
  const last = yield* registry.filesOf(row.version)
  const state = last._tag === "Some" ? last.value.state : undefined
  if (Fs.existsSync(folder)) {
    const { differences } = yield* files.verify(row.version)
    assert.deepStrictEqual(differences, [], row.version)
    return "whole"
  }
  assert.include(["purging", "purged"], state, `${row.version} is gone, and the registry says ${state}`)
  assert.strictEqual(row.status, "archived", row.version)
  return state === "purged" ? "purged" : "interrupted"
})
