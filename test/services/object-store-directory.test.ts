import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { ObjectStore, type Store } from "../../src/services/object-store.ts"
import { keyProblem } from "../../src/services/object-store-key.ts"
import * as ObjectStoreDirectory from "../../src/services/object-store-directory.ts"

const withStore = <A, E>(use: (root: string, store: Store) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-objects-"))),
    (root) =>
      Effect.gen(function* () {
        const store = yield* (yield* ObjectStore).open(join(root, "store"))
        return yield* use(root, store)
      }).pipe(Effect.provide(ObjectStoreDirectory.layer)),
    (root) => Effect.promise(() => Fs.rm(root, { recursive: true, force: true })),
  )
const bytes = (text: string) => new TextEncoder().encode(text)

describe("a directory as object store", () => {
  it.effect("lists keys by prefix, in order, without unfinished files", () =>
    withStore((root, store) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* store.list(""), [])
        yield* Effect.forEach(["b/2", "a/1", "b/1"], (key) => store.put(key, bytes(key)))
        yield* Effect.promise(() => Fs.writeFile(join(root, "store", "b", ".1.0000.tmp"), "half"))
        assert.deepStrictEqual(yield* store.list(""), ["a/1", "b/1", "b/2"])
        assert.deepStrictEqual(yield* store.list("b/"), ["b/1", "b/2"])
      }),
    ),
  )

  it.effect("refuses keys that leave the store, and links inside it", () =>
    withStore((root, store) =>
      Effect.gen(function* () {
        for (const key of ["../x", "a/../../x", "/etc/passwd", "", "a//b", "a/./b", "a\\b", "a/\0"]) {
          assert.strictEqual((yield* Effect.flip(store.put(key, bytes("x"))))._tag, "ObjectStoreError", key)
          assert.strictEqual((yield* Effect.flip(store.get(key)))._tag, "ObjectStoreError", key)
        }
        yield* store.put("a/1", bytes("x"))
        yield* Effect.promise(() => Fs.symlink(root, join(root, "store", "out")))
        assert.include((yield* Effect.flip(store.put("out/y", bytes("x")))).message, "symbolic link")
        assert.deepStrictEqual((yield* Effect.promise(() => Fs.readdir(root))).toSorted(), ["store"])
      }),
    ),
  )

  it("accepts no key whose path leaves the folder", () => {
    const part = fc.oneof(fc.constantFrom("..", ".", "", "a", "..a"), fc.string({ maxLength: 4 }))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        const key = parts.join("/")
        if (keyProblem(key) !== undefined) return
        assert.isTrue(join("/root/store", key).startsWith("/root/store/"))
      }),
    )
  })

  it.effect("refuses a lock, which it could not keep", () =>
    withStore((_, store) =>
      Effect.gen(function* () {
        const lock = { mode: "GOVERNANCE" as const, until: new Date(Date.UTC(2099, 0)) }
        const refused = yield* Effect.flip(store.put("k", bytes("x"), { lock }))
        assert.include(refused.message, "use a bucket with Object Lock")
        assert.deepStrictEqual(yield* store.list(""), [])
      }),
    ),
  )

  it.effect("opens file: URLs and says what other schemes need", () =>
    Effect.gen(function* () {
      const opener = yield* ObjectStore
      assert.strictEqual((yield* opener.open("file:///tmp/x%20y")).location, "file:///tmp/x%20y")
      assert.include((yield* Effect.flip(opener.open("s3://bucket"))).message, "configure the store")
      assert.strictEqual((yield* Effect.flip(opener.open("file://elsewhere/x")))._tag, "ObjectStoreError")
    }).pipe(Effect.provide(ObjectStoreDirectory.layer)),
  )
})
