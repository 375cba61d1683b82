import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Rung } from "../../../src/domain/config/evacuation.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"
import { UsualPatience } from "../../../src/services/evacuation/s3-requests.ts"
import * as Push from "../../../tasks/evacuate/push/run.ts"
import * as Verify from "../../../tasks/evacuate/verify/run.ts"
import * as Workplace from "../../tasks/workplace.ts"
import * as Place from "../../support/evacuation-place.ts"
import * as HttpProxy from "../../support/http-proxy.ts"
import { awsEndpoint } from "../../support/servers/scoped.ts"
import { open } from "../../support/plain-reading.ts"
import * as S3Place from "../../support/s3-place.ts"
import { pattern } from "./destination-contract.ts"

const input = { incident: Place.incident }
const large = pattern(11 << 20)
const files = [
  ...["a", "b", "c"].map((name) => ({ path: `models/${name}`, bytes: name.repeat(1000) })),
  { path: "models/large", bytes: large },
  { path: "logs/x", bytes: "log", to: "evidence", value: 40 },
] as const

type Handler = HttpProxy.Handler
type Request = Parameters<Handler>[0]

const isPut = ({ method, url }: Request, part = "") => method === "PUT" && url.includes(part)
const quick = Layer.succeed(UsualPatience, { firstMillis: 1, times: 2 })

/** An evacuation to a bucket behind a proxy that does so with each request; the sealed folder is the last rung. */
const evacuation = (handle: Handler, options: { readonly lock?: Rung["lock"]; readonly bucketLock?: boolean } = {}) =>
  Effect.gen(function* () {
    const s3 = yield* S3Place.S3Place
    const bucket = yield* s3.bucket({ lock: options.bucketLock === true })
    const requests: Array<Request> = []
    const { url } = yield* HttpProxy.start(s3.endpoint, (request, forward) => {
      requests.push(request)
      return handle(request, forward)
    })
    const location = `s3://${bucket}/pre`
    const place = yield* Place.make({
      storage: { s3: { ...s3.section, endpoint: url } },
      evacuation: {
        parallel: 2,
        destinations: [{ name: "bucket", location, ...(options.lock === undefined ? {} : { lock: options.lock }) }],
      },
    })
    yield* place.plant(files)
    const push = Effect.gen(function* () {
      return yield* Push.run(input, open).pipe(Effect.provide(Layer.merge(yield* place.call(), quick)))
    })
    const put = (key: string, Body: string) => s3.sdk.putObject({ Bucket: bucket, Key: `pre/${key}`, Body })
    const verify = Effect.gen(function* () {
      yield* Place.noteManifests(place.folder, { rung: "bucket", location, put })
      return yield* Verify.run(input).pipe(Effect.provide(Layer.merge(yield* place.call(), quick)))
    })
    return { ...place, bucket, s3, push, verify, requests }
  })

const altered = (answer: HttpProxy.Answer, headers: Record<string, string>): HttpProxy.Answer => ({
  ...answer,
  headers: { ...answer.headers, ...headers },
})
const other = Buffer.from(Sha256.of("other bytes"), "hex").toString("base64")
const storedNothing = ({ headers }: Request): HttpProxy.Answer => ({
  status: 200,
  headers: { etag: '"0"', "x-amz-checksum-sha256": String(headers["x-amz-checksum-sha256"]) },
  body: Buffer.alloc(0),
})

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

    it.effect("denies some keys takes the others, and is never complete", () =>
      Effect.gen(function* () {
        const { lines, push, verify } = yield* evacuation(async (request, forward) =>
          isPut(request, "models/b") ? S3Place.failing(403, "AccessDenied") : forward(),
        )
        assert.deepInclude(yield* push, { rung: "bucket", objects: 4, notTaken: 1, complete: false })
        const [line] = yield* lines("not-taken.ndjson")
        assert.match(line.reason, /access to the bucket .* is denied/)
        const said = yield* verify
        assert.isFalse(said.complete)
        assert.isFalse(said.latest.moved)
        assert.isTrue(said.problems.some((problem) => /models\/b was not taken: .* denied/.test(problem)))
      }),
    )

    it.effect("begins to answer with another checksum is left for the next rung, which gets everything", () =>
      Effect.gen(function* () {
        for (const part of ["models/c", "partNumber=2"]) {
          const { push } = yield* evacuation(async (request, forward) => {
            const answer = await forward()
            return isPut(request, part) ? altered(answer, { "x-amz-checksum-sha256": other }) : answer
          })
          const pushed = yield* push
          assert.deepInclude(pushed, { rung: "sealed", objects: files.length, complete: true })
          assert.deepInclude(pushed.refusals[0], { rung: "bucket", refused: true })
        }
      }),
    )

    it.effect("answers the end of an upload in parts with another checksum is left for the next rung", () =>
      Effect.gen(function* () {
        const { push } = yield* evacuation(async (request, forward) => {
          const answer = await forward()
          if (request.method !== "POST" || !request.url.includes("uploadId")) return answer
          const body = answer.body.toString().replace(/<ChecksumSHA256>[^<]*/, `<ChecksumSHA256>${other}-3`)
          return { ...answer, headers: { ...answer.headers, "content-length": undefined }, body: Buffer.from(body) }
        })
        const pushed = yield* push
        assert.deepInclude(pushed, { rung: "sealed", objects: files.length })
        assert.match(pushed.refusals[0]?.reason ?? "", /it answers with the SHA-256/)
      }),
    )

    it.effect("begins to store nothing is found out by verifying, with the list, and never moves latest", () =>
      Effect.gen(function* () {
        let isBroken = true
        const { push, verify } = yield* evacuation(async (request, forward) =>
          isBroken && isPut(request, "models/a") ? storedNothing(request) : forward(),
        )
        assert.deepInclude(yield* push, { rung: "bucket", objects: files.length })
        const said = yield* verify
        assert.deepInclude(said, {
          failed: 1,
          complete: false,
          problems: [`${Place.snapshot}/models/a: it is not there`],
        })
        assert.isFalse(said.latest.moved)
        isBroken = false
        assert.deepInclude(yield* push, { rung: "bucket", objects: files.length, sent: 1000, complete: true })
        assert.deepInclude(yield* verify, { failed: 0, complete: true, latest: { moved: true } })
      }),
    )

    it.effect("loses answers has everything once", () =>
      Effect.gen(function* () {
        const lost = new Set<string>()
        const { bucket, push, s3, verify } = yield* evacuation(async (request, forward) => {
          const answer = await forward()
          const name = `${request.method} ${request.url}`
          if (request.method === "GET" || request.method === "HEAD" || lost.has(name)) return answer
          lost.add(name)
          return request.method === "POST" && request.url.includes("uploadId=") ? { ...answer, cutAt: 10 } : undefined
        })
        assert.deepInclude(yield* push, { rung: "bucket", objects: files.length, complete: true })
        assert.deepInclude(yield* verify, { failed: 0, complete: true })
        const Key = `pre/${Place.snapshot}/models/large`
        const { Body } = yield* Effect.promise(() => s3.sdk.getObject({ Bucket: bucket, Key }))
        const back = yield* Effect.promise(() => Body?.transformToByteArray() ?? Promise.resolve(new Uint8Array()))
        assert.strictEqual(Sha256.of(back), Sha256.of(large))
      }),
    )

    it.effect("lets credentials expire in the middle is given those that the profile has then", () =>
      Effect.gen(function* () {
        // A server that takes any keys.
        const s3 = S3Place.at(yield* awsEndpoint)
        const bucket = yield* s3.bucket()
        const root = yield* Workplace.project
        const credentials = join(root, "credentials")
        const write = async (id: string) => {
          const keys = `aws_access_key_id=${id}\naws_secret_access_key=testing`
          await Fs.writeFile(`${credentials}.new`, `[other-account]\n${keys}\n`)
          await Fs.rename(`${credentials}.new`, credentials)
        }
        yield* Effect.promise(() => write("first"))
        yield* Effect.acquireRelease(
          Effect.sync(() => void (process.env.AWS_SHARED_CREDENTIALS_FILE = credentials)),
          () => Effect.sync(() => void delete process.env.AWS_SHARED_CREDENTIALS_FILE),
        )
        const ids: Array<string> = []
        const { url } = yield* HttpProxy.start(s3.endpoint, async (request, forward) => {
          const id = /Credential=(\w+)/.exec(String(request.headers.authorization))?.[1] ?? ""
          ids.push(id)
          if (id === "second" || ids.length <= 12) return forward()
          await write("second")
          return S3Place.failing(400, "ExpiredToken")
        })
        const s3Section = { ...s3.section, endpoint: url }
        const rung = { name: "other", location: `s3://${bucket}`, s3: s3Section, profile: "other-account" }
        const place = yield* Place.make({ evacuation: { parallel: 2, destinations: [rung] } })
        yield* place.plant(files)
        const pushed = yield* Push.run(input, open).pipe(Effect.provide(Layer.merge(yield* place.call(), quick)))
        assert.deepStrictEqual(pushed.refusals, [])
        assert.deepInclude(pushed, { rung: "other", objects: files.length, complete: true })
        assert.deepStrictEqual([...new Set(ids.slice(0, 12))], ["first"])
        assert.include(ids, "second")
      }),
    )
  })
})
