import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type { S3Section } from "../domain/config/storage.ts"
import { parseSize } from "../domain/quantity.ts"
import * as Sha256 from "../domain/sha256.ts"
import * as Durable from "./durable-files.ts"
import * as FileParts from "./file-parts.ts"
import { ObjectExists, ObjectStoreError, type ObjectInfo, type PutOptions, type Store } from "./object-store.ts"
import { keyProblem } from "./object-store-key.ts"
import { patiently, type S3Client } from "./s3-client.ts"
import { S3Failed } from "./s3-errors.ts"
import * as S3Read from "./s3-read.ts"
import * as S3Versions from "./s3-versions.ts"
import * as S3Upload from "./s3-upload.ts"
import { checkFolder, checksBeforeWriting } from "./s3-write-check.ts"

type Failure = S3Failed | Durable.FileFailed | FileParts.FileChanged | ObjectStoreError | ObjectExists

/** Bucket and prefix of an `s3://bucket/prefix`, or what is wrong with it. */
export const parseLocation = (location: string): { readonly bucket: string; readonly prefix: string } | string => {
  const found = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(location)
  if (found === null) return "a location in S3 is s3://bucket/prefix, the bucket in small letters"
  const prefix = (found[2] ?? "").replace(/\/$/, "")
  const problem = prefix === "" ? undefined : keyProblem(prefix)
  return problem === undefined ? { bucket: found[1] ?? "", prefix } : problem.replaceAll("the key", "the prefix")
}

const conflicts = new Set(["PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload"])
/** `If-None-Match` was refused, or an upload was completed by a request whose answer was lost. */
const mayExist = (error: Failure): error is S3Failed => error._tag === "S3Failed" && conflicts.has(error.code)

const hidden = new S3Failed({
  operation: "store",
  code: "Hidden",
  status: 412,
  reason: "an object is there and cannot be read: it was removed meanwhile, or stands under a delete marker",
  transient: true,
  notApplied: true,
})

const keyBytes = 1024

/**
 * A store in a bucket, below a prefix. Objects are created under the condition that there is none, carry their SHA-256 as
 * metadata, and are compared with it when they are read. The server is checked before the first of them is stored.
 */
export const make = (
  client: S3Client,
  section: S3Section,
  { bucket, prefix }: { readonly bucket: string; readonly prefix: string },
): Store => {
  const location = `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`
  const partBytes = parseSize(section.part_size ?? "8MiB") ?? 8 << 20
  const parallel = section.parallel_parts ?? 4
  let isChecked = false

  const fullKey = (key: string) => (prefix === "" ? key : `${prefix}/${key}`)
  const refuse = (key: string, reason: string) =>
    new ObjectStoreError({ location, key, reason, transient: false, notApplied: true })
  const failed = (key: string) => (error: Failure) => {
    if (error._tag === "ObjectStoreError" || error._tag === "ObjectExists") return error
    const notApplied = error._tag === "S3Failed" && error.notApplied
    const { cause, message: reason, transient } = error
    return new ObjectStoreError({
      location,
      key,
      reason,
      transient,
      notApplied,
      ...(cause === undefined ? {} : { cause }),
    })
  }
  const onlyFailed = (key: string) => (error: Exclude<Failure, ObjectExists>) => failed(key)(error) as ObjectStoreError

  const targetOf = (key: string): Effect.Effect<S3Upload.Target, ObjectStoreError> => {
    const tooLong = Buffer.byteLength(fullKey(key)) > keyBytes ? "the key is longer than 1024 bytes" : undefined
    const problem = keyProblem(key) ?? tooLong
    return problem === undefined ? Effect.succeed({ bucket, key: fullKey(key) }) : Effect.fail(refuse(key, problem))
  }

  const check = Semaphore.makeUnsafe(1).withPermit(
    Effect.suspend(() =>
      isChecked
        ? Effect.void
        : Effect.tap(checksBeforeWriting(client, bucket, prefix), () => Effect.sync(() => (isChecked = true))),
    ),
  )

  const head = (target: S3Upload.Target) =>
    client.call({
      operation: "look at an object",
      bucket,
      send: (s3, http) => s3.headObject({ Bucket: bucket, Key: target.key, ChecksumMode: "ENABLED" }, http),
    })

  const lookAt = (target: S3Upload.Target) => S3Read.optional(head(target))

  /** An object that is known to exist. One that is created at this moment may be seen a little later. */
  const found = (target: S3Upload.Target) =>
    Effect.flatMap(
      lookAt(target),
      Option.match({ onNone: () => Effect.fail(hidden), onSome: (there) => Effect.succeed(there) }),
    ).pipe(patiently)

  const digestOf = (target: S3Upload.Target) =>
    S3Read.optional(patiently(S3Read.readOnce(client, target, () => Effect.void)))

  /**
   * What became of an object that could not be created: the same bytes there are as good as created. They are the same
   * when the server's own digest, or that of the bytes as they are read, says so.
   */
  const settle = (
    key: string,
    target: S3Upload.Target,
    there: Effect.Success<ReturnType<typeof head>>,
    ours: ObjectInfo,
    checksum: string,
    options: PutOptions,
  ) =>
    Effect.gen(function* () {
      const { ChecksumSHA256, ContentLength, ObjectLockMode } = there
      if (ContentLength !== ours.bytes) return yield* new ObjectExists({ location, key })
      if (ChecksumSHA256 !== checksum) {
        const read = yield* digestOf(target)
        if (Option.isNone(read) || read.value.sha256 !== ours.sha256) return yield* new ObjectExists({ location, key })
      }
      const wanted = options.lock?.mode
      if (wanted === undefined || ObjectLockMode === wanted || ObjectLockMode === "COMPLIANCE") return ours
      return yield* refuse(key, "the same bytes are there, but without the lock that was asked for")
    })

  const put: Store["put"] = (key, bytes, options = {}) =>
    Effect.gen(function* () {
      const target = yield* targetOf(key)
      yield* check
      const sha256 = Sha256.of(bytes)
      const checksum = Buffer.from(sha256, "hex").toString("base64")
      const info: ObjectInfo = { key, bytes: bytes.length, sha256 }
      return yield* S3Upload.putWhole(client, target, { bytes, sha256, checksum }, options).pipe(
        Effect.as(info),
        Effect.catchIf(mayExist, () =>
          Effect.flatMap(found(target), (there) => settle(key, target, there, info, checksum, options)),
        ),
      )
    }).pipe(Effect.mapError(failed(key)))

  const putFile: Store["putFile"] = (key, path, options = {}) =>
    Effect.gen(function* () {
      const target = yield* targetOf(key)
      const file = yield* FileParts.open(path, partBytes)
      const [first, ...others] = file.parts
      if (first === undefined || others.length === 0) {
        const bytes = first === undefined ? new Uint8Array() : yield* file.read(first, new Uint8Array(first.bytes))
        yield* file.stillAsLong
        return yield* put(key, bytes, options)
      }
      yield* check
      const checksum = S3Upload.composite(file.parts)
      const info: ObjectInfo = { key, bytes: file.bytes, sha256: file.sha256 }
      const before = yield* lookAt(target)
      if (Option.isSome(before)) return yield* settle(key, target, before.value, info, checksum, options)
      return yield* S3Upload.putParts(client, target, file, parallel, options).pipe(
        Effect.as(info),
        Effect.catchIf(mayExist, () =>
          Effect.flatMap(found(target), (there) => settle(key, target, there, info, checksum, options)),
        ),
      )
    }).pipe(Effect.scoped, Effect.mapError(failed(key)))

  /** Fails when the bytes are not those that were stored. */
  const asStored = (key: string) => (read: S3Read.Read) =>
    read.stored === undefined || read.stored === read.sha256
      ? Effect.succeed({ key, bytes: read.bytes, sha256: read.sha256 })
      : Effect.fail(
          refuse(key, `its bytes have the SHA-256 ${read.sha256}, but ${read.stored} was stored: do not use them`),
        )

  const get: Store["get"] = (key) =>
    Effect.gen(function* () {
      const target = yield* targetOf(key)
      const { chunks, read } = yield* patiently(
        Effect.suspend(() => {
          const chunks: Array<Uint8Array> = []
          const keep = (chunk: Uint8Array) => Effect.sync(() => void chunks.push(chunk))
          return Effect.map(S3Read.readOnce(client, target, keep), (read) => ({ chunks, read }))
        }),
      )
      yield* asStored(key)(read)
      return new Uint8Array(Buffer.concat(chunks, read.bytes))
    }).pipe(Effect.mapError(onlyFailed(key)))

  const copyTo: Store["copyTo"] = (key, path) =>
    Effect.gen(function* () {
      const target = yield* targetOf(key)
      const copy = Durable.fillNewFileDurably(path, (write) =>
        Effect.flatMap(S3Read.readOnce(client, target, write), asStored(key)),
      )
      return yield* patiently(copy)
    }).pipe(Effect.mapError(onlyFailed(key)))

  const info: Store["info"] = (key) =>
    Effect.flatMap(targetOf(key), digestOf).pipe(
      Effect.map(Option.map(({ bytes, sha256 }) => ({ key, bytes, sha256 }))),
      Effect.mapError(onlyFailed(key)),
    )

  const page = (start: string, token: string | undefined) =>
    client.call({
      operation: "list objects",
      bucket,
      send: (s3, http) =>
        s3.listObjectsV2(
          { Bucket: bucket, Prefix: start, ...(token === undefined ? {} : { ContinuationToken: token }) },
          http,
        ),
    })

  const list: Store["list"] = (start) =>
    Effect.gen(function* () {
      const keys: Array<string> = []
      let token: string | undefined
      do {
        const { Contents, NextContinuationToken } = yield* page(fullKey(start), token)
        for (const { Key = "" } of Contents ?? []) keys.push(Key.slice(fullKey("").length))
        token = NextContinuationToken
      } while (token !== undefined)
      return keys.filter((key) => keyProblem(key) === undefined && !key.startsWith(`${checkFolder}/`)).toSorted()
    }).pipe(Effect.mapError(onlyFailed(start)))

  const versions = S3Versions.make(client, { bucket, fullKey, failed: onlyFailed })
  return { location, put, putFile, get, copyTo, info, list, versions }
}
