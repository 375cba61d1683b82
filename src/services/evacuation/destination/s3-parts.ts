import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { S3Failed } from "../../s3-errors.ts"
import { composite } from "../../s3-upload.ts"
import type { DestinationFailed } from "./destination.ts"
import { isTaken, type Known, type Lock, locked, lookAt, settle } from "./s3-objects.ts"
import type { Requests } from "./s3-requests.ts"

/** A part that the server has. `sha256` is in base64. */
export interface SentPart {
  readonly bytes: number
  readonly sha256: string
  readonly tag: string
}

/** An upload that is under way: of this process, or of one that was killed. */
export interface Upload {
  readonly id: string
  /** What the server has, by number. */
  readonly parts: Map<number, SentPart>
}

/** S3 takes no more parts than this. */
export const mostParts = 10_000

const isGone = ({ code }: S3Failed) => code === "NoSuchUpload"

/** Ids of the uploads that were begun and not ended, by key. */
export const unfinished = (requests: Requests, prefix: string) =>
  Effect.gen(function* () {
    const found = new Map<string, ReadonlyArray<string>>()
    let after: { readonly key: string | undefined; readonly id: string | undefined } | undefined
    do {
      const at = after
      const answer = yield* requests.call({
        operation: "list uploads",
        send: (s3, http) =>
          s3.listMultipartUploads(
            {
              Bucket: requests.bucket,
              Prefix: requests.fullKey(prefix),
              ...(at?.key === undefined ? {} : { KeyMarker: at.key }),
              ...(at?.id === undefined ? {} : { UploadIdMarker: at.id }),
            },
            http,
          ),
      })
      for (const { Key = "", UploadId = "" } of answer.Uploads ?? []) {
        const key = requests.relative(Key)
        found.set(key, [...(found.get(key) ?? []), UploadId])
      }
      const isMore = answer.IsTruncated === true && (answer.NextKeyMarker ?? "") !== ""
      after = isMore ? { key: answer.NextKeyMarker, id: answer.NextUploadIdMarker } : undefined
    } while (after !== undefined)
    return found
  })

/** An upload with the parts that the server has of it; None where it knows it no longer. Parts without a SHA-256 are sent again. */
const partsOf = (requests: Requests, key: string, id: string): Effect.Effect<Option.Option<Upload>, S3Failed> =>
  Effect.gen(function* () {
    const parts = new Map<number, SentPart>()
    let after: string | undefined
    do {
      const at = after
      const answer = yield* requests.call({
        operation: "list parts",
        send: (s3, http) =>
          s3.listParts(
            {
              Bucket: requests.bucket,
              Key: requests.fullKey(key),
              UploadId: id,
              ...(at === undefined ? {} : { PartNumberMarker: at }),
            },
            http,
          ),
      })
      for (const { ChecksumSHA256: sha256, ETag: tag, PartNumber = 0, Size: bytes } of answer.Parts ?? []) {
        if (sha256 !== undefined && tag !== undefined && bytes !== undefined)
          parts.set(PartNumber, { bytes, sha256, tag })
      }
      after = answer.IsTruncated === true ? answer.NextPartNumberMarker : undefined
    } while (after !== undefined)
    return Option.some({ id, parts })
  }).pipe(Effect.catchIf(isGone, () => Effect.succeedNone))

/** Ends an upload, and what it has of parts. */
export const abort = (requests: Requests, key: string, id: string) =>
  requests
    .call({
      operation: "abort an upload",
      send: (s3, http) =>
        s3.abortMultipartUpload({ Bucket: requests.bucket, Key: requests.fullKey(key), UploadId: id }, http),
    })
    .pipe(Effect.ignore)

/**
 * The upload of a key that has most parts already, of those that are under way; else a new one. The others are aborted.
 * undefined where one of them has ended and the object is there: who asked for its end has not heard of it.
 */
export const begin = (requests: Requests, key: string, lock: Lock | undefined, ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const found = yield* Effect.forEach(ids, (id) => partsOf(requests, key, id))
    const [best, ...others] = found.flatMap(Option.toArray).toSorted((a, b) => b.parts.size - a.parts.size)
    yield* Effect.forEach(others, ({ id }) => abort(requests, key, id))
    if (best !== undefined && best.parts.size > 0) return best
    if (best !== undefined) yield* abort(requests, key, best.id)
    if (found.some(Option.isNone) && Option.isSome(yield* lookAt(requests, key))) return undefined
    const retention = yield* locked(lock)
    const { UploadId: id } = yield* requests.call({
      operation: "begin to store",
      send: (s3, http) =>
        s3.createMultipartUpload(
          {
            Bucket: requests.bucket,
            Key: requests.fullKey(key),
            ChecksumAlgorithm: "SHA256",
            ChecksumType: "COMPOSITE",
            ...retention,
          },
          http,
        ),
      check: ({ UploadId }) => (UploadId === undefined ? "the server names no upload" : undefined),
    })
    return { id: id ?? "", parts: new Map<number, SentPart>() } satisfies Upload
  }).pipe(Effect.mapError(requests.failed("begin to store", key)))

/** Sends a part, in place of one that is there under its number. */
export const send = (
  requests: Requests,
  key: string,
  upload: Upload,
  part: { readonly number: number; readonly bytes: Uint8Array; readonly sha256: string },
): Effect.Effect<void, DestinationFailed> =>
  requests
    .call({
      operation: `store part ${part.number}`,
      send: (s3, http) =>
        s3.uploadPart(
          {
            Bucket: requests.bucket,
            Key: requests.fullKey(key),
            UploadId: upload.id,
            PartNumber: part.number,
            Body: part.bytes,
            ContentLength: part.bytes.length,
            ChecksumAlgorithm: "SHA256",
            ChecksumSHA256: part.sha256,
          },
          http,
        ),
    })
    .pipe(
      // Where the server knows the upload no longer, the object is begun anew.
      Effect.mapError((error) =>
        requests.failed(`store part ${part.number} of`, key, error.transient || isGone(error))(error),
      ),
      Effect.flatMap(({ ChecksumSHA256: said, ETag: tag }) => {
        if (tag !== undefined && said === part.sha256) {
          upload.parts.set(part.number, { bytes: part.bytes.length, sha256: part.sha256, tag })
          return Effect.void
        }
        const reason = `it answers part ${part.number} with the SHA-256 ${said ?? "unsaid"}, what was sent has ${part.sha256}`
        return Effect.fail(requests.refuse("store", key, reason))
      }),
    )

/** Makes the object of the first `count` parts; answers with its checksum. */
export const complete = (requests: Requests, object: Known, upload: Upload, how: "ask" | "read") =>
  Effect.gen(function* () {
    const { key } = object
    const parts = Array.from(object.parts ?? [], (_, index) => upload.parts.get(index + 1)).filter(
      (part) => part !== undefined,
    )
    const checksum = composite(parts)
    const answer = yield* requests
      .call({
        operation: "complete",
        send: (s3, http) =>
          s3.completeMultipartUpload(
            {
              Bucket: requests.bucket,
              Key: requests.fullKey(key),
              UploadId: upload.id,
              IfNoneMatch: "*",
              ChecksumType: "COMPOSITE",
              MultipartUpload: {
                Parts: parts.map(({ sha256, tag }, index) => ({
                  PartNumber: index + 1,
                  ETag: tag,
                  ChecksumSHA256: sha256,
                })),
              },
            },
            http,
          ),
      })
      .pipe(
        Effect.asSome,
        Effect.catchIf(
          (error) => isTaken(error) || isGone(error),
          () => Effect.succeedNone,
        ),
        Effect.mapError(requests.failed("complete", key)),
      )
    if (Option.isNone(answer)) yield* settle(requests, { ...object, checksum }, how, "conflict")
    const said = Option.isNone(answer) ? checksum : answer.value.ChecksumSHA256
    if (said === undefined) yield* settle(requests, { ...object, checksum }, how, "ok")
    else if (said !== checksum) {
      return yield* requests.refuse("complete", key, `it answers with the SHA-256 ${said}, the parts have ${checksum}`)
    }
    return checksum
  })
