import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"

const withStore = <A, E>(use: (root: string, artifacts: Artifacts["Service"]) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-artifacts-"))),
    (root) =>
      Effect.gen(function* () {
        return yield* use(root, yield* Artifacts)
      }).pipe(Effect.provide(ArtifactsDirectory.layer(join(root, "store")))),
    (root) => Effect.promise(() => Fs.rm(root, { recursive: true, force: true })),
  )
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** Replaces stored bytes behind the store's back. */
const damage = (path: string, bytes: string) =>
  Effect.promise(async () => {
    await Fs.chmod(path, 0o644)
    await Fs.writeFile(path, bytes)
  })

describe("artifacts in a directory", () => {
  it.effect("stores bytes under their digest, read only, and gives them back", () =>
    withStore((root, artifacts) =>
      Effect.gen(function* () {
        const artifact = yield* artifacts.put("a.txt", "text/plain", "hello")
        const digest = Sha256.of("hello")
        assert.deepStrictEqual(artifact, { name: "a.txt", sha256: digest, bytes: 5, mediaType: "text/plain" })
        const path = artifacts.pathOf(digest)
        assert.strictEqual(path, join(root, "store", "sha256", digest.slice(0, 2), digest.slice(2)))
        assert.strictEqual((yield* Effect.promise(() => Fs.stat(path))).mode & 0o777, 0o444)
        assert.strictEqual(text(yield* artifacts.get(digest)), "hello")
        assert.isTrue(yield* artifacts.has(digest))
      }),
    ),
  )

  it.effect("does not write again what it holds", () =>
    withStore((_, artifacts) =>
      Effect.gen(function* () {
        const { sha256 } = yield* artifacts.put("a", "text/plain", "same")
        const before = yield* Effect.promise(() => Fs.stat(artifacts.pathOf(sha256)))
        yield* artifacts.put("b", "text/plain", "same")
        const after = yield* Effect.promise(() => Fs.stat(artifacts.pathOf(sha256)))
        assert.strictEqual(after.ino, before.ino)
      }),
    ),
  )

  it.effect("notices damaged bytes, and heals them with the next put of either kind", () =>
    withStore((root, artifacts) =>
      Effect.gen(function* () {
        const { sha256 } = yield* artifacts.put("a", "text/plain", "right")
        const path = artifacts.pathOf(sha256)
        yield* damage(path, "wrong")
        assert.isFalse(yield* artifacts.has(sha256))
        assert.include((yield* Effect.flip(artifacts.get(sha256))).message, "store them again")
        assert.strictEqual((yield* Effect.flip(artifacts.copyTo(sha256, join(root, "out"))))._tag, "ArtifactError")
        assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(root)), ["store"])
        yield* artifacts.put("a", "text/plain", "right")
        assert.strictEqual(text(yield* artifacts.get(sha256)), "right")
        yield* damage(path, "torn")
        yield* Effect.promise(() => Fs.writeFile(join(root, "source"), "right"))
        yield* artifacts.putFile("a", "text/plain", join(root, "source"))
        assert.strictEqual(text(yield* artifacts.get(sha256)), "right")
      }),
    ),
  )

  it.effect("takes a file by copy and leaves nothing in its staging folder", () =>
    withStore((root, artifacts) =>
      Effect.gen(function* () {
        const source = join(root, "source.bin")
        const bytes = new Uint8Array(3_000_000).map((_, index) => index % 253)
        yield* Effect.promise(() => Fs.writeFile(source, bytes))
        const artifact = yield* artifacts.putFile("source.bin", "application/octet-stream", source)
        yield* artifacts.putFile("again.bin", "application/octet-stream", source)
        assert.strictEqual(artifact.sha256, Sha256.of(bytes))
        assert.strictEqual(artifact.bytes, bytes.length)
        assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(root, "store", "incoming"))), [])
        yield* artifacts.copyTo(artifact.sha256, join(root, "copy.bin"))
        assert.strictEqual(Sha256.of(yield* Effect.promise(() => Fs.readFile(join(root, "copy.bin")))), artifact.sha256)
      }),
    ),
  )

  it.effect("does not overwrite a file when copying out", () =>
    withStore((root, artifacts) =>
      Effect.gen(function* () {
        const { sha256 } = yield* artifacts.put("a", "text/plain", "x")
        const target = join(root, "mine")
        yield* Effect.promise(() => Fs.writeFile(target, "keep me"))
        assert.include((yield* Effect.flip(artifacts.copyTo(sha256, target))).message, "exists already")
        assert.strictEqual(yield* Effect.promise(() => Fs.readFile(target, "utf8")), "keep me")
      }),
    ),
  )

  it.effect("stores the same bytes from many fibers at once, whole at every moment", () =>
    withStore((_, artifacts) =>
      Effect.gen(function* () {
        const bytes = new Uint8Array(200_000).fill(7)
        const stored = yield* Effect.forEach(
          Array.from({ length: 16 }, (_, index) => index),
          (index) =>
            artifacts
              .put(`n${index}`, "application/octet-stream", bytes)
              .pipe(Effect.tap((artifact) => artifacts.get(artifact.sha256))),
          { concurrency: "unbounded" },
        )
        assert.strictEqual(new Set(stored.map((artifact) => artifact.sha256)).size, 1)
      }),
    ),
  )

  it.effect("refuses what is no digest and says what is missing", () =>
    withStore((_, artifacts) =>
      Effect.gen(function* () {
        assert.include((yield* Effect.flip(artifacts.get("../../etc/passwd"))).message, "no SHA-256 digest")
        assert.isFalse(yield* artifacts.has("x"))
        assert.include((yield* Effect.flip(artifacts.get("0".repeat(64)))).message, "does not exist")
      }),
    ),
  )
})
