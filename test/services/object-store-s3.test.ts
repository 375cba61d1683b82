import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it as plainIt, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Sha256 from "../../src/domain/sha256.ts"
import { parseLocation } from "../../src/services/object-store-s3.ts"
import * as S3Place from "../support/s3-place.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-objects-"))),
  (root) => Effect.promise(() => Fs.rm(root, { recursive: true, force: true })),
)
/** A file that is sent in three parts. */
const large = Effect.gen(function* () {
  const path = join(yield* folder, "large")
  yield* Effect.promise(() => Fs.writeFile(path, Buffer.alloc(11 * 2 ** 20, "some of many bytes ")))
  return path
})

const isPart = (url: string) => url.includes("partNumber=")
const part2 = (url: string) => url.includes("partNumber=2")

describe("a bucket as object store", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect("sends a large file in parts, each with its digest, and keeps the digest of the whole", () =>
      Effect.gen(function* () {
        const { bucket, place, requests, store, uploads } = yield* S3Place.through((_, forward) => forward())
        const path = yield* large
        const { sha256 } = yield* store.putFile("a/large", path)
        assert.strictEqual(requests.filter(isPart).length, 3)
        const head = yield* Effect.promise(() =>
          place.sdk.headObject({ Bucket: bucket, Key: "a/large", ChecksumMode: "ENABLED" }),
        )
        assert.deepStrictEqual(head.Metadata, { sha256 })
        assert.match(head.ChecksumSHA256 ?? "", /=-3$/)
        assert.strictEqual(yield* uploads, 0)
        const before = requests.length
        yield* store.putFile("a/large", path)
        assert.deepStrictEqual(requests.slice(before), ["HEAD /a/large"])
      }),
    )

    it.effect("names the storage class that an object is to have", () =>
      Effect.gen(function* () {
        const classes: Array<unknown> = []
        const { store } = yield* S3Place.through(({ headers, method, url }, forward) => {
          if (method === "PUT" || url.includes("?uploads")) classes.push(headers["x-amz-storage-class"])
          return forward()
        })
        yield* store.put("small", bytes("x"), { storageClass: "GLACIER_IR" })
        yield* store.put("other", bytes("x"))
        assert.deepStrictEqual(classes, ["GLACIER_IR", undefined])
      }),
    )

    it.effect("locks an object, so that its bytes cannot be removed", () =>
      Effect.gen(function* () {
        const { bucket, place, store } = yield* S3Place.through((_, forward) => forward(), { lock: true })
        const lock = { mode: "GOVERNANCE" as const, until: new Date(Date.now() + 3_600_000) }
        yield* store.put("small", bytes("x"), { lock })
        yield* store.put("small", bytes("x"), { lock })
        yield* store.putFile("large", yield* large, { lock })
        for (const Key of ["small", "large"]) {
          const { ObjectLockMode, VersionId } = yield* Effect.promise(() =>
            place.sdk.headObject({ Bucket: bucket, Key }),
          )
          assert.strictEqual(ObjectLockMode, "GOVERNANCE")
          const removed = yield* Effect.promise(() =>
            place.sdk.deleteObject({ Bucket: bucket, Key, ...(VersionId === undefined ? {} : { VersionId }) }).then(
              () => "removed",
              (error: Error) => error.name,
            ),
          )
          assert.strictEqual(removed, "AccessDenied")
        }
        yield* store.put("unlocked", bytes("y"))
        const error = yield* Effect.flip(store.put("unlocked", bytes("y"), { lock }))
        assert.include(error.message, "without the lock that was asked for")
        const other = yield* S3Place.through((_, forward) => forward())
        const refused = yield* Effect.flip(other.store.put("small", bytes("x"), { lock }))
        assert.include(refused.message, "for Object Lock the bucket has to be made with it")
      }),
    )

    it.effect("says that an object stands under a delete marker", () =>
      Effect.gen(function* () {
        const { bucket, place, store } = yield* S3Place.through((_, forward) => forward(), { lock: true })
        yield* store.put("k", bytes("x"))
        yield* Effect.promise(() => place.sdk.deleteObject({ Bucket: bucket, Key: "k" }))
        assert.isTrue(Option.isNone(yield* store.info("k")))
        assert.include((yield* Effect.flip(store.put("k", bytes("x")))).message, "delete marker")
      }),
    )

    it.effect("knows the bytes of an object that others stored without a digest", () =>
      Effect.gen(function* () {
        const { bucket, place, store } = yield* S3Place.through((_, forward) => forward())
        yield* Effect.promise(() => place.sdk.putObject({ Bucket: bucket, Key: "k", Body: "theirs" }))
        assert.deepStrictEqual(yield* store.get("k"), bytes("theirs"))
        assert.strictEqual((yield* store.put("k", bytes("theirs"))).sha256, Sha256.of("theirs"))
        assert.strictEqual((yield* Effect.flip(store.put("k", bytes("others"))))._tag, "ObjectExists")
      }),
    )

    it.effect("sends a part again of which the server says another digest, and gives up where it always does", () =>
      Effect.gen(function* () {
        let wrong = 1
        const { requests, store, uploads } = yield* S3Place.through(async ({ url }, forward) => {
          const answer = await forward()
          if (!part2(url) || wrong-- <= 0) return answer
          return { ...answer, headers: { ...answer.headers, "x-amz-checksum-sha256": "AAAA" } }
        })
        const path = yield* large
        yield* store.putFile("once", path)
        assert.strictEqual(requests.filter(part2).length, 2)
        wrong = 1_000
        const error = yield* Effect.flip(store.putFile("always", path))
        assert.match(error.message, /store part 2 of 3: the server took bytes with the SHA-256 AAAA/)
        assert.strictEqual(yield* uploads, 0)
        assert.isTrue(Option.isNone(yield* store.info("always")))
      }),
    )

    it.effect("reads again what was cut off, and never takes a part of an object for the whole", () =>
      Effect.gen(function* () {
        let cut = 0
        const { store } = yield* S3Place.through(async ({ method }, forward) => {
          const answer = await forward()
          return method === "GET" && cut-- > 0 ? { ...answer, cutAt: 1_000 } : answer
        })
        const content = bytes("many bytes ".repeat(1_000))
        yield* store.put("k", content)
        const out = join(yield* folder, "out")
        cut = 2
        assert.deepStrictEqual(yield* store.get("k"), content)
        cut = 1
        assert.strictEqual((yield* store.copyTo("k", out)).sha256, Sha256.of(content))
        cut = 1_000
        for (const failure of [Effect.asVoid(store.get("k")), Effect.asVoid(store.copyTo("k", `${out}2`))]) {
          assert.isTrue((yield* Effect.flip(failure)).transient)
        }
        assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(out, ".."))), ["out"])
      }),
    )

    it.effect("refuses bytes that are not those that were stored", () =>
      Effect.gen(function* () {
        const { store } = yield* S3Place.through(async ({ method }, forward) => {
          const answer = await forward()
          if (method === "GET") answer.body[0] = 65
          return answer
        })
        yield* store.put("k", bytes("hello"))
        const out = join(yield* folder, "out")
        for (const failure of [Effect.asVoid(store.get("k")), Effect.asVoid(store.copyTo("k", out))]) {
          const error = yield* Effect.flip(failure)
          assert.isFalse(error.transient)
          assert.include(error.message, `${Sha256.of("hello")} was stored: do not use them`)
        }
        assert.isFalse(yield* Effect.promise(() => Bun.file(out).exists()))
        const info = Option.getOrThrow(yield* store.info("k"))
        assert.strictEqual(info.sha256, Sha256.of("Aello"))
      }),
    )

    it.effect("tries again after passing failures, and aborts an upload that fails in the end", () =>
      Effect.gen(function* () {
        let failures = 2
        const { requests, store, uploads } = yield* S3Place.through(({ method, url }, forward) => {
          if (method === "PUT" && (part2(url) || !isPart(url)) && failures-- > 0) {
            return Promise.resolve(failures % 2 === 0 ? S3Place.failing(503, "SlowDown") : undefined)
          }
          return forward()
        })
        yield* store.put("small", bytes("x"))
        assert.deepStrictEqual(requests, Array(3).fill("PUT /small?x-id=PutObject"))
        failures = 1_000
        const error = yield* Effect.flip(store.putFile("large", yield* large))
        assert.isTrue(error._tag === "ObjectStoreError" && error.transient)
        assert.strictEqual(yield* uploads, 0)
        assert.strictEqual(requests.filter(part2).length, 4)
      }),
    )

    it.effect("takes an upload for complete whose last answer was lost", () =>
      Effect.gen(function* () {
        let lost = 0
        const { store } = yield* S3Place.through(async ({ method, url }, forward) => {
          const answer = await forward()
          return method === "POST" && url.includes("uploadId=") && lost++ === 0 ? undefined : answer
        })
        const path = yield* large
        const { sha256 } = yield* store.putFile("k", path)
        assert.isAtLeast(lost, 2)
        assert.strictEqual(Option.getOrThrow(yield* store.info("k")).sha256, sha256)
      }),
    )

    it.effect("aborts an upload that is interrupted", () =>
      Effect.gen(function* () {
        const waiting = yield* Deferred.make<void>()
        const parts = new Set<string>()
        const seen = (part: string) => {
          if (parts.add(part).size === 3) Deferred.doneUnsafe(waiting, Effect.void)
        }
        const { requests, store, uploads } = yield* S3Place.through(async ({ url }, forward) => {
          if (part2(url)) {
            seen(url)
            return new Promise(() => {})
          }
          const answer = await forward()
          if (isPart(url)) seen(url)
          return answer
        })
        const fiber = yield* Effect.forkChild(store.putFile("k", yield* large))
        yield* Deferred.await(waiting)
        assert.strictEqual(yield* uploads, 1)
        yield* Fiber.interrupt(fiber)
        assert.isTrue(requests.some((request) => request.startsWith("DELETE /k")))
        assert.strictEqual(yield* uploads, 0)
      }),
    )

    it.effect("finds out that a file changes while it is sent, and keeps nothing of it", () =>
      Effect.gen(function* () {
        const path = yield* large
        let change = (): Promise<void> => Fs.appendFile(path, "more")
        const { store, uploads } = yield* S3Place.through(async ({ url }, forward) => {
          if (url.includes("partNumber=1")) await change()
          return forward()
        })
        assert.include((yield* Effect.flip(store.putFile("longer", path))).message, "the source changed")
        change = async () => Fs.truncate(path, 11 * 2 ** 20 - 1)
        assert.include((yield* Effect.flip(store.putFile("shorter", path))).message, "the source changed")
        assert.deepStrictEqual(yield* store.list(""), ["checked"])
        assert.strictEqual(yield* uploads, 0)
      }),
    )

    it.effect("lists more keys than one answer holds", () =>
      Effect.gen(function* () {
        const { bucket, place, requests, store } = yield* S3Place.through((_, forward) => forward(), { lock: true })
        const keys = Array.from({ length: 1_050 }, (_, index) => `many/${index}`)
        yield* Effect.forEach(
          keys,
          (Key) => Effect.promise(() => place.sdk.putObject({ Bucket: bucket, Key, Body: "" })),
          {
            concurrency: 32,
          },
        )
        assert.deepStrictEqual(yield* store.list("many/"), keys.toSorted())
        assert.strictEqual(requests.length, 2)
        const versions = (yield* store.versions?.list("many/") ?? Effect.succeed([])).map(({ key }) => key)
        assert.deepStrictEqual(versions, keys.toSorted())
      }),
    )
  })

  plainIt("reads a location, or says what is wrong with it", () => {
    assert.deepStrictEqual(parseLocation("s3://bucket"), { bucket: "bucket", prefix: "" })
    assert.deepStrictEqual(parseLocation("s3://a-b.c/worm/"), { bucket: "a-b.c", prefix: "worm" })
    assert.deepStrictEqual(parseLocation("s3://bucket/a/b"), { bucket: "bucket", prefix: "a/b" })
    for (const location of ["s3://", "s3://A/x", "s3:///x", "s3://b/x", "s3:bucket", "s3://user@bucket/x"]) {
      assert.include(parseLocation(location), "a location in S3 is s3://bucket/prefix", location)
    }
    assert.include(parseLocation("s3://bucket/../x"), "the prefix has the part")
    assert.include(parseLocation("s3://bucket/a//b"), "the prefix has the part")
  })
})
