import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Sha256 from "../../../domain/sha256.ts"
import { optional } from "../../s3-read.ts"
import { damaged } from "../../s3-errors.ts"
import type { DestinationFailed } from "./destination.ts"
import { base64, isTaken } from "./s3-objects.ts"
import type { Requests } from "./s3-requests.ts"

/** The pointer's key, at a destination's root. */
export const pointerKey = "latest.json"

/** The pointer as it is, with its ETag; None where there is none. */
export const read = (requests: Requests) =>
  optional(
    requests.call({
      operation: "read",
      send: (s3, http) =>
        s3
          .getObject({ Bucket: requests.bucket, Key: requests.fullKey(pointerKey) }, http)
          .then(({ Body, ContentLength: length, ETag: tag = "" }) =>
            (Body?.transformToByteArray() ?? Promise.resolve(new Uint8Array())).then((bytes) => ({
              bytes,
              length,
              tag,
            })),
          ),
      check: ({ bytes, length, tag }) =>
        tag === "" || (length !== undefined && length !== bytes.length) ? "the answer is not whole" : undefined,
    }),
  ).pipe(Effect.mapError(requests.failed("read", pointerKey)))

/**
 * Moves the pointer if it is still as `from` (an ETag; None: there was none); false where it is not. It is read back, since
 * a request whose answer was lost may have moved it, and since some servers ignore the condition.
 */
export const move = (
  requests: Requests,
  bytes: Uint8Array,
  from: Option.Option<string>,
): Effect.Effect<boolean, DestinationFailed> =>
  Effect.gen(function* () {
    const checksum = base64(Sha256.of(bytes))
    yield* requests
      .call({
        operation: "move the pointer",
        send: (s3, http) =>
          s3.putObject(
            {
              Bucket: requests.bucket,
              Key: requests.fullKey(pointerKey),
              Body: bytes,
              ContentLength: bytes.length,
              ContentType: "application/json",
              ChecksumAlgorithm: "SHA256",
              ChecksumSHA256: checksum,
              ...(Option.isNone(from) ? { IfNoneMatch: "*" } : { IfMatch: from.value }),
            },
            http,
          ),
        check: ({ ChecksumSHA256: said = checksum }) =>
          said === checksum ? undefined : damaged("move the pointer", `it answers with the SHA-256 ${said}`).reason,
      })
      .pipe(
        Effect.catchIf(
          (error) => isTaken(error) || error.code === "NoSuchKey",
          () => Effect.void,
        ),
        Effect.mapError(requests.failed("move", pointerKey)),
      )
    const now = yield* read(requests)
    return Option.isSome(now) && Buffer.compare(now.value.bytes, bytes) === 0
  })
