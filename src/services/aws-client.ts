import type { EC2 } from "@aws-sdk/client-ec2"
import type { RDS } from "@aws-sdk/client-rds"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { AwsSection } from "../domain/config/storage.ts"
import { parseDuration } from "../domain/quantity.ts"
import { type CloudFailed, explain, timedOut } from "./cloud-errors.ts"
import { patiently } from "./s3-client.ts"

type Send<Client, A> = (client: Client, http: { readonly abortSignal: AbortSignal }) => Promise<A>

/** Requests to one of AWS's services. `operation` is what a request does, as in "could not …". */
export interface AwsClient<Client> {
  /** Sends a request; what fails for a passing reason is sent again, three times at most. */
  readonly call: <A>(operation: string, send: Send<Client, A>) => Effect.Effect<A, CloudFailed>
  /** Sends a request once. */
  readonly once: <A>(operation: string, send: Send<Client, A>) => Effect.Effect<A, CloudFailed>
}

interface Options {
  readonly endpoint?: string
  readonly region?: string
  readonly maxAttempts: number
}

interface Sdk {
  readonly config: {
    readonly credentials: () => Promise<{ accessKeyId: string; secretAccessKey: string; sessionToken?: string }>
  }
  readonly destroy: () => void
}

/** What of the credentials may not be shown, as far as they can be had. */
const secretsOf = (client: Sdk | undefined): Promise<ReadonlyArray<string>> =>
  (client?.config.credentials() ?? Promise.reject(new Error("there is no client yet"))).then(
    ({ accessKeyId, secretAccessKey, sessionToken = "" }) =>
      [accessKeyId, secretAccessKey, sessionToken].flatMap((each) => [each, encodeURIComponent(each)]),
    () => [],
  )

/** Credentials and the region, where none is configured, come from the environment and the profile. */
const make = <Client extends Sdk>(
  section: AwsSection,
  create: (options: Options) => Promise<Client>,
): Effect.Effect<AwsClient<Client>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const timeoutMillis = parseDuration(section.request_timeout ?? "60s") ?? 60_000
    const { endpoint, region } = section
    const options: Options = {
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(region === undefined ? {} : { region }),
      maxAttempts: 1,
    }
    let made: Promise<Client> | undefined
    let client: Client | undefined
    yield* Effect.addFinalizer(() => Effect.sync(() => client?.destroy()))
    const once: AwsClient<Client>["once"] = (operation, send) =>
      Effect.tryPromise({
        try: (abortSignal) =>
          (made ??= create(options))
            .then((ready) => send((client = ready), { abortSignal }))
            .catch((cause) =>
              secretsOf(client).then((secrets) =>
                Promise.reject(explain(cause, { operation, region: region ?? "of AWS_REGION", secrets })),
              ),
            ),
        catch: (failure) => failure as CloudFailed,
      }).pipe(
        Effect.timeoutOrElse({
          duration: timeoutMillis,
          orElse: () => Effect.fail(timedOut(operation, timeoutMillis)),
        }),
      )
    return { once, call: (operation, send) => patiently(once(operation, send)) }
  })

/** A client of RDS; the SDK is imported with the first request. */
export const rds = (section: AwsSection): Effect.Effect<AwsClient<RDS>, never, Scope.Scope> =>
  make(section, (options) => import("@aws-sdk/client-rds").then((sdk) => new sdk.RDS(options)))

/** A client of EC2; the SDK is imported with the first request. */
export const ec2 = (section: AwsSection): Effect.Effect<AwsClient<EC2>, never, Scope.Scope> =>
  make(section, (options) => import("@aws-sdk/client-ec2").then((sdk) => new sdk.EC2(options)))
