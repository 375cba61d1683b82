import * as Schema from "effect/Schema"
import { type Answer, codeOf, shown } from "./s3-errors.ts"

/**
 * A request to RDS or EC2 failed. `code` is the server's or the system's, `status` the HTTP status (0 without an answer).
 * `transient`: the same request may succeed later. `notApplied`: the server has certainly changed nothing.
 */
export class CloudFailed extends Schema.TaggedError<CloudFailed>()("CloudFailed", {
  operation: Schema.String,
  code: Schema.String,
  status: Schema.Int,
  reason: Schema.String,
  transient: Schema.Boolean,
  notApplied: Schema.Boolean,
}) {
  override get message() {
    return `could not ${this.operation}: ${this.reason} (${this.code})`
  }
}

/** What the message of a failure may name. */
export interface About {
  /** As in "could not …". */
  readonly operation: string
  /** The configured region, or where the client looked for one. */
  readonly region: string
  /** Keys and tokens that no message may hold. */
  readonly secrets: ReadonlyArray<string>
}

const keys =
  "look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile of AWS_PROFILE, and at the endpoint they are for"
const denied = ({ operation }: About, said: string) => `this user may not ${operation}: allow it. ${said}`.trim()
const renew = () => "the credentials have expired: sign in again or renew them (AWS_SESSION_TOKEN), then run this again"
const wrongKeys = () => `the server does not take the credentials: ${keys}`
const skew = () =>
  "the clock of this machine differs too much from the server's: set it (timedatectl set-ntp true), then run this again"
const quota = (_: About, said: string) => `the account has as many snapshots as it may: delete old ones. ${said}`.trim()

/** What to do about a refusal, by the server's code without `Fault`. Each of them has changed nothing. */
const refusals: Readonly<Record<string, (about: About, said: string) => string>> = {
  AccessDenied: denied,
  UnauthorizedOperation: denied,
  AuthFailure: wrongKeys,
  InvalidClientTokenId: wrongKeys,
  SignatureDoesNotMatch: wrongKeys,
  IncompleteSignature: wrongKeys,
  UnrecognizedClientException: wrongKeys,
  ExpiredToken: renew,
  ExpiredTokenException: renew,
  TokenRefreshRequired: renew,
  RequestExpired: skew,
  RequestTimeTooSkewed: skew,
  CredentialsProviderError: () =>
    "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
  DBInstanceNotFound: ({ region }) =>
    `there is no such DB instance in the region ${region}: correct storage.offsite.rds_instance or storage.aws.region`,
  "InvalidVolume.NotFound": ({ region }, said) =>
    `there is no such volume in the region ${region}: correct its id or storage.aws.region. ${said}`,
  "InvalidParameterValue.Malformed": (_, said) => said,
  SnapshotQuotaExceeded: quota,
  SnapshotLimitExceeded: quota,
}

/** What the server takes later, and has not begun. */
const later = new Set([
  "ConcurrentSnapshotLimitExceeded",
  "InvalidDBInstanceState",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "SnapshotCreationPerVolumeRateExceeded",
  "Throttling",
  "ThrottlingException",
  "ThrottledException",
  "TooManyRequestsException",
])
const passing = new Set(["InternalError", "InternalFailure", "RequestTimeout", "ServiceUnavailable", "Unavailable"])

/** Says what a rejection of a client of RDS or EC2 means and what to do about it. */
export const explain = (cause: unknown, about: About): CloudFailed => {
  const answer: Answer = typeof cause === "object" && cause !== null ? cause : { message: cause }
  const status = answer.$metadata?.httpStatusCode ?? 0
  const code = codeOf(answer, status).replace(/(?<=.)Fault$/, "")
  const fields = { operation: about.operation, code, status }
  const said = shown(answer.message ?? "", about.secrets)
  if (said.startsWith("Region is missing")) {
    const reason = "no region is configured: set storage.aws.region or AWS_REGION"
    return new CloudFailed({ ...fields, code: "RegionMissing", reason, transient: false, notApplied: true })
  }
  const refusal = refusals[code]
  if (refusal !== undefined) {
    const transient = answer.$metadata?.clockSkewCorrected === true
    return new CloudFailed({ ...fields, reason: refusal(about, said), transient, notApplied: true })
  }
  if (status === 0) {
    const neverSent = code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "ConnectionRefused"
    const reason = `the server cannot be reached or broke off: ${said}; look at the network and at storage.aws.endpoint`
    return new CloudFailed({ ...fields, reason, transient: true, notApplied: neverSent })
  }
  if (status >= 200 && status <= 299) {
    const reason = "the server's answer is cut off or is none of AWS's; look at storage.aws.endpoint"
    return new CloudFailed({ ...fields, reason, transient: true, notApplied: false })
  }
  const refused = later.has(code) || status === 429
  const transient = refused || passing.has(code) || status >= 500
  const reason = `the server answers ${status} ${said}`.trim()
  return new CloudFailed({ ...fields, reason, transient, notApplied: refused || !transient })
}

/** No answer within the time that a request may take. */
export const timedOut = (operation: string, millis: number): CloudFailed =>
  new CloudFailed({
    operation,
    code: "Timeout",
    status: 0,
    reason: `no answer within ${millis} ms; look at the network, or raise storage.aws.request_timeout`,
    transient: true,
    notApplied: false,
  })

/** An answer that lacks what it has to say. */
export const unsaid = (operation: string, what: string): CloudFailed =>
  new CloudFailed({
    operation,
    code: "Unsaid",
    status: 200,
    reason: `the server does not say ${what}; look at storage.aws.endpoint`,
    transient: true,
    notApplied: false,
  })
