import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as ArtifactSweep from "../../src/services/artifact-sweep.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"
import * as FileLock from "../../src/services/file-lock.ts"

const day = 86_400_000

const withStore = <A, E, R>(use: (root: string, artifacts: Artifacts["Service"]) => Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => Fs.mkdtempSync(join(tmpdir(), "dandori-sweep-"))),
    (root) =>
      Effect.flatMap(Artifacts, (artifacts) => use(root, artifacts)).pipe(
        Effect.provide(ArtifactsDirectory.layer(root)),
      ),
    (root) => Effect.sync(() => Fs.rmSync(root, { recursive: true, force: true })),
  )

/** Makes an artifact as old as so many days. */
const age = (path: string, days: number) =>
  Fs.utimesSync(path, (Date.now() - days * day) / 1_000, (Date.now() - days * day) / 1_000)

/** Sweeps as on so many days from now, with a day of grace. */
const sweep = (root: string, named: ReadonlyArray<string>, days = 0) =>
  Effect.gen(function* () {
    const now = Date.now() + days * day
    const stored = yield* ArtifactSweep.list(root)
    return yield* ArtifactSweep.sweep(root, stored, new Set(named), { now, before: now - day })
  })

describe("a sweep of the artifacts", () => {
  it.live("removes what was unnamed at two sweeps a day apart, and nothing that is named or young", () =>
    withStore((root, artifacts) =>
      Effect.gen(function* () {
        const put = (text: string) => artifacts.put(text, "text/plain", text)
        const [named, unnamed, young] = yield* Effect.all([put("named"), put("unnamed"), put("young")])
        for (const { sha256 } of [named, unnamed]) age(artifacts.pathOf(sha256), 400)
        assert.deepStrictEqual(yield* sweep(root, [named.sha256]), { removed: 0, bytes: 0, marked: 1 })
        assert.deepStrictEqual(yield* sweep(root, [named.sha256], 0.9), { removed: 0, bytes: 0, marked: 1 })
        assert.deepStrictEqual(yield* sweep(root, [named.sha256], 1.1), { removed: 1, bytes: 7, marked: 1 })
        assert.deepStrictEqual(
          (yield* ArtifactSweep.list(root)).map(({ sha256 }) => sha256).toSorted(),
          [named.sha256, young.sha256].toSorted(),
        )
        assert.deepStrictEqual(Fs.readdirSync(join(root, "unnamed")), [young.sha256])
      }),
    ),
  )

  it.live("begins anew with what was named again, and with what was put again", () =>
    withStore((root, artifacts) =>
      Effect.gen(function* () {
        const [one, two] = [
          yield* artifacts.put("a", "text/plain", "one"),
          yield* artifacts.put("a", "text/plain", "two"),
        ]
        for (const { sha256 } of [one, two]) age(artifacts.pathOf(sha256), 400)
        assert.strictEqual((yield* sweep(root, [])).marked, 2)
        assert.strictEqual((yield* sweep(root, [one.sha256], 0.5)).marked, 1)
        yield* artifacts.put("a", "text/plain", "two")
        assert.isBelow(Date.now() - Fs.statSync(artifacts.pathOf(two.sha256)).mtimeMs, day / 24)
        assert.deepStrictEqual(yield* sweep(root, [], 0.99), { removed: 0, bytes: 0, marked: 1 })
        assert.deepStrictEqual(yield* sweep(root, [], 1.5), { removed: 0, bytes: 0, marked: 2 })
        assert.deepStrictEqual(yield* sweep(root, [], 3), { removed: 2, bytes: 6, marked: 0 })
      }),
    ),
  )

  it.live("leaves what somebody puts meanwhile, and removes half a copy that a dead process left", () =>
    withStore((root, artifacts) =>
      Effect.gen(function* () {
        const { sha256 } = yield* artifacts.put("a", "text/plain", "one")
        age(artifacts.pathOf(sha256), 400)
        Fs.mkdirSync(join(root, "incoming"))
        for (const name of ["old", "new"]) Fs.writeFileSync(join(root, "incoming", name), "half")
        age(join(root, "incoming", "old"), 3)
        yield* sweep(root, [])
        const folder = join(root, "sha256", sha256.slice(0, 2))
        const putting = Effect.andThen(FileLock.acquireFolder(folder, "shared"), sweep(root, [], 2))
        assert.deepStrictEqual(yield* Effect.scoped(putting), { removed: 0, bytes: 0, marked: 1 })
        assert.deepStrictEqual(Fs.readdirSync(join(root, "incoming")), [])
        assert.strictEqual((yield* sweep(root, [], 2)).removed, 1)
      }),
    ),
  )

  it.live("never takes what a put has answered for, however the two meet", () =>
    withStore((root, artifacts) =>
      Effect.gen(function* () {
        const texts = Array.from({ length: 40 }, (_, n) => `text ${n}`)
        for (const text of texts) yield* artifacts.put("a", "text/plain", text)
        for (let round = 0; round < 10; round++) {
          for (const text of texts) age(artifacts.pathOf(Sha256.of(text)), 400)
          yield* sweep(root, [])
          const put = (text: string) => Effect.map(artifacts.put("a", "text/plain", text), ({ sha256 }) => sha256)
          const now = Date.now() + 2 * day
          const stored = yield* ArtifactSweep.list(root)
          // Marked long ago, by the clock of this sweep; what is put meanwhile is young by its own time.
          for (const name of Fs.readdirSync(join(root, "unnamed"))) Fs.writeFileSync(join(root, "unnamed", name), "1")
          const sweeping = ArtifactSweep.sweep(root, stored, new Set(), { now, before: Date.now() - day })
          const [answered] = yield* Effect.all(
            [Effect.forEach(texts.toReversed(), put, { concurrency: 4 }), sweeping],
            {
              concurrency: 2,
            },
          )
          for (const sha256 of answered) assert.isTrue(yield* artifacts.has(sha256))
        }
      }),
    ),
  )
})
