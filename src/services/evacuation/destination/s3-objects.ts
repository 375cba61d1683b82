import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Sha256 } from "../../../domain/sha256.ts"
import type { S3Failed } from "../../s3-errors.ts"
import { optional } from "../../s3-read.ts"
import { DestinationFailed } from "./destination.ts"
import type { Requests } from "./s3-requests.ts"

/** An object as it was sent, or as it is to be found. `checksum` is what the server says of it: of the bytes, or of parts. */
export interface Known {
  readonly key: string
  readonly bytes: number
  readonly sha256: Sha256
  readonly parts?: ReadonlyArray<number>
  readonly checksum?: string
}

/** The lock of an object, asked for with it. */
export interface Lock {
  readonly mode: "GOVERNANCE" | "COMPLIANCE"
  readonly days: number
}

export const base64 = (sha256: Sha256): string => Buffer.from(sha256, "hex").toString("base64")

/** The fields of a request that ask for a lock, from now on. */
export const locked = (lock: Lock | undefined) =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    lock === undefined
      ? {}
      : { ObjectLockMode: lock.mode, ObjectLockRetainUntilDate: new Date(now + lock.days * 86_400_000) },
  )

/** What the server says of an object, with its checksum; None where there is none. */
export const lookAt = (requests: Requests, key: string) =>
  optional(
    requests.call({
      operation: "look at an object",
      send: (s3, http) =>
        s3.headObject({ Bucket: requests.bucket, Key: requests.fullKey(key), ChecksumMode: "ENABLED" }, http),
    }),
  )

/** Digest and size of an object as its bytes are read; None where there is none. */
export const digestOf = (requests: Requests, key: string) =>
  optional(requests.read(key, () => () => Effect.void)).pipe(
    Effect.map(Option.map(({ bytes, sha256 }) => ({ bytes, sha256 }))),
  )

type Confirmation = { readonly confirmed: true } | { readonly confirmed: false; readonly reason: string }

/** Compares an object with what is known of it: with what the server says, or (`read`, or where it says nothing) byte by byte. */
export const compare = (
  requests: Requests,
  object: Known,
  how: "ask" | "read",
): Effect.Effect<Confirmation, S3Failed> =>
  Effect.gen(function* () {
    const missing: Confirmation = { confirmed: false, reason: "it is not there" }
    const other = (there: string): Confirmation => ({ confirmed: false, reason: `other bytes are there: ${there}` })
    if (how === "ask") {
      const there = yield* lookAt(requests, object.key)
      if (Option.isNone(there)) return missing
      const { ChecksumSHA256: said, ContentLength: bytes } = there.value
      if (bytes !== object.bytes) return other(`${bytes ?? "an unknown number of"} bytes instead of ${object.bytes}`)
      const wanted = object.checksum ?? (object.parts === undefined ? base64(object.sha256) : undefined)
      if (said !== undefined && said === wanted) return { confirmed: true }
      // The digest of parts that nobody has noted says nothing about the whole.
      if (said !== undefined && wanted !== undefined && said.includes("-") === wanted.includes("-")) {
        return other(`with the SHA-256 ${said} instead of ${wanted}`)
      }
    }
    const read = yield* digestOf(requests, object.key)
    if (Option.isNone(read)) return missing
    const { bytes, sha256 } = read.value
    if (bytes === object.bytes && sha256 === object.sha256) return { confirmed: true }
    return other(`${bytes} bytes with the SHA-256 ${sha256}`)
  })

/**
 * What became of an object that the server says it took (`ok`), or that could not be created because there is one
 * (`conflict`): the same bytes there are as good as created. Fails with what is there otherwise.
 */
export const settle = (requests: Requests, object: Known, how: "ask" | "read", after: "ok" | "conflict") =>
  Effect.gen(function* () {
    const found = yield* compare(requests, object, how)
    if (found.confirmed) return
    const there = yield* digestOf(requests, object.key)
    const fields = { location: requests.location, operation: "store", key: object.key }
    if (after === "ok") {
      return yield* requests.refuse("store", object.key, `the server says that it took it, but ${found.reason}`)
    }
    return yield* Option.isNone(there)
      ? new DestinationFailed({ ...fields, reason: "it was removed meanwhile", transient: true, refused: false })
      : new DestinationFailed({ ...fields, reason: found.reason, transient: false, refused: true, there: there.value })
  }).pipe(
    Effect.mapError((error) =>
      error instanceof DestinationFailed ? error : requests.failed("confirm", object.key)(error),
    ),
  )

/** Creates an object in one request; answers with how many bytes were sent and stayed. */
export const create = (
  requests: Requests,
  {
    bytes,
    key,
    lock,
    sha256,
  }: { readonly key: string; readonly bytes: Uint8Array; readonly sha256: Sha256; readonly lock: Lock | undefined },
  how: "ask" | "read",
): Effect.Effect<number, DestinationFailed> =>
  Effect.gen(function* () {
    const checksum = base64(sha256)
    const object: Known = { key, bytes: bytes.length, sha256 }
    const retention = yield* locked(lock)
    const answer = yield* requests
      .call({
        operation: "store",
        send: (s3, http) =>
          s3.putObject(
            {
              Bucket: requests.bucket,
              Key: requests.fullKey(key),
              Body: bytes,
              ContentLength: bytes.length,
              IfNoneMatch: "*",
              ChecksumAlgorithm: "SHA256",
              ChecksumSHA256: checksum,
              ...retention,
            },
            http,
          ),
      })
      .pipe(
        Effect.asSome,
        Effect.catchIf(isTaken, () => Effect.succeedNone),
        Effect.mapError(requests.failed("store", key)),
      )
    if (Option.isNone(answer)) return yield* Effect.as(settle(requests, object, how, "conflict"), 0)
    const said = answer.value.ChecksumSHA256
    if (said === undefined) yield* settle(requests, object, "read", "ok")
    else if (said !== checksum) {
      return yield* requests.refuse("store", key, `it answers with the SHA-256 ${said}, what was sent has ${checksum}`)
    }
    return bytes.length
  })

/** Has the server copy an object, over what is there. */
export const copy = (requests: Requests, { bytes, key, sha256 }: Known, to: string) =>
  Effect.gen(function* () {
    const source = `${requests.bucket}/${requests.fullKey(key)}`.split("/").map(encodeURIComponent).join("/")
    yield* requests.call({
      operation: "copy",
      send: (s3, http) =>
        s3.copyObject(
          {
            Bucket: requests.bucket,
            Key: requests.fullKey(to),
            CopySource: source,
            ChecksumAlgorithm: "SHA256",
          },
          http,
        ),
    })
    return yield* compare(requests, { key: to, bytes, sha256 }, "ask")
  }).pipe(
    Effect.mapError(requests.failed("copy", key)),
    Effect.flatMap((found) =>
      found.confirmed ? Effect.void : Effect.fail(requests.refuse("copy", key, `at ${to}: ${found.reason}`)),
    ),
  )

const conflicts = new Set(["PreconditionFailed", "ConditionalRequestConflict"])

/** There is an object under the key, or another request is just making one. */
export const isTaken = ({ code, status }: S3Failed): boolean => conflicts.has(code) || status === 412
