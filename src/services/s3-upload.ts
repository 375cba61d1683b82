import * as Effect from "effect/Effect"
import type { Sha256 } from "../domain/sha256.ts"
import type { FileFailed } from "./durable-files.ts"
import type { FileChanged, FileParts, Part } from "./file-parts.ts"
import * as Memory from "./memory.ts"
import type { PutOptions } from "./object-store.ts"
import { patiently, type S3Client } from "./s3-client.ts"
import { damaged, type S3Failed } from "./s3-errors.ts"

/** An object's place in a bucket. */
export interface Target {
  readonly bucket: string
  readonly key: string
}

const described = (sha256: Sha256, { lock, storageClass }: PutOptions) => ({
  Metadata: { sha256 },
  ...(storageClass === undefined ? {} : { StorageClass: storageClass as "STANDARD" }),
  ...(lock === undefined ? {} : { ObjectLockMode: lock.mode, ObjectLockRetainUntilDate: lock.until }),
})

/** A server that says nothing of the digest has not checked it. */
const otherDigest = (sent: string) => (answer: { readonly ChecksumSHA256?: string | undefined }) =>
  answer.ChecksumSHA256 === sent
    ? undefined
    : `the server took bytes with the SHA-256 ${answer.ChecksumSHA256 ?? "unsaid"}, those that were sent have ${sent}`

/** `ChecksumSHA256` of a whole that was sent in parts: the digest of the parts' digests, and their number. */
export const composite = (parts: ReadonlyArray<Pick<Part, "sha256">>): string => {
  const hasher = new Bun.CryptoHasher("sha256")
  for (const { sha256 } of parts) hasher.update(Buffer.from(sha256, "base64"))
  return `${hasher.digest("base64")}-${parts.length}`
}

/** Creates an object in one request; fails with `PreconditionFailed` when there is one. `checksum` is in base64. */
export const putWhole = (
  { call }: S3Client,
  { bucket, key }: Target,
  content: { readonly bytes: Uint8Array; readonly sha256: Sha256; readonly checksum: string },
  options: PutOptions,
) =>
  call({
    operation: "store",
    bucket,
    send: (s3, http) =>
      s3.putObject(
        {
          Bucket: bucket,
          Key: key,
          Body: content.bytes,
          ContentLength: content.bytes.length,
          IfNoneMatch: "*",
          ChecksumAlgorithm: "SHA256",
          ChecksumSHA256: content.checksum,
          ...described(content.sha256, options),
        },
        http,
      ),
    check: otherDigest(content.checksum),
  })

/**
 * Creates an object from the parts of a file, `parallel` at a time, each in a buffer of its own that is used again. Where
 * it fails or is interrupted the upload is aborted, so that no parts are left. Fails with `PreconditionFailed` when there
 * is an object.
 */
export const putParts = (
  { call, once }: S3Client,
  { bucket, key }: Target,
  file: FileParts,
  parallel: number,
  options: PutOptions,
): Effect.Effect<void, S3Failed | FileFailed | FileChanged> => {
  const at = { Bucket: bucket, Key: key }
  const begin = call({
    operation: "begin to store",
    bucket,
    send: (s3, http) =>
      s3.createMultipartUpload(
        { ...at, ChecksumAlgorithm: "SHA256", ChecksumType: "COMPOSITE", ...described(file.sha256, options) },
        http,
      ),
    check: ({ UploadId }) => (UploadId === undefined ? "the server names no upload" : undefined),
  })
  /** A part that arrives meanwhile can keep an upload alive: it is aborted until the server no longer knows it. */
  const abort = (UploadId: string | undefined) =>
    once({
      operation: "abort an upload",
      bucket,
      send: (s3, http) => s3.abortMultipartUpload({ ...at, UploadId }, http),
    }).pipe(
      Effect.andThen(
        once({
          operation: "look at an upload",
          bucket,
          send: (s3, http) => s3.listParts({ ...at, UploadId, MaxParts: 1 }, http),
        }),
      ),
      Effect.andThen(Effect.fail(damaged("abort an upload", "it is still there"))),
      Effect.catchIf(
        ({ code }) => code === "NoSuchUpload",
        () => Effect.void,
      ),
      patiently,
      Effect.ignore,
    )
  const largest = Math.max(...file.parts.map(({ bytes }) => bytes))
  const use = (UploadId: string | undefined) =>
    Effect.gen(function* () {
      const free: Array<Uint8Array> = []
      const tidy = Memory.tidyEvery({ bytes: largest * parallel, pieces: file.parts.length })
      const putPart = (part: Part) =>
        Effect.gen(function* () {
          const buffer = free.pop() ?? new Uint8Array(largest)
          const bytes = yield* file.read(part, buffer)
          const { ETag } = yield* call({
            operation: `store part ${part.number} of ${file.parts.length}`,
            bucket,
            send: (s3, http) =>
              s3.uploadPart(
                {
                  ...at,
                  UploadId,
                  PartNumber: part.number,
                  Body: bytes,
                  ContentLength: bytes.length,
                  ChecksumAlgorithm: "SHA256",
                  ChecksumSHA256: part.sha256,
                },
                http,
              ),
            check: otherDigest(part.sha256),
          })
          free.push(buffer)
          yield* tidy(bytes.length)
          return { PartNumber: part.number, ETag, ChecksumSHA256: part.sha256 }
        })
      const Parts = yield* Effect.forEach(file.parts, putPart, { concurrency: parallel })
      yield* file.stillAsLong
      const expected = composite(file.parts)
      yield* call({
        operation: "complete",
        bucket,
        send: (s3, http) =>
          s3.completeMultipartUpload(
            { ...at, UploadId, IfNoneMatch: "*", ChecksumType: "COMPOSITE", MultipartUpload: { Parts } },
            http,
          ),
        check: ({ ChecksumSHA256 = expected }) => otherDigest(expected)({ ChecksumSHA256 }),
      })
    })
  return Effect.acquireRelease(
    begin,
    ({ UploadId }, exit) => (exit._tag === "Success" ? Effect.void : abort(UploadId)),
    { interruptible: true },
  ).pipe(
    Effect.flatMap(({ UploadId }) => use(UploadId)),
    Effect.scoped,
  )
}
