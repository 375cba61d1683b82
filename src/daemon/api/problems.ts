import * as HttpApiError from "effect/http-api/HttpApiError"
import * as Schema from "effect/Schema"

const type = "about:blank"

/** `code` says to programs what `detail` says to people; it stays the same over versions. */
const code = { code: Schema.String }
const issues = { errors: Schema.optionalKey(Schema.Array(HttpApiError.ProblemIssue)) }

/** The request cannot be read, or does not fit the document (RFC 9457, as all of these). */
export class BadRequest extends HttpApiError.Problem<BadRequest>()(
  "BadRequest",
  { type, status: 400, title: "Bad Request" },
  { ...code, ...issues },
) {}

/** Nobody is let in without a token that is valid now. */
export class Unauthorized extends HttpApiError.Problem<Unauthorized>()(
  "Unauthorized",
  { type, status: 401, title: "Unauthorized" },
  code,
) {}

/** The token's role is not enough, or its owner may not do this. */
export class Forbidden extends HttpApiError.Problem<Forbidden>()(
  "Forbidden",
  { type, status: 403, title: "Forbidden" },
  code,
) {}

/** There is no such thing. */
export class NotFound extends HttpApiError.Problem<NotFound>()(
  "NotFound",
  { type, status: 404, title: "Not Found" },
  code,
) {}

/** It does not fit where the thing stands now. */
export class Conflict extends HttpApiError.Problem<Conflict>()(
  "Conflict",
  { type, status: 409, title: "Conflict" },
  code,
) {}

/** The body is well formed, and still does not fit: params of a pipeline, another body under a known key. */
export class Unprocessable extends HttpApiError.Problem<Unprocessable>()(
  "Unprocessable",
  { type, status: 422, title: "Unprocessable Content" },
  { ...code, problems: Schema.optionalKey(Schema.Array(Schema.String)) },
) {}

/** Too many requests of one address, or as many runs wait as may wait. */
export class TooManyRequests extends HttpApiError.Problem<TooManyRequests>()(
  "TooManyRequests",
  { type, status: 429, title: "Too Many Requests" },
  code,
) {}

/** Not now: the daemon starts, stops or does not lead, or a store is away. */
export class Unavailable extends HttpApiError.Problem<Unavailable>()(
  "Unavailable",
  { type, status: 503, title: "Service Unavailable" },
  code,
) {}

/** The request was not whole in time. */
export class RequestTimeout extends HttpApiError.Problem<RequestTimeout>()(
  "RequestTimeout",
  { type, status: 408, title: "Request Timeout" },
  code,
) {}

/** The body is larger than the daemon takes. */
export class PayloadTooLarge extends HttpApiError.Problem<PayloadTooLarge>()(
  "PayloadTooLarge",
  { type, status: 413, title: "Content Too Large" },
  code,
) {}

/** The body is no JSON by its media type. */
export class UnsupportedMediaType extends HttpApiError.Problem<UnsupportedMediaType>()(
  "UnsupportedMediaType",
  { type, status: 415, title: "Unsupported Media Type" },
  code,
) {}

/** Titles of the statuses that have no class, since no endpoint answers with them. */
const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
}

/** A problem as it goes over the wire. */
export const bodyOf = (status: number, code: string, detail: string) => ({
  type,
  status,
  title: titles[status] ?? "Error",
  detail,
  code,
})
