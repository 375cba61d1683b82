import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Durable from "../../src/services/durable-files.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-durable-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
)
const read = (path: string) => Effect.promise(() => Fs.readFile(path, "utf8"))
const names = (path: string) => Effect.promise(() => Fs.readdir(path))

describe("durable files", () => {
  it.effect("writes a file whole, over what is there, with the mode asked for and nothing left beside it", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const path = join(root, "a.json")
      yield* Durable.writeFileDurably(path, "old")
      yield* Durable.writeFileDurably(path, "new", { mode: 0o444 })
      assert.strictEqual(yield* read(path), "new")
      assert.strictEqual((yield* Effect.promise(() => Fs.stat(path))).mode & 0o777, 0o444)
      assert.deepStrictEqual(yield* names(root), ["a.json"])
    }),
  )

  it.effect("refuses to create what exists, and changes nothing", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const path = join(root, "a")
      yield* Durable.writeNewFileDurably(path, "first")
      const error = yield* Effect.flip(Durable.writeNewFileDurably(path, "second"))
      assert.strictEqual(error.code, "EEXIST")
      assert.strictEqual(error.path, path)
      assert.include(error.message, "exists already")
      assert.strictEqual(yield* read(path), "first")
      assert.deepStrictEqual(yield* names(root), ["a"])
    }),
  )

  it.effect("lets exactly one of many creators of one file win", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const path = join(root, "one")
      const exits = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => `writer ${index}`),
        (text) => Effect.option(Effect.as(Durable.writeNewFileDurably(path, text), text)),
        { concurrency: "unbounded" },
      )
      const winners = exits.flatMap((exit) => (exit._tag === "Some" ? [exit.value] : []))
      assert.strictEqual(winners.length, 1)
      assert.strictEqual(yield* read(path), winners[0])
      assert.deepStrictEqual(yield* names(root), ["one"])
    }),
  )

  it.effect("digests while copying, over more than one chunk", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const bytes = new Uint8Array(2_500_001).map((_, index) => (index * 31) % 251)
      yield* Durable.writeFileDurably(join(root, "big"), bytes)
      const copied = yield* Durable.copyFileDurably(join(root, "big"), join(root, "copy"))
      assert.deepStrictEqual(copied, { sha256: Sha256.of(bytes), bytes: bytes.length })
      assert.deepStrictEqual(yield* Durable.digestFile(join(root, "copy")), copied)
    }),
  )

  it.effect("names the path and the remedy when a folder is missing", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const path = join(root, "none", "a")
      const error = yield* Effect.flip(Durable.writeFileDurably(path, "x"))
      assert.strictEqual(error.code, "ENOENT")
      assert.strictEqual(error.path, path)
      assert.strictEqual(error.message, `create ${path}: it does not exist; check the path (ENOENT)`)
      assert.isFalse(error.transient)
    }),
  )

  it.effect("says what to do when the disk is full, and leaves the old file as it was", () =>
    Effect.gen(function* () {
      const error = new Durable.FileFailed({ path: "/x", operation: "write", code: "ENOSPC", reason: "no space" })
      assert.include(error.message, "free some space")
      const full = yield* Effect.flip(Durable.attempt("write", "/dev/full", () => Fs.writeFile("/dev/full", "x")))
      assert.strictEqual(full.code, "ENOSPC")
    }),
  )

  it.effect("does not read through a symbolic link", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* Durable.writeFileDurably(join(root, "secret"), "s")
      yield* Effect.promise(() => Fs.symlink(join(root, "secret"), join(root, "link")))
      assert.strictEqual((yield* Effect.flip(Durable.digestFile(join(root, "link")))).code, "ELOOP")
    }),
  )

  it.effect("makes nested folders and renames between them", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* Durable.makeFolderDurably(join(root, "a", "b", "c"))
      yield* Durable.makeFolderDurably(join(root, "a", "b", "c"))
      yield* Durable.writeFileDurably(join(root, "f"), "x")
      yield* Durable.renameDurably(join(root, "f"), join(root, "a", "b", "c", "f"))
      assert.deepStrictEqual(yield* names(join(root, "a", "b", "c")), ["f"])
      yield* Durable.removeFileDurably(join(root, "a", "b", "c", "f"))
      assert.deepStrictEqual(yield* names(join(root, "a", "b", "c")), [])
    }),
  )
})
