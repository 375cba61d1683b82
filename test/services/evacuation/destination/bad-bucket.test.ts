import { assert, describe, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Push from "../../../../tasks/evacuate/push/run.ts"
import * as Place from "../../../support/evacuation-place.ts"
import { open } from "../../../support/plain-reading.ts"
import * as S3Place from "../../../support/s3-place.ts"
import { altered, evacuation, files, type Handler, input, isPut, other, storedNothing } from "./bad-bucket.ts"

/** Buckets that take nothing: passed over with a reason, for the next rung. */
const passedOver: ReadonlyArray<readonly [what: string, handle: Handler, refused: boolean, reason: RegExp]> = [
  [
    "fails every upload",
    async (request, forward) => (isPut(request) ? S3Place.failing(500, "InternalError") : forward()),
    false,
    /InternalError/,
  ],
  ["is throttled for good", async () => S3Place.failing(503, "SlowDown"), false, /SlowDown/],
  ["breaks off every connection", async () => undefined, false, /cannot be reached or broke off/],
  [
    "is in another region",
    async () => S3Place.failing(301, "PermanentRedirect", "no", { "x-amz-bucket-region": "eu-west-1" }),
    false,
    /not in the region us-east-1 but in eu-west-1/,
  ],
  [
    "says that the clock is skewed",
    async () => S3Place.failing(403, "RequestTimeTooSkewed"),
    false,
    /the clock of this machine/,
  ],
  [
    "says that the token has expired",
    async () => S3Place.failing(400, "ExpiredToken"),
    false,
    /the credentials have expired/,
  ],
  ["denies access", async () => S3Place.failing(403, "AccessDenied"), false, /access to the bucket .* is denied/],
  ["is not there", async () => S3Place.failing(404, "NoSuchBucket"), false, /there is no bucket/],
  [
    "is no S3 server",
    async () => ({ status: 200, headers: {}, body: Buffer.from("hello") }),
    true,
    /it said that it took|the server says that it took/,
  ],
  [
    "cuts off what it is asked for",
    async (request, forward) => {
      const answer = await forward()
      return request.method === "GET" && answer.status === 200
        ? { ...answer, cutAt: Math.floor(answer.body.length / 2) }
        : answer
    },
    false,
    /cut off|broke off/,
  ],
  [
    "answers with another checksum",
    async (request, forward) => {
      const answer = await forward()
      return isPut(request) && answer.status === 200 ? altered(answer, { "x-amz-checksum-sha256": other }) : answer
    },
    true,
    /it answers with the SHA-256/,
  ],
  [
    "says ok and stores nothing",
    async (request, forward) => (isPut(request) ? storedNothing(request) : forward()),
    true,
    /it is not there/,
  ],
  [
    "replaces objects whatever it is told",
    async (request, forward) =>
      isPut(request) && (await forward()).status === 412 ? storedNothing(request) : forward(),
    true,
    /replaces an object/,
  ],
]

describe("an evacuation to a bucket that", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    for (const [what, handle, refused, reason] of passedOver) {
      it.effect(`${what} passes it over, says why, and takes everything to the next rung`, () =>
        Effect.gen(function* () {
          const { push } = yield* evacuation(handle)
          const pushed = yield* push
          assert.deepInclude(pushed, { rung: "sealed", away: false, objects: files.length, complete: true })
          assert.deepStrictEqual(
            pushed.refusals.map(({ rung, ...rest }) => ({ rung, refused: rest.refused })),
            [{ rung: "bucket", refused }],
          )
          assert.match(pushed.refusals[0]?.reason ?? "", reason)
        }),
      )
    }

    it.effect("never answers is passed over in time for the deadline", () =>
      Effect.gen(function* () {
        const { call } = yield* evacuation(() => new Promise(() => {}))
        const now = yield* Clock.currentTimeMillis
        const services = yield* call({ began: now, deadline: now + 8000 })
        const pushed = yield* Push.run(input, open).pipe(Effect.provide(services))
        assert.deepInclude(pushed, { rung: "sealed", objects: files.length, complete: true })
        assert.match(pushed.refusals[0]?.reason ?? "", /did not answer within \d+ ms/)
      }),
    )

    it.effect("has no lock is refused where the rung requires one, and used without where it does not", () =>
      Effect.gen(function* () {
        const lock = { mode: "COMPLIANCE", days: 1 } as const
        const required = yield* evacuation((_, forward) => forward(), { lock: { ...lock, required: true } })
        const refused = yield* required.push
        assert.deepInclude(refused, { rung: "sealed", complete: true })
        assert.deepInclude(refused.refusals[0], { rung: "bucket", refused: true })
        assert.match(refused.refusals[0]?.reason ?? "", /does not lock objects/)
        const { push } = yield* evacuation((_, forward) => forward(), { lock })
        assert.deepInclude(yield* push, { rung: "bucket", complete: true, refusals: [] })
      }),
    )

    it.effect("says nothing of the lock that was asked for is refused where the rung requires one", () =>
      Effect.gen(function* () {
        const silent: Handler = async (request, forward) => {
          const answer = await forward()
          if (request.method !== "HEAD") return answer
          const { "x-amz-object-lock-mode": _, ...headers } = answer.headers
          return { ...answer, headers }
        }
        const lock = { mode: "GOVERNANCE", days: 1, required: true } as const
        const { push } = yield* evacuation(silent, { lock, bucketLock: true })
        const { refusals, rung } = yield* push
        assert.strictEqual(rung, "sealed")
        assert.match(refusals[0]?.reason ?? "", /says nothing of GOVERNANCE/)
      }),
    )

    it.effect("locks has its lock on the evidence, and not on the snapshot", () =>
      Effect.gen(function* () {
        const lock = { mode: "GOVERNANCE", days: 1, required: true } as const
        const { bucket, push, s3, verify } = yield* evacuation((_, forward) => forward(), { lock, bucketLock: true })
        assert.deepInclude(yield* push, { rung: "bucket", complete: true })
        const head = (key: string) => Effect.promise(() => s3.sdk.headObject({ Bucket: bucket, Key: `pre/${key}` }))
        assert.strictEqual((yield* head(`${Place.evidence}/logs/x`)).ObjectLockMode, "GOVERNANCE")
        assert.isUndefined((yield* head(`${Place.snapshot}/models/large`)).ObjectLockMode)
        assert.deepInclude(yield* verify, { complete: true, failed: 0, latest: { moved: true } })
      }),
    )
  })
})
