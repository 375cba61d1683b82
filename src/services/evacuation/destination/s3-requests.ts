import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { S3Client, Request } from "../../s3-client.ts"
import { S3Failed } from "../../s3-errors.ts"
import * as S3Read from "../../s3-read.ts"
import { DestinationFailed } from "./destination.ts"

/** How often, and after how long, a request is sent again that failed for a passing reason. */
export interface Patience {
  readonly firstMillis: number
  readonly times: number
}

/** A dozen seconds in all, unless a test is less patient. */
export const UsualPatience = Context.Reference<Patience>("dandori/services/evacuation/UsualPatience", {
  defaultValue: () => ({ firstMillis: 200, times: 6 }),
})

const expired = new Set(["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"])

/** Requests about the objects of a bucket, below a prefix. */
export interface Requests {
  readonly location: string
  readonly bucket: string
  readonly fullKey: (key: string) => string
  readonly relative: (fullKey: string) => string
  /** Sends a request, again where it failed for a passing reason, and with new credentials where those it had expired. */
  readonly call: <A>(request: Omit<Request<A>, "bucket">) => Effect.Effect<A, S3Failed>
  /** Reads an object; `use` is given its chunks, from the first on with each try. */
  readonly read: (
    key: string,
    use: () => (chunk: Uint8Array) => Effect.Effect<void>,
  ) => Effect.Effect<S3Read.Read, S3Failed>
  /** Its failure as that of the destination. */
  readonly failed: (operation: string, key: string, transient?: boolean) => (error: S3Failed) => DestinationFailed
  /** It cannot be trusted. */
  readonly refuse: (operation: string, key: string, reason: string) => DestinationFailed
}

/** Requests to a bucket by a client. */
export const make = (
  client: S3Client,
  { bucket, prefix }: { readonly bucket: string; readonly prefix: string },
  { firstMillis, times }: Patience,
): Requests => {
  const location = `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`
  const start = prefix === "" ? "" : `${prefix}/`
  const patiently = <A, E>(effect: Effect.Effect<A, E | S3Failed>) =>
    effect.pipe(
      Effect.tapError((error) => (error instanceof S3Failed && expired.has(error.code) ? client.renew : Effect.void)),
      Effect.retry({
        schedule: Schedule.min([Schedule.exponential(firstMillis), Schedule.spaced(5000)]).pipe(Schedule.jittered),
        times,
        while: (error) => error instanceof S3Failed && (error.transient || expired.has(error.code)),
      }),
    )
  return {
    location,
    bucket,
    fullKey: (key) => `${start}${key}`,
    relative: (fullKey) => fullKey.slice(start.length),
    call: (request) => patiently(client.once({ ...request, bucket })),
    read: (key, use) =>
      patiently(Effect.suspend(() => S3Read.readOnce(client, { bucket, key: `${start}${key}` }, use()))),
    failed: (operation, key, transient) => (error) =>
      new DestinationFailed({
        location,
        operation,
        key,
        reason: `${error.reason} (${error.code})`,
        transient: transient ?? error.transient,
        refused: false,
      }),
    refuse: (operation, key, reason) =>
      new DestinationFailed({ location, operation, key, reason, transient: false, refused: true }),
  }
}
