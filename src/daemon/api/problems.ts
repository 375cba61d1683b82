import * as HttpApiError from "effect/http-api/HttpApiError"
import * as Schema from "effect/Schema"

/** Titles of all statuses that a problem has, as HTTP names them (RFC 9110). */
const titles = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
} as const

/** The status of a problem. */
export type Status = keyof typeof titles

/** The status of a problem that stands for an answer's: one that has no title is like the first of its class (RFC 9110, 15). */
export const statusOf = (status: number): Status => (status in titles ? (status as Status) : status < 500 ? 400 : 500)

const declared = <const S extends Status>(status: S) =>
  ({ type: "about:blank", status, title: titles[status] }) as const

/** `code` says to programs what `detail` says to people; it stays the same over versions. */
const code = { code: Schema.String }
const issues = { errors: Schema.optionalKey(Schema.Array(HttpApiError.ProblemIssue)) }

/** The request cannot be read, or does not fit the document (RFC 9457, as all of these). */
export class BadRequest extends HttpApiError.Problem<BadRequest>()("BadRequest", declared(400), {
  ...code,
  ...issues,
}) {}

/** Nobody is let in without a token that is valid now. */
export class Unauthorized extends HttpApiError.Problem<Unauthorized>()("Unauthorized", declared(401), code) {}

/** The token's role is not enough, or its owner may not do this. */
export class Forbidden extends HttpApiError.Problem<Forbidden>()("Forbidden", declared(403), code) {}

/** There is no such thing. */
export class NotFound extends HttpApiError.Problem<NotFound>()("NotFound", declared(404), code) {}

/** A run was asked for and is not created after all. */
export const notCreated = (run: string, why: string) =>
  new NotFound({ code: "RunNotCreated", detail: `Run ${run} was not created: ${why}` })

/** It does not fit where the thing stands now. */
export class Conflict extends HttpApiError.Problem<Conflict>()("Conflict", declared(409), code) {}

/** The body is well formed, and still does not fit: params of a pipeline, another body under a known key. */
export class Unprocessable extends HttpApiError.Problem<Unprocessable>()("Unprocessable", declared(422), {
  ...code,
  problems: Schema.optionalKey(Schema.Array(Schema.String)),
}) {}

/** Too many requests of one address, or as many runs wait as may wait. */
export class TooManyRequests extends HttpApiError.Problem<TooManyRequests>()("TooManyRequests", declared(429), code) {}

/** Not now: the daemon starts, stops or does not lead, or a store is away. */
export class Unavailable extends HttpApiError.Problem<Unavailable>()("Unavailable", declared(503), code) {}

/** The request was not whole in time. */
export class RequestTimeout extends HttpApiError.Problem<RequestTimeout>()("RequestTimeout", declared(408), code) {}

/** The body is larger than the daemon takes. */
export class PayloadTooLarge extends HttpApiError.Problem<PayloadTooLarge>()("PayloadTooLarge", declared(413), code) {}

/** The body is no JSON by its media type. */
export class UnsupportedMediaType extends HttpApiError.Problem<UnsupportedMediaType>()(
  "UnsupportedMediaType",
  declared(415),
  code,
) {}

/** The name in the head of a request is none of this daemon's. */
export class Misdirected extends HttpApiError.Problem<Misdirected>()("Misdirected", declared(421), code) {}

/** The head of a request is larger than the daemon takes. */
export class HeadTooLarge extends HttpApiError.Problem<HeadTooLarge>()("HeadTooLarge", declared(431), code) {}

/** A defect of the daemon's own. */
export class Internal extends HttpApiError.Problem<Internal>()("Internal", declared(500), code) {}

/** A problem as it goes over the wire. */
export const bodyOf = (status: Status, code: string, detail: string) => ({ ...declared(status), detail, code })
