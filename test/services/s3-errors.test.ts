import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as HttpProxy from "../support/http-proxy.ts"
import * as S3Place from "../support/s3-place.ts"
import { ownAws, ownS3 } from "../support/servers/scoped.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-objects-"))),
  (root) => Effect.promise(() => Fs.rm(root, { recursive: true, force: true })),
)

describe("a bucket that does not do what it should", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    const refusals: ReadonlyArray<readonly [what: string, answer: HttpProxy.Answer, message: RegExp]> = [
      [
        "denied access",
        S3Place.failing(403, "AccessDenied"),
        /access to the bucket test-\S+ is denied: allow this user to store/,
      ],
      ["an expired token", S3Place.failing(400, "ExpiredToken"), /the credentials have expired: sign in again/],
      [
        "a key that is not known",
        S3Place.failing(403, "InvalidAccessKeyId"),
        /does not know the access key: look at AWS_ACCESS_KEY_ID/,
      ],
      ["a wrong clock", S3Place.failing(403, "RequestTimeTooSkewed"), /the clock of this machine/],
      [
        "another region",
        S3Place.failing(301, "PermanentRedirect", "elsewhere", { "x-amz-bucket-region": "eu-west-1" }),
        /not in the region us-east-1 but in eu-west-1: set storage.s3.region/,
      ],
      [
        "a request that it does not know",
        S3Place.failing(400, "Whatever", "You must not"),
        /answers 400 You must not \(Whatever\)/,
      ],
    ]
    for (const [what, answer, message] of refusals) {
      it.effect(`says in a sentence what to do about ${what}, and does not ask again`, () =>
        Effect.gen(function* () {
          const { requests, store } = yield* S3Place.through(() => Promise.resolve(answer))
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
        const { store } = yield* S3Place.through(({ headers }, forward) => {
          if (asked++ === 0) return Promise.resolve(S3Place.failing(403, "RequestTimeTooSkewed", "late", { date }))
          const hour = new Date(date).toISOString().slice(0, 13).replaceAll("-", "")
          assert.include(String(headers["x-amz-date"]), hour)
          return asked === 2 ? Promise.resolve(S3Place.failing(403, "AccessDenied")) : forward()
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
        yield* Effect.promise(() => server.stop("SIGKILL"))
        const error = yield* Effect.flip(store.put("l", bytes("x")))
        assert.include(error.message, "the server cannot be reached")
        assert.deepInclude(error, { transient: true, notApplied: true })
        const nowhere = { ...place.section, endpoint: "http://no-such-host.invalid" }
        const lost = yield* Effect.flip((yield* S3Place.opened(nowhere, `s3://${bucket}`)).get("k"))
        assert.include(lost.message, "the server cannot be reached")
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

    it.effect("shows no key and no signature, whatever the server says", () =>
      Effect.gen(function* () {
        const { store } = yield* S3Place.through(({ headers }) =>
          Promise.resolve(S3Place.failing(400, "Odd", `${headers.authorization} Signature=abc0123 and testing`)),
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
})
