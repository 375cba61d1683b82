import type { S3 } from "@aws-sdk/client-s3"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { S3Section } from "../domain/config/storage.ts"
import { parseDuration } from "../domain/quantity.ts"
import { damaged, explain, type S3Failed, timedOut } from "./s3-errors.ts"

/** A request. */
export interface Request<A> {
  /** What it does, as in "could not …". */
  readonly operation: string
  readonly bucket: string
  readonly send: (s3: S3, options: { readonly abortSignal: AbortSignal }) => Promise<A>
  /** What is wrong with an answer, if it shows that the bytes were damaged on their way; then it is sent again. */
  readonly check?: (answer: A) => string | undefined
}

/** What a request does, and where. */
export type About = Pick<Request<unknown>, "operation" | "bucket">

/** Requests to one S3 server. */
export interface S3Client {
  /** Sends a request; what fails for a passing reason is sent again, three times at most. */
  readonly call: <A>(request: Request<A>) => Effect.Effect<A, S3Failed>
  /** Sends a request once. */
  readonly once: <A>(request: Request<A>) => Effect.Effect<A, S3Failed>
  /** Waits for what the server sends, at most as long as for an answer. */
  readonly wait: <A>(about: About, run: () => Promise<A>) => Effect.Effect<A, S3Failed>
  /** Forgets the credentials: later requests read them anew, also from files that were read before. */
  readonly renew: Effect.Effect<void>
}

/** How a client differs from the usual one. */
export interface Options {
  /** The profile whose credentials and region are taken, instead of those of the environment. */
  readonly profile?: string
  /** Bodies are signed by the SHA-256 that their request names, and not digested a second time. */
  readonly digested?: boolean
}

const defaultTimeout = "60s"
const again = Schedule.exponential(100, 3).pipe(Schedule.jittered)

/** Retries what fails for a passing reason, as each request is. */
export const patiently = <A, E extends { readonly transient: boolean }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.retry(effect, { schedule: again, times: 3, while: (error) => error.transient })

/** What of the credentials may not be shown, as far as they can be had. */
const secretsOf = (s3: S3 | undefined): Promise<ReadonlyArray<string>> =>
  (s3?.config.credentials() ?? Promise.reject(new Error("there is no client yet"))).then(
    ({ accessKeyId, secretAccessKey, sessionToken = "" }) =>
      [accessKeyId, secretAccessKey, sessionToken].flatMap((each) => [each, encodeURIComponent(each)]),
    () => [],
  )

const nothing = () => {}
const silent = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing }

/** The signature covers a body by its SHA-256, which the server compares as it does the checksum. */
const signByNamedDigest = (s3: S3): void =>
  s3.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { readonly headers: Record<string, string> }
      const checksum = headers["x-amz-checksum-sha256"]
      if (checksum !== undefined && headers["content-length"] !== undefined) {
        headers["x-amz-content-sha256"] = Buffer.from(checksum, "base64").toString("hex")
      }
      return next(args)
    },
    { step: "finalizeRequest", priority: "high", name: "signByNamedDigest" },
  )

/**
 * A client of the configured server; without an endpoint it is AWS's, or that of `AWS_ENDPOINT_URL_S3`. Credentials and
 * the region, where none is configured, come from the environment and the profile, as for other clients of AWS. The
 * SDK is imported with the first request.
 */
export const make = (
  section: S3Section,
  { digested = false, profile }: Options = {},
): Effect.Effect<S3Client, never, Scope.Scope> =>
  Effect.gen(function* () {
    const timeoutMillis = parseDuration(section.request_timeout ?? defaultTimeout) ?? 60_000
    let made: S3 | undefined
    /** Requests may still be on their way with credentials that were renewed. */
    const before: Array<S3> = []
    yield* Effect.addFinalizer(() => Effect.sync(() => [...before, made].forEach((each) => each?.destroy())))
    const client = Effect.map(
      Effect.promise(() => import("@aws-sdk/client-s3")),
      (sdk) => {
        if (made !== undefined) return made
        made = new sdk.S3({
          ...(section.endpoint === undefined ? {} : { endpoint: section.endpoint }),
          ...(section.region === undefined ? {} : { region: section.region }),
          forcePathStyle: section.path_style ?? false,
          // Each request carries the SHA-256 of its bytes, and what is read is compared here.
          requestChecksumCalculation: "WHEN_REQUIRED",
          responseChecksumValidation: "WHEN_REQUIRED",
          maxAttempts: 1,
          // A server that does not answer it would hold up each part for six seconds.
          expectContinueHeader: false,
          // It would warn on the terminal that the environment has credentials too.
          ...(profile === undefined ? {} : { profile, logger: silent }),
          // What it reads of the profiles' files it keeps for all later clients, unless it is told so.
          ...(before.length === 0 ? {} : ({ ignoreCache: true } as object)),
        })
        if (digested) signByNamedDigest(made)
        return made
      },
    )
    /** A promise whose rejection is explained. */
    const explained = <A>(about: About, run: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, S3Failed> =>
      Effect.tryPromise({
        try: (signal) =>
          new Promise<A>((resolve) => resolve(run(signal))).catch((cause) =>
            secretsOf(made).then((secrets) =>
              Promise.reject(explain(cause, { ...about, region: section.region ?? "of AWS_REGION", secrets })),
            ),
          ),
        catch: (failure) => failure as S3Failed,
      }).pipe(
        Effect.timeoutOrElse({
          duration: timeoutMillis,
          orElse: () => Effect.fail(timedOut(about.operation, timeoutMillis)),
        }),
      )
    const once: S3Client["once"] = ({ check, send, ...about }) =>
      Effect.flatMap(client, (s3) => explained(about, (abortSignal) => send(s3, { abortSignal }))).pipe(
        Effect.tap((answer) => {
          const problem = check?.(answer)
          return problem === undefined ? Effect.void : Effect.fail(damaged(about.operation, problem))
        }),
      )
    const renew = Effect.sync(() => {
      if (made !== undefined) before.push(made)
      made = undefined
    })
    return { once, call: (request) => patiently(once(request)), wait: explained, renew }
  })
