import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Sha256 from "../domain/sha256.ts"
import type { ObjectLock, ObjectStoreError, ObjectVersion, Versions } from "./object-store.ts"
import { patiently, type S3Client } from "./s3-client.ts"
import type { S3Failed } from "./s3-errors.ts"
import * as S3Read from "./s3-read.ts"

const isMode = (mode: string | undefined): mode is ObjectLock["mode"] => mode === "GOVERNANCE" || mode === "COMPLIANCE"

/** The versions of a bucket's objects. `fullKey` is the key in the bucket, `failed` makes a failure the store's. */
export const make = (
  client: S3Client,
  {
    bucket,
    failed,
    fullKey,
  }: {
    readonly bucket: string
    readonly fullKey: (key: string) => string
    readonly failed: (key: string) => (error: S3Failed) => ObjectStoreError
  },
): Versions => {
  const page = (prefix: string, key: string | undefined, version: string | undefined) =>
    client.call({
      operation: "list versions",
      bucket,
      send: (s3, http) =>
        s3.listObjectVersions(
          {
            Bucket: bucket,
            Prefix: fullKey(prefix),
            ...(key === undefined ? {} : { KeyMarker: key }),
            ...(version === undefined ? {} : { VersionIdMarker: version }),
          },
          http,
        ),
    })

  const list: Versions["list"] = (prefix) =>
    Effect.gen(function* () {
      // Some servers name the last version of a page again on the next one.
      const found = new Map<string, ObjectVersion & { readonly at: number; readonly isLatest: boolean }>()
      let after: { readonly key: string | undefined; readonly version: string | undefined } | undefined
      do {
        const answer = yield* page(prefix, after?.key, after?.version)
        for (const [isMarker, entries] of [
          [false, answer.Versions ?? []],
          [true, answer.DeleteMarkers ?? []],
        ] as const) {
          for (const { IsLatest = false, Key = "", LastModified, VersionId = "null" } of entries) {
            const key = Key.slice(fullKey("").length)
            const at = LastModified?.getTime() ?? 0
            found.set(`${VersionId} ${key}`, { key, version: VersionId, isMarker, isLatest: IsLatest, at })
          }
        }
        const isMore = answer.IsTruncated === true
        after = isMore ? { key: answer.NextKeyMarker, version: answer.NextVersionIdMarker } : undefined
      } while (after !== undefined)
      // The server names the newest of a key first, markers and versions apart, with times in seconds.
      return [...found.values()]
        .toReversed()
        .toSorted(
          (a, b) =>
            (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) || Number(a.isLatest) - Number(b.isLatest) || a.at - b.at,
        )
        .map(({ isMarker, key, version }) => ({ key, version, isMarker }))
    }).pipe(Effect.mapError(failed(prefix)))

  const get: Versions["get"] = (key, version) =>
    patiently(
      Effect.suspend(() => {
        const chunks: Array<Uint8Array> = []
        const keep = (chunk: Uint8Array) => Effect.sync(() => void chunks.push(chunk))
        return Effect.map(S3Read.readOnce(client, { bucket, key: fullKey(key), version }, keep), () =>
          Buffer.concat(chunks),
        )
      }),
    ).pipe(
      Effect.map((bytes) => new Uint8Array(bytes)),
      Effect.mapError(failed(key)),
    )

  const lockOf: Versions["lockOf"] = (key, version) =>
    client
      .call({
        operation: "look at a lock",
        bucket,
        send: (s3, http) => s3.headObject({ Bucket: bucket, Key: fullKey(key), VersionId: version }, http),
      })
      .pipe(
        Effect.map(({ ObjectLockMode: mode, ObjectLockRetainUntilDate: until }) =>
          isMode(mode) && until !== undefined ? Option.some({ mode, until }) : Option.none(),
        ),
        Effect.mapError(failed(key)),
      )

  const versioning = client.call({
    operation: "read the versioning of the bucket",
    bucket,
    send: (s3, http) => s3.getBucketVersioning({ Bucket: bucket }, http),
  })
  const lock = client
    .call({
      operation: "read the Object Lock of the bucket",
      bucket,
      send: (s3, http) => s3.getObjectLockConfiguration({ Bucket: bucket }, http),
    })
    .pipe(
      Effect.map(({ ObjectLockConfiguration }) => ObjectLockConfiguration?.ObjectLockEnabled === "Enabled"),
      Effect.catchIf(
        ({ code }) => code === "ObjectLockConfigurationNotFoundError",
        () => Effect.succeed(false),
      ),
    )
  const rules = Effect.gen(function* () {
    const { Status } = yield* versioning
    return { versioning: Status === "Enabled", lock: yield* lock }
  }).pipe(Effect.mapError(failed("")))

  const overwrite: Versions["overwrite"] = (key, bytes, wanted) =>
    client
      .call({
        operation: "store",
        bucket,
        send: (s3, http) =>
          s3.putObject(
            {
              Bucket: bucket,
              Key: fullKey(key),
              Body: bytes,
              ContentLength: bytes.length,
              ChecksumAlgorithm: "SHA256",
              ChecksumSHA256: Buffer.from(Sha256.of(bytes), "hex").toString("base64"),
              ...(wanted === undefined ? {} : { ObjectLockMode: wanted.mode, ObjectLockRetainUntilDate: wanted.until }),
            },
            http,
          ),
      })
      .pipe(
        Effect.map(({ VersionId = "null" }) => VersionId),
        Effect.mapError(failed(key)),
      )

  const remove: Versions["remove"] = (key, { bypass = false, version }) =>
    client
      .call({
        operation: "remove",
        bucket,
        send: (s3, http) =>
          s3.deleteObject(
            {
              Bucket: bucket,
              Key: fullKey(key),
              ...(version === undefined ? {} : { VersionId: version }),
              ...(bypass ? { BypassGovernanceRetention: true } : {}),
            },
            http,
          ),
      })
      .pipe(Effect.asVoid, Effect.mapError(failed(key)))

  return { list, get, lockOf, rules, overwrite, remove }
}
