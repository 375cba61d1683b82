import * as Effect from "effect/Effect"
import * as Sha256 from "../domain/sha256.ts"
import { patiently, type S3Client } from "./s3-client.ts"
import { S3Failed } from "./s3-errors.ts"

/** Keys below a location's prefix that begin so are the check's and are not listed. */
export const checkFolder = ".dandori-check"

const bytes = new TextEncoder().encode(
  "Dandori checked with this object that the server keeps to If-None-Match. It may stay or be removed.\n",
)
const others = new TextEncoder().encode("A server that checks digests refuses these bytes.\n")
const base64 = (content: Uint8Array) => Buffer.from(Sha256.of(content), "hex").toString("base64")

const unfit = (bucket: string, problem: string) =>
  new S3Failed({
    operation: "trust the server",
    code: "ServerUnfit",
    status: 0,
    reason: `the server of the bucket ${bucket} ${problem}; nothing is stored there: use one that does what S3 does`,
    transient: false,
    notApplied: true,
  })

/**
 * Asks the server, before anything is stored, for two things that storing relies on: that it refuses bytes with another
 * SHA-256 than the request names, and that it answers 412 to `If-None-Match: *` where there is an object. Fails with
 * `ServerUnfit` where it does not. `prefix` is where its object is put, which stays.
 */
export const checksBeforeWriting = (
  { once, call }: S3Client,
  bucket: string,
  prefix: string,
): Effect.Effect<void, S3Failed> => {
  const at = (name: string) => ({
    Bucket: bucket,
    Key: [...(prefix === "" ? [] : [prefix]), checkFolder, name].join("/"),
  })
  const put = (name: string, content: Uint8Array, checksum: string, condition: { readonly IfNoneMatch?: "*" }) =>
    once({
      operation: "store",
      bucket,
      send: (s3, http) =>
        s3.putObject(
          {
            ...at(name),
            ...condition,
            Body: content,
            ContentLength: content.length,
            ChecksumAlgorithm: "SHA256",
            ChecksumSHA256: checksum,
          },
          http,
        ),
    })
  const remove = call({ operation: "remove", bucket, send: (s3, http) => s3.deleteObject(at("digest"), http) })
  /** True where the server refuses with this status. */
  const refused = (effect: Effect.Effect<unknown, S3Failed>, status: number) =>
    effect.pipe(
      Effect.as(false),
      Effect.catchIf(
        (error) => error.status === status,
        () => Effect.succeed(true),
      ),
      patiently,
    )
  return Effect.gen(function* () {
    // Servers have several codes for it. What else is wrong with a request is wrong with the next one too.
    const digests = yield* refused(put("digest", others, base64(bytes), {}), 400)
    if (!digests) {
      yield* Effect.ignore(remove)
      return yield* unfit(bucket, "takes bytes with another SHA-256 than the request names")
    }
    const create = refused(put("exists", bytes, base64(bytes), { IfNoneMatch: "*" }), 412)
    if ((yield* create) || (yield* create)) return
    return yield* unfit(bucket, "replaces an object though the request says If-None-Match: *")
  })
}
