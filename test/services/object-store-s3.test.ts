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
import * as HttpProxy from "../support/http-proxy.ts"
import * as S3Place from "../support/s3-place.ts"
import { ownAws, ownS3 } from "../support/servers/scoped.ts"

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

/** A store in a new bucket, with a proxy between that does so with each request after the check. */
const through = (handle: HttpProxy.Handler, options: { readonly lock?: boolean } = {}) =>
  Effect.gen(function* () {
    const place = yield* S3Place.S3Place
    const bucket = yield* place.bucket(options)
    const requests: Array<string> = []
    let isOn = false
    const { url } = yield* HttpProxy.start(place.endpoint, (request, forward) => {
      if (!isOn) return forward()
      const { method } = request
      requests.push(`${method} ${request.url.replace(/^\/[^/?]*/, "").replace(/uploadId=[^&]*/, "uploadId=…")}`)
      return handle(request, forward)
    })
    const store = yield* S3Place.opened({ ...place.section, endpoint: url }, `s3://${bucket}`)
    yield* store.put("checked", bytes("now the server is checked"))
    isOn = true
    const uploads = Effect.promise(() => place.sdk.listMultipartUploads({ Bucket: bucket })).pipe(
      Effect.map(({ Uploads = [] }) => Uploads.length),
    )
    return { store, bucket, requests, uploads, place }
  })

const failing = (
  status: number,
  code: string,
  message = "no",
  headers: Record<string, string> = {},
): HttpProxy.Answer => ({
  status,
  headers: { "content-type": "application/xml", ...headers },
  body: Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`),
})
const isPart = (url: string) => url.includes("partNumber=")
const part2 = (url: string) => url.includes("partNumber=2")

describe("a bucket as object store", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect("sends a large file in parts, each with its digest, and keeps the digest of the whole", () =>
      Effect.gen(function* () {
        const { bucket, place, requests, store, uploads } = yield* through((_, forward) => forward())
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
        const { store } = yield* through(({ headers, method, url }, forward) => {
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
        const { bucket, place, store } = yield* through((_, forward) => forward(), { lock: true })
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
        const other = yield* through((_, forward) => forward())
        const refused = yield* Effect.flip(other.store.put("small", bytes("x"), { lock }))
        assert.include(refused.message, "for Object Lock the bucket has to be made with it")
      }),
    )

    it.effect("says that an object stands under a delete marker", () =>
      Effect.gen(function* () {
        const { bucket, place, store } = yield* through((_, forward) => forward(), { lock: true })
        yield* store.put("k", bytes("x"))
        yield* Effect.promise(() => place.sdk.deleteObject({ Bucket: bucket, Key: "k" }))
        assert.isTrue(Option.isNone(yield* store.info("k")))
        assert.include((yield* Effect.flip(store.put("k", bytes("x")))).message, "delete marker")
      }),
    )

    it.effect("knows the bytes of an object that others stored without a digest", () =>
      Effect.gen(function* () {
        const { bucket, place, store } = yield* through((_, forward) => forward())
        yield* Effect.promise(() => place.sdk.putObject({ Bucket: bucket, Key: "k", Body: "theirs" }))
        assert.deepStrictEqual(yield* store.get("k"), bytes("theirs"))
        assert.strictEqual((yield* store.put("k", bytes("theirs"))).sha256, Sha256.of("theirs"))
        assert.strictEqual((yield* Effect.flip(store.put("k", bytes("others"))))._tag, "ObjectExists")
      }),
    )

    it.effect("sends a part again of which the server says another digest, and gives up where it always does", () =>
      Effect.gen(function* () {
        let wrong = 1
        const { requests, store, uploads } = yield* through(async ({ url }, forward) => {
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
        const { store } = yield* through(async ({ method }, forward) => {
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
        const { store } = yield* through(async ({ method }, forward) => {
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
        const { requests, store, uploads } = yield* through(({ method, url }, forward) => {
          if (method === "PUT" && (part2(url) || !isPart(url)) && failures-- > 0) {
            return Promise.resolve(failures % 2 === 0 ? failing(503, "SlowDown") : undefined)
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
        const { store } = yield* through(async ({ method, url }, forward) => {
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
        const { requests, store, uploads } = yield* through(async ({ url }, forward) => {
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
        const { store, uploads } = yield* through(async ({ url }, forward) => {
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

    const refusals: ReadonlyArray<readonly [what: string, answer: HttpProxy.Answer, message: RegExp]> = [
      [
        "denied access",
        failing(403, "AccessDenied"),
        /access to the bucket test-\S+ is denied: allow this user to store/,
      ],
      ["an expired token", failing(400, "ExpiredToken"), /the credentials have expired: sign in again/],
      [
        "a key that is not known",
        failing(403, "InvalidAccessKeyId"),
        /does not know the access key: look at AWS_ACCESS_KEY_ID/,
      ],
      ["a wrong clock", failing(403, "RequestTimeTooSkewed"), /the clock of this machine/],
      [
        "another region",
        failing(301, "PermanentRedirect", "elsewhere", { "x-amz-bucket-region": "eu-west-1" }),
        /not in the region us-east-1 but in eu-west-1: set storage.s3.region/,
      ],
      [
        "a request that it does not know",
        failing(400, "Whatever", "You must not"),
        /answers 400 You must not \(Whatever\)/,
      ],
    ]
    for (const [what, answer, message] of refusals) {
      it.effect(`says in a sentence what to do about ${what}, and does not ask again`, () =>
        Effect.gen(function* () {
          const { requests, store } = yield* through(() => Promise.resolve(answer))
          const error = yield* Effect.flip(store.put("k", bytes("x")))
          assert.match(error.message, message)
          assert.deepInclude(error, { transient: false, notApplied: true })
          assert.strictEqual(requests.length, 1)
        }),
      )
    }

    it.effect("corrects the clock by the server's answer", () =>
      Effect.gen(function* () {
        const date = new Date(Date.now() + 3 * 3_600_000).toUTCString()
        let asked = 0
        const { store } = yield* through(({ headers }, forward) => {
          if (asked++ === 0) return Promise.resolve(failing(403, "RequestTimeTooSkewed", "late", { date }))
          const hour = new Date(date).toISOString().slice(0, 13).replaceAll("-", "")
          assert.include(String(headers["x-amz-date"]), hour)
          return asked === 2 ? Promise.resolve(failing(403, "AccessDenied")) : forward()
        })
        assert.include((yield* Effect.flip(store.put("k", bytes("x")))).message, "is denied")
        assert.strictEqual(asked, 2)
      }),
    )

    it.effect("says that there is no such bucket, and no server", () =>
      Effect.gen(function* () {
        const { section } = yield* S3Place.S3Place
        const missing = yield* S3Place.opened(section, "s3://no-such-bucket/p")
        for (const failure of [missing.put("k", bytes("x")), Effect.asVoid(missing.list("")), missing.info("k")]) {
          assert.include(
            (yield* Effect.flip(failure as Effect.Effect<unknown, Error>)).message,
            "there is no bucket no-such-bucket",
          )
        }
        const server = yield* ownS3
        const place = S3Place.at(server.endpoint)
        const bucket = yield* place.bucket()
        const store = yield* S3Place.opened(place.section, `s3://${bucket}`)
        yield* store.put("k", bytes("kept"))
        yield* Effect.promise(() => server.kill())
        const error = yield* Effect.flip(store.put("l", bytes("x")))
        assert.include(error.message, "the server cannot be reached")
        assert.deepInclude(error, { transient: true })
        yield* Effect.acquireRelease(
          Effect.promise(() => server.again()),
          (again) => Effect.promise(() => again.stop()),
        )
        assert.deepStrictEqual(yield* store.get("k"), bytes("kept"))
      }),
    )

    const withEnvironment = <A, E, R>(values: Record<string, string | undefined>, use: Effect.Effect<A, E, R>) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const before = { ...process.env }
          for (const [name, value] of Object.entries(values)) {
            if (value === undefined) delete process.env[name]
            else process.env[name] = value
          }
          return before
        }),
        () => use,
        (before) => Effect.sync(() => Object.assign(process.env, before)),
      )

    it.effect("says that the credentials are wrong, and that there are none", () =>
      Effect.gen(function* () {
        const place = yield* S3Place.S3Place
        const location = `s3://${yield* place.bucket()}`
        const message = Effect.scoped(
          Effect.flatMap(S3Place.opened(place.section, location), (store) => Effect.flip(store.put("k", bytes("x")))),
        ).pipe(Effect.map((error) => error.message))
        const secret = yield* withEnvironment({ AWS_SECRET_ACCESS_KEY: "not-the-secret" }, message)
        assert.include(secret, "the secret key does not belong to the access key")
        assert.notInclude(secret, "not-the-secret")
        const none = yield* withEnvironment(
          { AWS_ACCESS_KEY_ID: undefined, AWS_EC2_METADATA_DISABLED: "true", HOME: yield* folder },
          message,
        )
        assert.include(none, "there are no credentials: set AWS_ACCESS_KEY_ID")
      }),
    )

    it.effect("waits no longer for an answer than it may", () =>
      Effect.gen(function* () {
        const place = yield* S3Place.S3Place
        const { url } = yield* HttpProxy.start(place.endpoint, () => new Promise(() => {}))
        const section = { ...place.section, endpoint: url, request_timeout: "150ms" }
        const store = yield* S3Place.opened(section, `s3://${yield* place.bucket()}`)
        const error = yield* Effect.flip(store.get("k"))
        assert.include(
          error.message,
          "no answer within 150 ms; look at the network, or raise storage.s3.request_timeout",
        )
        assert.isTrue(error.transient)
      }),
    )

    it.effect("lists more keys than one answer holds", () =>
      Effect.gen(function* () {
        const { bucket, place, requests, store } = yield* through((_, forward) => forward())
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
      }),
    )

    it.effect("shows no key and no signature, whatever the server says", () =>
      Effect.gen(function* () {
        const { store } = yield* through(({ headers }) =>
          Promise.resolve(failing(400, "Odd", `${headers.authorization} Signature=abc0123 and testing`)),
        )
        const { message } = yield* Effect.flip(store.put("k", bytes("x")))
        assert.include(message, "answers 400")
        assert.notMatch(message, /testing|abc0123|us-east-1\/s3/)
      }),
    )

    it.effect("stores nothing at a server that takes wrong digests, as moto does", () =>
      Effect.gen(function* () {
        const place = S3Place.at((yield* ownAws).endpoint)
        const bucket = yield* place.bucket()
        const store = yield* S3Place.opened(place.section, `s3://${bucket}/p`)
        const error = yield* Effect.flip(store.put("k", bytes("x")))
        assert.include(error.message, "takes bytes with another SHA-256 than the request names")
        const { KeyCount } = yield* Effect.promise(() => place.sdk.listObjectsV2({ Bucket: bucket }))
        assert.strictEqual(KeyCount, 0)
      }),
    )

    it.effect("stores nothing at a server that replaces objects in spite of If-None-Match", () =>
      Effect.gen(function* () {
        const place = yield* S3Place.S3Place
        const bucket = yield* place.bucket()
        const { url } = yield* HttpProxy.start(place.endpoint, async (_, forward) => {
          const answer = await forward()
          return answer.status === 412 ? { status: 200, headers: {}, body: Buffer.alloc(0) } : answer
        })
        const store = yield* S3Place.opened({ ...place.section, endpoint: url }, `s3://${bucket}/p`)
        const error = yield* Effect.flip(store.put("k", bytes("x")))
        assert.include(error.message, "replaces an object though the request says If-None-Match")
        assert.isTrue(Option.isNone(yield* store.info("k")))
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
