/** Whether the buckets that leave the machine can be used, by requests that only read. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { S3Section } from "../domain/config/storage.ts"
import { bad, type Finding, ok } from "./config-finding.ts"
import { parseLocation } from "./object-store-s3.ts"
import * as S3Client from "./s3-client.ts"
import type { S3Failed } from "./s3-errors.ts"

/** What the configuration names, and where it is named. */
export interface Bucket {
  readonly key: "offsite.bucket" | "offsite.worm_location"
  readonly location: string
  /** What to correct where the location is wrong. */
  readonly correct: string
}

const levelOf = ({ code, transient }: S3Failed): "missing" | "error" | "unavailable" =>
  code === "CredentialsProviderError" || code === "RegionMissing" ? "missing" : transient ? "unavailable" : "error"

const failed = (key: string, failure: S3Failed, correct: string): Finding => {
  const fix = `mend that, or correct ${correct}; the server is that of storage.s3`
  return bad("storage", levelOf(failure), `${key}: ${failure.message}`, fix)
}

/** What every request needs: who asks, and where. Each that is missing is named. */
const access = Effect.fnUntraced(function* (client: S3Client.S3Client, { region }: S3Section) {
  const credentials = client.once({
    operation: "find the credentials of S3",
    bucket: "",
    send: (s3) => s3.config.credentials(),
  })
  const regions = client.once({ operation: "find the region of S3", bucket: "", send: (s3) => s3.config.region() })
  const who = yield* Effect.result(credentials)
  const where = region === undefined ? yield* Effect.result(regions) : Result.succeed(region)
  return [
    ...(Result.isFailure(who)
      ? [
          bad(
            "storage",
            "missing",
            "offsite: there are no credentials for S3: nothing leaves the machine",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (~/.aws/credentials)",
          ),
        ]
      : []),
    ...(Result.isFailure(where)
      ? [
          bad(
            "storage",
            "missing",
            "s3.region: no region is configured for S3",
            "set AWS_REGION, or storage.s3.region in configs/base/storage.yaml",
          ),
        ]
      : []),
  ]
})

/** Whether a bucket is there and may be listed; then, whether it keeps versions and has Object Lock. */
const lookAt = Effect.fnUntraced(function* (client: S3Client.S3Client, { correct, key, location }: Bucket) {
  const place = parseLocation(location)
  if (typeof place === "string") {
    return bad("storage", "error", `${key}: what ${correct} holds is not s3://bucket/prefix`, `correct ${correct}`)
  }
  const { bucket, prefix } = place
  const listed = yield* client
    .call({
      operation: "list objects",
      bucket,
      send: (s3, http) => s3.listObjectsV2({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 }, http),
    })
    .pipe(Effect.result)
  if (Result.isFailure(listed)) return failed(key, listed.failure, correct)
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
  const keeps = yield* Effect.result(Effect.map(versioning, ({ Status }) => Status === "Enabled"))
  if (Result.isFailure(keeps)) return failed(key, keeps.failure, correct)
  if (key === "offsite.bucket") {
    const untried = "nothing was written, so whether this user may write was not tried"
    return keeps.success
      ? ok("storage", `${key}: the bucket of ${correct} is there and keeps versions; ${untried}`)
      : bad(
          "storage",
          "warning",
          `${key}: the bucket of ${correct} keeps no versions: what is removed there is lost`,
          "switch versioning on: aws s3api put-bucket-versioning",
        )
  }
  const locks = yield* Effect.result(lock)
  if (Result.isFailure(locks)) return failed(key, locks.failure, correct)
  const lacks = [...(keeps.success ? [] : ["does not keep versions"]), ...(locks.success ? [] : ["has no Object Lock"])]
  if (lacks.length > 0) {
    const fix = "make a bucket with versioning and Object Lock, and name it in storage.offsite.worm_location"
    return bad("storage", "error", `${key}: ${location} ${lacks.join(" and ")}`, fix)
  }
  const untried = "that nobody can remove a record was not tried, since it writes: dandori worm probe"
  return ok("storage", `${key}: ${location} keeps versions and has Object Lock; ${untried}`)
})

/** Looks at buckets by requests that only read; where who asks or the region is not known, at none of them. */
export const look = (
  section: S3Section,
  buckets: ReadonlyArray<Bucket>,
): Effect.Effect<ReadonlyArray<Finding>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* S3Client.make(section)
    const lacking = yield* access(client, section)
    if (lacking.length > 0) return lacking
    return yield* Effect.forEach(buckets, (each) => lookAt(client, each), { concurrency: "unbounded" })
  })
