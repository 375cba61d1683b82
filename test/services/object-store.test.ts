import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Sha256 from "../../src/domain/sha256.ts"
import { ObjectStoreError, type Store } from "../../src/services/object-store.ts"
import * as S3Place from "../support/s3-place.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-objects-"))),
  (root) => Effect.promise(() => Fs.rm(root, { recursive: true, force: true })),
)
const bytes = (text: string) => new TextEncoder().encode(text)
/** Bytes of any size that differ everywhere. */
const many = (size: number) => {
  const made = new Uint8Array(size)
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(made.subarray(at, at + 65_536))
  return made
}
const written = (path: string, content: Uint8Array | string) => Effect.promise(() => Fs.writeFile(path, content))

interface Kind {
  readonly name: string
  readonly open: (root: string) => Effect.Effect<Store, ObjectStoreError, S3Place.S3Place | Scope.Scope>
  readonly location: RegExp
}
const kinds: ReadonlyArray<Kind> = [
  {
    name: "a folder",
    open: (root) => S3Place.opened({}, join(root, "store")),
    location: /^file:\/\/\/.*\/store$/,
  },
  {
    name: "a bucket",
    open: () =>
      Effect.gen(function* () {
        const place = yield* S3Place.S3Place
        return yield* S3Place.opened(place.section, `s3://${yield* place.bucket()}/some/prefix/`)
      }),
    location: /^s3:\/\/test-[^/]+\/some\/prefix$/,
  },
]

for (const { location, name, open } of kinds) {
  const withStore = <A, E>(use: (store: Store, root: string) => Effect.Effect<A, E, Scope.Scope | S3Place.S3Place>) =>
    Effect.gen(function* () {
      const root = yield* folder
      return yield* use(yield* open(root), root)
    }).pipe(Effect.scoped)

  describe(`${name} as object store`, () => {
    layer(S3Place.layer, { excludeTestServices: true })((it) => {
      it.effect("stores bytes and files under a key and answers with the digest", () =>
        withStore((store, root) =>
          Effect.gen(function* () {
            assert.match(store.location, location)
            const info = yield* store.put("a/b ü+%.txt", bytes("hello"))
            assert.deepStrictEqual(info, { key: "a/b ü+%.txt", bytes: 5, sha256: Sha256.of("hello") })
            assert.deepStrictEqual(yield* store.info("a/b ü+%.txt"), Option.some(info))
            assert.deepStrictEqual(yield* store.get("a/b ü+%.txt"), bytes("hello"))
            assert.deepStrictEqual(yield* store.copyTo("a/b ü+%.txt", join(root, "out")), info)
            assert.strictEqual(yield* Effect.promise(() => Fs.readFile(join(root, "out"), "utf8")), "hello")
            yield* written(join(root, "in"), "a file")
            assert.strictEqual((yield* store.putFile("c", join(root, "in"))).sha256, Sha256.of("a file"))
            assert.deepStrictEqual(yield* store.get("c"), bytes("a file"))
          }),
        ),
      )

      it.effect("stores nothing as well as something, and a file of many parts", () =>
        withStore((store, root) =>
          Effect.gen(function* () {
            assert.strictEqual((yield* store.put("empty", new Uint8Array())).bytes, 0)
            yield* written(join(root, "empty"), "")
            assert.strictEqual((yield* store.putFile("empty file", join(root, "empty"))).bytes, 0)
            assert.strictEqual((yield* store.get("empty file")).length, 0)
            const content = many(13 * 2 ** 20 + 7)
            yield* written(join(root, "large"), content)
            const expected = { key: "large", bytes: content.length, sha256: Sha256.of(content) }
            assert.deepStrictEqual(yield* store.putFile("large", join(root, "large")), expected)
            assert.deepStrictEqual(yield* store.putFile("large", join(root, "large")), expected)
            assert.deepStrictEqual(yield* store.info("large"), Option.some(expected))
            assert.deepStrictEqual(yield* store.copyTo("large", join(root, "back")), expected)
            assert.isTrue(Buffer.from(content).equals(yield* Effect.promise(() => Fs.readFile(join(root, "back")))))
            content[5] = (content[5] ?? 0) ^ 1
            yield* written(join(root, "large"), content)
            const refused = yield* Effect.flip(store.putFile("large", join(root, "large")))
            assert.strictEqual(refused._tag, "ObjectExists")
          }),
        ),
      )

      it.effect("takes the same bytes again and refuses other bytes, changing nothing", () =>
        withStore((store, root) =>
          Effect.gen(function* () {
            yield* store.put("k", bytes("one"))
            yield* store.put("k", bytes("one"))
            const refused = yield* Effect.flip(store.put("k", bytes("two")))
            assert.strictEqual(refused._tag, "ObjectExists")
            yield* written(join(root, "two"), "two and more")
            assert.strictEqual((yield* Effect.flip(store.putFile("k", join(root, "two"))))._tag, "ObjectExists")
            assert.deepStrictEqual(yield* store.get("k"), bytes("one"))
          }),
        ),
      )

      it.effect("lets exactly one of several writers with different bytes win", () =>
        withStore((store) =>
          Effect.gen(function* () {
            const results = yield* Effect.forEach(
              Array.from({ length: 12 }, (_, index) => index),
              (index) => Effect.result(store.put("k", bytes(`writer ${index}`))),
              { concurrency: "unbounded" },
            )
            const won = results.flatMap((result) => (result._tag === "Success" ? [result.success] : []))
            const lost = results.flatMap((result) => (result._tag === "Failure" ? [result.failure._tag] : []))
            assert.strictEqual(won.length, 1)
            assert.deepStrictEqual([...new Set(lost)], ["ObjectExists"])
            assert.strictEqual(Sha256.of(yield* store.get("k")), won[0]?.sha256)
          }),
        ),
      )

      it.effect("says of what is not there that it is not there", () =>
        withStore((store, root) =>
          Effect.gen(function* () {
            assert.isTrue(Option.isNone(yield* store.info("a/c.txt")))
            const out = store.copyTo("a/c.txt", join(root, "out"))
            for (const failure of [Effect.asVoid(store.get("a/c.txt")), Effect.asVoid(out)]) {
              const error = yield* Effect.flip(failure)
              assert.isFalse(error.transient)
              assert.include(error.message, `${store.location}/a/c.txt`)
            }
            assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(root)), [])
          }),
        ),
      )

      it.effect("replaces no file when it copies an object out", () =>
        withStore((store, root) =>
          Effect.gen(function* () {
            yield* store.put("k", bytes("new"))
            yield* written(join(root, "out"), "old")
            assert.include((yield* Effect.flip(store.copyTo("k", join(root, "out")))).message, "exists already")
            assert.strictEqual(yield* Effect.promise(() => Fs.readFile(join(root, "out"), "utf8")), "old")
          }),
        ),
      )

      it.effect("lists keys by prefix, in order", () =>
        withStore((store) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* store.list(""), [])
            yield* Effect.forEach(["b/2", "a/1", "b/1", "b0"], (key) => store.put(key, bytes(key)))
            assert.deepStrictEqual(yield* store.list(""), ["a/1", "b/1", "b/2", "b0"])
            assert.deepStrictEqual(yield* store.list("b/"), ["b/1", "b/2"])
          }),
        ),
      )

      it.effect("refuses keys that leave the store", () =>
        withStore((store) =>
          Effect.gen(function* () {
            for (const key of ["../x", "a/../../x", "/etc/passwd", "", "a//b", "a/./b", "a\\b", "a/\0"]) {
              assert.strictEqual((yield* Effect.flip(store.put(key, bytes("x"))))._tag, "ObjectStoreError", key)
              assert.strictEqual((yield* Effect.flip(store.get(key)))._tag, "ObjectStoreError", key)
            }
          }),
        ),
      )

      it.effect("refuses a source that is a link or is not there", () =>
        withStore((store, root) =>
          Effect.gen(function* () {
            yield* Effect.promise(() => Fs.symlink("/etc/hostname", join(root, "link")))
            for (const source of ["link", "nowhere"]) {
              const error = yield* Effect.flip(store.putFile("k", join(root, source)))
              assert.strictEqual(error._tag, "ObjectStoreError")
            }
            assert.isTrue(Option.isNone(yield* store.info("k")))
          }),
        ),
      )
    })
  })
}
