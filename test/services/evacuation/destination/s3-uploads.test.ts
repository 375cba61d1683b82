import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import * as Destination from "../../../../src/services/evacuation/destination/destination-s3.ts"
import { putBytes } from "../../../../src/services/evacuation/destination/given-bytes.ts"
import * as S3Place from "../../../support/s3-place.ts"
import { pattern } from "./destination-contract.ts"

const partBytes = 5 << 20
const bytes = pattern(2 * partBytes + 5)
const key = "snapshots/s/large"
const base64 = (part: Uint8Array) => Buffer.from(Sha256.of(part), "hex").toString("base64")

describe("uploads that were begun before", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect(
      "are gone on with where their parts are the same, and are aborted where there is a better one or none can be told",
      () =>
        Effect.gen(function* () {
          const { bucket: newBucket, sdk, section } = yield* S3Place.S3Place
          const Bucket = yield* newBucket()
          const at = { Bucket, Key: key }
          yield* Effect.promise(async () => {
            const begin = (digested: boolean) =>
              sdk.createMultipartUpload({ ...at, ...(digested ? { ChecksumAlgorithm: "SHA256" as const } : {}) })
            const send = (UploadId: string | undefined, PartNumber: number, Body: Uint8Array, digested: boolean) =>
              sdk.uploadPart({
                ...at,
                UploadId,
                PartNumber,
                Body,
                ...(digested ? { ChecksumSHA256: base64(Body) } : {}),
              })
            const plain = await begin(false)
            await send(plain.UploadId, 1, bytes.subarray(0, partBytes), false)
            await begin(true)
            const good = await begin(true)
            await send(good.UploadId, 1, bytes.subarray(0, partBytes), true)
            // Of an earlier state of the source, which was longer.
            await send(good.UploadId, 2, pattern(partBytes, 9), true)
            await send(good.UploadId, 4, pattern(partBytes, 9), true)
          })
          const trial = { trial: { lock: undefined, digests: true } }
          const place = { name: "bucket", bucket: Bucket, prefix: "", away: true, section }
          const destination = yield* Destination.open(place, trial, ["snapshots/s/"])
          const took = yield* putBytes(destination, key, bytes, false)
          assert.deepStrictEqual(took, {
            bytes: bytes.length,
            sha256: Sha256.of(bytes),
            sent: bytes.length - partBytes,
          })
          assert.strictEqual(Sha256.of(Option.getOrThrow(yield* destination.get(key))), Sha256.of(bytes))
          const { Uploads = [] } = yield* Effect.promise(() => sdk.listMultipartUploads({ Bucket }))
          assert.deepStrictEqual(Uploads, [])
        }),
    )

    it.effect("are aborted where the source is so small by now that it goes in one request", () =>
      Effect.gen(function* () {
        const { bucket: newBucket, sdk, section } = yield* S3Place.S3Place
        const Bucket = yield* newBucket()
        yield* Effect.promise(() => sdk.createMultipartUpload({ Bucket, Key: key, ChecksumAlgorithm: "SHA256" }))
        const trial = { trial: { lock: undefined, digests: true } }
        const place = { name: "bucket", bucket: Bucket, prefix: "", away: true, section }
        const destination = yield* Destination.open(place, trial, ["snapshots/s/"])
        assert.strictEqual((yield* putBytes(destination, key, "small", false)).sent, 5)
        const { Uploads = [] } = yield* Effect.promise(() => sdk.listMultipartUploads({ Bucket }))
        assert.deepStrictEqual(Uploads, [])
      }),
    )
  })
})
