import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Sha256 from "../../../domain/sha256.ts"
import type { DestinationFailed } from "./destination.ts"
import { base64, compare, create, isTaken, type Lock, locked, lookAt } from "./s3-objects.ts"
import type { Requests } from "./s3-requests.ts"

/** What a bucket was seen to do. `digests`: it compares bytes with the digest that a request names. */
export interface Trial {
  readonly lock: Lock | undefined
  readonly digests: boolean
}

/** What a bucket is asked for locks. */
export type WantedLock = (Lock & { readonly required?: boolean }) | undefined

const others = new TextEncoder().encode("A server that compares digests refuses these bytes.\n")

/** True where the bucket refuses a request for its lock and takes it without. */
const refusesLock = ({ status }: { readonly status: number }) => status === 400 || status === 403 || status === 501

/**
 * Tries a bucket before anything is entrusted to it: a small object is created, read back and compared, and cannot be
 * created again; the lock that is asked for is on it. Fails with what is wrong, as refused where the bucket cannot be
 * trusted. `key` is new with each incident and call; what is there stays.
 */
export const run = (
  requests: Requests,
  key: string,
  bytes: Uint8Array,
  wanted: WantedLock,
): Effect.Effect<Trial, DestinationFailed> => {
  const failed = requests.failed("try", key)
  const object = { key, bytes: bytes.length, sha256: Sha256.of(bytes) }
  const lacksLock = (reason: string) =>
    requests.refuse("try", key, `it does not lock objects, which the rung requires: ${reason}`)

  const withLock = Effect.gen(function* () {
    if (wanted === undefined) return undefined
    const retention = yield* locked(wanted)
    const lockKey = `${key}-lock`
    const asked = yield* requests
      .call({
        operation: "store an object with a lock",
        send: (s3, http) =>
          s3.putObject(
            {
              Bucket: requests.bucket,
              Key: requests.fullKey(lockKey),
              Body: bytes,
              ContentLength: bytes.length,
              IfNoneMatch: "*",
              ChecksumAlgorithm: "SHA256",
              ChecksumSHA256: base64(object.sha256),
              ...retention,
            },
            http,
          ),
      })
      .pipe(
        Effect.as(""),
        Effect.catchIf(isTaken, () => Effect.succeed("")),
        Effect.catchIf(refusesLock, ({ message }) => Effect.succeed(message)),
        Effect.mapError(failed),
      )
    if (asked !== "") return wanted.required === true ? yield* lacksLock(asked) : undefined
    const there = yield* Effect.mapError(lookAt(requests, lockKey), failed)
    const mode = Option.getOrUndefined(there)?.ObjectLockMode
    if (mode === wanted.mode || mode === "COMPLIANCE") return { mode: wanted.mode, days: wanted.days }
    if (wanted.required !== true) return undefined
    return yield* lacksLock(`the server says nothing of ${wanted.mode} for an object that was to have it`)
  })

  const readsBack = compare(requests, object, "read").pipe(
    Effect.mapError(failed),
    Effect.flatMap((found) =>
      found.confirmed
        ? Effect.void
        : Effect.fail(requests.refuse("try", key, `it said that it took an object, but ${found.reason}`)),
    ),
  )

  const put = (name: string, body: Uint8Array) =>
    requests.call({
      operation: "store",
      send: (s3, http) =>
        s3.putObject(
          {
            Bucket: requests.bucket,
            Key: requests.fullKey(name),
            Body: body,
            ContentLength: body.length,
            IfNoneMatch: "*",
            ChecksumAlgorithm: "SHA256",
            ChecksumSHA256: base64(object.sha256),
          },
          http,
        ),
    })

  const keeps = put(key, bytes).pipe(
    Effect.as(false),
    Effect.catchIf(isTaken, () => Effect.succeed(true)),
    Effect.mapError(failed),
    Effect.flatMap((isKept) =>
      isKept
        ? Effect.void
        : Effect.fail(
            requests.refuse(
              "try",
              key,
              "it replaces an object though the request says If-None-Match: *; use a server that does what S3 does",
            ),
          ),
    ),
  )

  /**
   * Servers have several codes for it, the signature's too, which covers the digest; some take anything: then what they
   * say of digests counts for nothing.
   */
  const digests = put(`${key}-digest`, others).pipe(
    Effect.as(false),
    Effect.catchIf(isTaken, () => Effect.succeed(false)),
    Effect.catchIf(
      ({ status }) => status === 400 || status === 403,
      () => Effect.succeed(true),
    ),
    Effect.mapError(failed),
  )

  return Effect.gen(function* () {
    yield* create(requests, { key, bytes, sha256: object.sha256, lock: undefined }, "read")
    yield* readsBack
    const [lock, compares] = yield* Effect.all([withLock, digests, keeps], { concurrency: "unbounded" })
    return { lock, digests: compares }
  })
}
