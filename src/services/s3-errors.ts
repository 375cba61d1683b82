import * as Schema from "effect/Schema"

/** What every request to S3 needs is not configured on this machine: credentials, or a region. */
export class S3Unconfigured extends Schema.TaggedError<S3Unconfigured>()("S3Unconfigured", { what: Schema.String }) {
  override get message() {
    return `S3 has no ${this.what} here`
  }
}

/**
 * A request to an S3 server failed. `code` is the server's or the system's, `status` the HTTP status (0 without an
 * answer). `transient`: the same request may succeed later. `notApplied`: the server has certainly changed nothing.
 */
export class S3Failed extends Schema.TaggedError<S3Failed>()("S3Failed", {
  operation: Schema.String,
  code: Schema.String,
  status: Schema.Int,
  reason: Schema.String,
  transient: Schema.Boolean,
  notApplied: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `could not ${this.operation}: ${this.reason} (${this.code})`
  }
}

/** What the message of a failure may name. */
export interface About {
  readonly operation: string
  readonly bucket: string
  /** The configured region, or where the client looked for one. */
  readonly region: string
  /** Keys and tokens that no message may hold. */
  readonly secrets: ReadonlyArray<string>
}

const keys =
  "look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile of AWS_PROFILE, and at the endpoint they are for"
const renew = "the credentials have expired: sign in again or renew them (AWS_SESSION_TOKEN), then run this again"
const wrongRegion = ({ bucket, region }: About, there: string | undefined) =>
  `the bucket ${bucket} is not in the region ${region}${there === undefined ? "" : ` but in ${there}`}: set storage.s3.region or AWS_REGION to the bucket's`
const skew =
  "the clock of this machine differs too much from the server's: set it (timedatectl set-ntp true), then run this again"

/** What to do about a refusal, by the server's code. Each of them has changed nothing. */
const refusals: Readonly<Record<string, (about: About, there: string | undefined) => string>> = {
  AccessDenied: ({ bucket, operation }) =>
    `access to the bucket ${bucket} is denied: allow this user to ${operation} there (without s3:ListBucket a missing object is answered so too)`,
  NoSuchBucket: ({ bucket }) =>
    `there is no bucket ${bucket} at this endpoint: make it, or correct the location and storage.s3.endpoint`,
  NoSuchKey: () => "there is no such object",
  PermanentRedirect: wrongRegion,
  AuthorizationHeaderMalformed: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  RequestTimeTooSkewed: () => skew,
  RequestExpired: () => skew,
  ExpiredToken: () => renew,
  ExpiredTokenException: () => renew,
  TokenRefreshRequired: () => renew,
  InvalidToken: () => `the session token is not valid: ${keys}`,
  InvalidAccessKeyId: () => `the server does not know the access key: ${keys}`,
  SignatureDoesNotMatch: () => `the secret key does not belong to the access key: ${keys}`,
  CredentialsProviderError: () =>
    `there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE`,
  InvalidObjectState: () => "the object is archived: restore it first (aws s3api restore-object), then read it again",
  InvalidRequest: () =>
    "the server does not allow this request: for Object Lock the bucket has to be made with it, and a storage class must be one that the server has",
  InvalidStorageClass: () => "the server has no such storage class: choose another in storage.offsite.storage_class",
  EntityTooLarge: () => "the object is larger than the server takes: raise storage.s3.part_size",
}

const aliases: Readonly<Record<string, string>> = {
  "403": "AccessDenied",
  Forbidden: "AccessDenied",
  AllAccessDisabled: "AccessDenied",
  "301": "PermanentRedirect",
  MovedPermanently: "PermanentRedirect",
}

const passing = new Set([
  "BadDigest",
  "ConditionalRequestConflict",
  "InternalError",
  "OperationAborted",
  "RequestTimeout",
  "ServiceUnavailable",
  "SlowDown",
  "ThrottlingException",
  "TooManyRequests",
  "XAmzContentSHA256Mismatch",
])

/** What a client of AWS rejects with. */
export interface Answer {
  readonly name?: unknown
  readonly Code?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly Region?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number; readonly clockSkewCorrected?: boolean }
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> }
}

/** A text in one line, at most 300 characters, without what may not be shown. */
export const shown = (text: unknown, secrets: ReadonlyArray<string>): string =>
  secrets
    .filter((secret) => secret !== "")
    .reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), String(text))
    .replaceAll(/(credential|signature|token|authorization)\s*[=:]\s*[^\s,;]+/gi, "$1=[secret]")
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, 300)

/** The server's code, or the system's. */
export const codeOf = ({ Code, code, name }: Answer, status: number): string => {
  const found = [Code, code, name].find(
    (each) => typeof each === "string" && each !== "" && !/^(Unknown)?(Error)?$/.test(each),
  )
  const word = typeof found === "string" ? found : status === 0 ? "NoAnswer" : String(status)
  return aliases[word] ?? word
}

/** Says what a rejection of the S3 client means and what to do about it. */
export const explain = (cause: unknown, about: About): S3Failed => {
  const answer: Answer = typeof cause === "object" && cause !== null ? cause : { message: cause }
  const status = answer.$metadata?.httpStatusCode ?? 0
  const code = shown(codeOf(answer, status), about.secrets)
  const fields = { operation: about.operation, code, status }
  const headers = answer.$response?.headers ?? {}
  const region = typeof answer.Region === "string" ? answer.Region : headers["x-amz-bucket-region"]
  const there = region === undefined ? undefined : shown(region, about.secrets)
  const message = shown(answer.message ?? "", about.secrets)
  if (message.startsWith("Region is missing")) {
    const reason = "no region is configured: set storage.s3.region or AWS_REGION"
    const cause = new S3Unconfigured({ what: "region" })
    return new S3Failed({ ...fields, code: "RegionMissing", reason, transient: false, notApplied: true, cause })
  }
  const refusal = refusals[code]
  if (refusal !== undefined) {
    const transient = answer.$metadata?.clockSkewCorrected === true
    const facts = { ...fields, reason: refusal(about, there), transient, notApplied: true }
    return code === "CredentialsProviderError"
      ? new S3Failed({ ...facts, cause: new S3Unconfigured({ what: "credentials" }) })
      : new S3Failed(facts)
  }
  if (status === 0) {
    const neverSent = code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "ConnectionRefused"
    const reason = `the server cannot be reached or broke off: ${message}; look at the network and at storage.s3.endpoint`
    return new S3Failed({ ...fields, reason, transient: true, notApplied: neverSent })
  }
  if (status >= 200 && status <= 299) {
    const reason = "the server's answer is cut off or is none of S3's; look at storage.s3.endpoint"
    return new S3Failed({ ...fields, reason, transient: true, notApplied: false })
  }
  const transient = passing.has(code) || status === 429 || status >= 500
  const reason = `the server answers ${status} ${message}`.trim()
  return new S3Failed({ ...fields, reason, transient, notApplied: !transient })
}

/** No answer within the time that a request may take. */
export const timedOut = (operation: string, millis: number): S3Failed =>
  new S3Failed({
    operation,
    code: "Timeout",
    status: 0,
    reason: `no answer within ${millis} ms; look at the network, or raise storage.s3.request_timeout`,
    transient: true,
    notApplied: false,
  })

/** Bytes were damaged or cut off on their way. */
export const damaged = (operation: string, reason: string): S3Failed =>
  new S3Failed({ operation, code: "Damaged", status: 200, reason, transient: true, notApplied: false })
