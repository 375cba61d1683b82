import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Sha256 } from "../domain/sha256.ts"
import type { S3Client } from "./s3-client.ts"
import { damaged, S3Failed } from "./s3-errors.ts"
import type { Target } from "./s3-upload.ts"

/** What was read of an object. */
export interface Read {
  readonly bytes: number
  /** Of the bytes that were read. */
  readonly sha256: Sha256
  /** What it was stored with; undefined when it was not stored by this program. */
  readonly stored: string | undefined
}

interface Body extends AsyncIterable<Uint8Array> {
  readonly destroy?: () => unknown
}

/** True when a failure says that there is no such object (but there is the bucket). */
export const isMissing = ({ code }: S3Failed): boolean =>
  code === "NoSuchKey" || code === "NoSuchVersion" || code === "NotFound"

/**
 * Reads an object, a version of it where one is named, chunk by chunk, and digests it. It asks once: whoever keeps the
 * chunks has to begin anew with each try. An answer that is cut off is a passing failure.
 */
export const readOnce = <E>(
  client: S3Client,
  { bucket, key, version }: Target & { readonly version?: string },
  use: (chunk: Uint8Array) => Effect.Effect<void, E>,
): Effect.Effect<Read, S3Failed | E> => {
  const about = { operation: "read", bucket }
  const ask = client.once({
    ...about,
    send: (s3, http) =>
      s3.getObject({ Bucket: bucket, Key: key, ...(version === undefined ? {} : { VersionId: version }) }, http),
  })
  const opened = Effect.acquireRelease(
    ask,
    (answer) => Effect.sync(() => void (answer.Body as Body | undefined)?.destroy?.()),
    { interruptible: true },
  )
  return opened.pipe(
    Effect.flatMap((answer) =>
      Effect.gen(function* () {
        const hasher = new Bun.CryptoHasher("sha256")
        const chunks = (answer.Body as unknown as Body | undefined)?.[Symbol.asyncIterator]()
        let bytes = 0
        while (chunks !== undefined) {
          const { done, value } = yield* client.wait(about, () => chunks.next())
          if (done === true) break
          hasher.update(value)
          bytes += value.length
          yield* use(value)
        }
        if (answer.ContentLength !== undefined && bytes !== answer.ContentLength) {
          return yield* damaged("read", `the answer was cut off after ${bytes} of ${answer.ContentLength} bytes`)
        }
        return { bytes, sha256: hasher.digest("hex") as Sha256, stored: answer.Metadata?.["sha256"] }
      }),
    ),
    Effect.scoped,
  )
}

/** None when there is no such object. */
export const optional = <A, E>(effect: Effect.Effect<A, E | S3Failed>): Effect.Effect<Option.Option<A>, E | S3Failed> =>
  effect.pipe(
    Effect.asSome,
    Effect.catchIf(
      (error): error is S3Failed => error instanceof S3Failed && isMissing(error),
      () => Effect.succeedNone,
    ),
  )
