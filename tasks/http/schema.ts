import * as Schema from "effect/Schema"
import { Artifact } from "../../src/domain/artifact.ts"
import { SecretReference } from "../../src/domain/config/secret-reference.ts"
import { EffectClass } from "../../src/domain/effect-class.ts"
import { Duration, Size, parseDuration, parseSize } from "../../src/domain/quantity.ts"

/** Bytes of a body that are taken where the task does not say, and at most. */
export const usualBytes = 16 * 2 ** 20
const mostBytes = 256 * 2 ** 20
/** Milliseconds that an answer may take where the task does not say. */
export const usualMillis = 30_000

const urlProblem = (text: string): string | undefined => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return "must be a whole url, like https://host/path"
  if (url.protocol !== "http:" && url.protocol !== "https:") return "must begin with http: or https:"
  if (url.username !== "" || url.password !== "") return "must hold no user and no password; give them in secretHeaders"
  return undefined
}

const Url = Schema.String.check(
  Schema.makeFilter((text) => urlProblem(text) ?? true),
  Schema.isMinLength(1),
)

/** Headers that belong to the connection, and those that are secrets by their nature. */
const ofConnection = ["connection", "content-length", "host", "transfer-encoding", "upgrade"]
const secret = ["authorization", "cookie", "proxy-authorization"]

const HeaderName = Schema.String.check(
  Schema.isPattern(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { message: "must be the name of a header" }),
  Schema.makeFilter((name) => !ofConnection.includes(name.toLowerCase()) || `${name} is set by the connection itself`),
)
const PlainHeaderName = HeaderName.check(
  Schema.makeFilter((name) => !secret.includes(name.toLowerCase()) || `${name} is a secret; give it in secretHeaders`),
)
const headerText = /^[\t\x20-\x7e\x80-\xff]*$/
const HeaderValue = Schema.String.check(Schema.isPattern(headerText, { message: "must be one line of Latin-1 text" }))

/** True for a text that can be the value of a header (RFC 9110, section 5.5). */
export const isHeaderValue = (text: string): boolean => headerText.test(text)

/** A status, 100 to 599, or a class of them. */
const Status = Schema.Union([
  Schema.Int.check(Schema.isBetween({ minimum: 100, maximum: 599 })),
  Schema.Literals(["1xx", "2xx", "3xx", "4xx", "5xx"]),
])

/** What is sent to where, and what the answer has to be. */
export const HttpInput = Schema.Struct({
  method: Schema.Literals(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]).annotate({
    description: "GET and HEAD follow redirects on their host.",
  }),
  url: Url.annotate({ description: "http: or https:, whole. Redirects to another host are not followed." }),
  headers: Schema.optionalKey(
    Schema.Record(Schema.String, HeaderValue).check(Schema.isPropertyNames(PlainHeaderName)),
  ).annotate({ description: "Headers of the request; they are recorded." }),
  body: Schema.optionalKey(Schema.Json).annotate({ description: "JSON that is sent; not with GET and HEAD." }),
  secretHeaders: Schema.optionalKey(
    Schema.Record(Schema.String, SecretReference).check(Schema.isPropertyNames(HeaderName)),
  ).annotate({
    description: "Headers whose whole values are secrets (for one: Bearer …), by reference. They are never recorded.",
  }),
  timeout: Schema.optionalKey(
    Duration.check(
      Schema.makeFilter((text) => (parseDuration(text) ?? 0) > 0 || "must be more than 0"),
      Schema.isMinLength(1),
    ).annotate({ description: "Until the last byte of the answer. Default: 30s." }),
  ),
  expect: Schema.optionalKey(
    Schema.Struct({
      status: Schema.optionalKey(Schema.NonEmptyArray(Status)).annotate({
        description: "Statuses and classes (2xx) that mean success. Default: [2xx].",
      }),
      json: Schema.optionalKey(Schema.Json).annotate({
        description: "What the answer must contain: maps may have more keys, all else must be equal.",
      }),
    }),
  ).annotate({ description: "What the answer must be." }),
  maxBytes: Schema.optionalKey(
    Size.check(
      Schema.makeFilter((text) => (parseSize(text) ?? 0) <= mostBytes || "must be at most 256MiB"),
      Schema.isMinLength(1),
    ).annotate({ description: "Size that the answer's body may have. Default: 16MiB." }),
  ),
  effects: Schema.optionalKey(EffectClass.pick(["idempotent", "once"])).annotate({
    description: "What the request does to the world. Default: idempotent for GET and HEAD, else once.",
  }),
})
  .check(
    Schema.makeFilter(
      ({ body, method }) => body === undefined || (method !== "GET" && method !== "HEAD") || `${method} has no body`,
    ),
  )
  .annotate({ identifier: "HttpInput" })
export type HttpInput = typeof HttpInput.Type

/** The headers of an answer that are kept. */
export const keptHeaders = ["content-type", "etag", "last-modified", "location", "retry-after", "x-request-id"]

/**
 * The answer. A body of at most 65,536 characters is `json` where it says so and is, else `text`; a longer one, and one
 * that is no text, is the artifact `body`. `bytes` is the body's size, `millis` all that it took.
 */
export const HttpOutput = Schema.Struct({
  status: Schema.Int,
  headers: Schema.Record(Schema.String, Schema.String),
  json: Schema.optionalKey(Schema.Json),
  text: Schema.optionalKey(Schema.String),
  body: Schema.optionalKey(Artifact),
  bytes: Schema.Int,
  millis: Schema.Int,
}).annotate({ identifier: "HttpOutput" })
export type HttpOutput = typeof HttpOutput.Type
