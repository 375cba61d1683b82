import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { S3Section } from "../../src/domain/config/storage.ts"
import * as WormTrust from "../../src/services/worm-trust.ts"
import * as HttpProxy from "../support/http-proxy.ts"
import * as S3Place from "../support/s3-place.ts"

const probed = (section: S3Section, bucket: string, mode: "GOVERNANCE" | "COMPLIANCE") =>
  Effect.flatMap(S3Place.opened(section, `s3://${bucket}/worm`), (store) => WormTrust.probe(store, mode))

/** What is wrong with a bucket with Object Lock behind a proxy. */
const problemsThrough = (mode: "GOVERNANCE" | "COMPLIANCE", handle: HttpProxy.Handler) =>
  Effect.gen(function* () {
    const place = yield* S3Place.S3Place
    const bucket = yield* place.bucket({ lock: true })
    const { url } = yield* HttpProxy.start(place.endpoint, handle)
    const error = yield* Effect.flip(probed({ ...place.section, endpoint: url }, bucket, mode))
    return error._tag === "BucketUntrusted" ? error.problems : [error.message]
  })
const done: HttpProxy.Answer = { status: 204, headers: {}, body: Buffer.alloc(0) }
const notFound: HttpProxy.Answer = {
  status: 404,
  headers: { "content-type": "application/xml" },
  body: Buffer.from("<Error><Code>NoSuchVersion</Code><Message>gone</Message></Error>"),
}

describe("the trial of a bucket for write-once records", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect("trusts a bucket with versions and Object Lock, in either mode", () =>
      Effect.gen(function* () {
        const { bucket: newBucket, sdk, section } = yield* S3Place.S3Place
        const bucket = yield* newBucket({ lock: true })
        for (const mode of ["GOVERNANCE", "COMPLIANCE"] as const) {
          const { at, ...trust } = yield* probed(section, bucket, mode)
          assert.deepStrictEqual(trust, {
            location: `s3://${bucket}/worm`,
            mode,
            versioning: true,
            lock: true,
            removeVersion: "refused",
            overwrite: "kept",
            remove: "kept",
          })
          assert.isBelow(Math.abs(Date.parse(at) - Date.now()), 60_000)
        }
        const { Versions = [] } = yield* Effect.promise(() => sdk.listObjectVersions({ Bucket: bucket }))
        assert.deepStrictEqual([...new Set(Versions.map(({ Key = "" }) => Key.split("/")[1]))], [".dandori-check"])
      }),
    )

    it.effect("refuses a bucket without versions or without Object Lock, and puts nothing there", () =>
      Effect.gen(function* () {
        const { bucket: newBucket, sdk, section } = yield* S3Place.S3Place
        const bucket = yield* newBucket()
        const neither = yield* Effect.flip(probed(section, bucket, "GOVERNANCE"))
        assert.strictEqual(neither._tag, "BucketUntrusted")
        assert.include(neither.message, "it does not keep versions; it has no Object Lock. Make a bucket with")
        yield* Effect.promise(() =>
          sdk.putBucketVersioning({ Bucket: bucket, VersioningConfiguration: { Status: "Enabled" } }),
        )
        const versions = yield* Effect.flip(probed(section, bucket, "GOVERNANCE"))
        assert.deepInclude(versions, { problems: ["it has no Object Lock"] })
        assert.strictEqual((yield* Effect.promise(() => sdk.listObjectsV2({ Bucket: bucket }))).KeyCount, 0)
        const folder = yield* S3Place.opened({}, "/tmp/any")
        const error = yield* Effect.flip(WormTrust.probe(folder, "GOVERNANCE"))
        assert.include(error.message, "it is a folder, not a bucket")
      }),
    )

    it.effect("names a server that forgets the lock", () =>
      Effect.gen(function* () {
        const problems = yield* problemsThrough("COMPLIANCE", async ({ method }, forward) => {
          const { headers, ...answer } = await forward()
          if (method !== "HEAD") return { headers, ...answer }
          return { ...answer, headers: { ...headers, "x-amz-object-lock-mode": "GOVERNANCE" } }
        })
        assert.match(problems.join(), /^it does not lock an object in COMPLIANCE mode, or this user may not read locks/)
      }),
    )

    it.effect("names a server that removes what is locked, and one that keeps no bytes", () =>
      Effect.gen(function* () {
        const removed = yield* problemsThrough("GOVERNANCE", ({ method, url }, forward) =>
          method === "DELETE" && url.includes("versionId=") ? Promise.resolve(done) : forward(),
        )
        assert.deepStrictEqual(removed, ["it lets a locked version be removed"])
        let puts = 0
        const replaced = yield* problemsThrough("GOVERNANCE", ({ method, url }, forward) => {
          if (method === "PUT") puts++
          return method === "GET" && url.includes("versionId=") && puts === 2 ? Promise.resolve(notFound) : forward()
        })
        assert.deepStrictEqual(replaced, [
          "bytes that are put over an object replace it",
          "it lets a locked object be removed",
        ])
      }),
    )

    it.effect("does not take a server that cannot be reached for one that refuses", () =>
      Effect.gen(function* () {
        const [problem] = yield* problemsThrough("GOVERNANCE", ({ method }, forward) =>
          method === "DELETE" ? Promise.resolve(undefined) : forward(),
        )
        assert.include(problem, "the server cannot be reached or broke off")
      }),
    )
  })
})
