import * as Schema from "effect/Schema"

/** Refused before it was handled (RFC 9110, section 15.5.9; RFC 6585, section 4). */
const refusedUnhandled = [408, 429]
/** Answers of what stands before a server, which does not know what that did (RFC 9110, section 15.6). */
const ofGateway = [502, 504]

/** The server answered with a status that does not mean success. */
export class HttpStatusUnexpected extends Schema.TaggedError<HttpStatusUnexpected>()("HttpStatusUnexpected", {
  url: Schema.String,
  status: Schema.Int,
  /** When it may be asked again: seconds, or a date (RFC 9110, section 10.2.3). */
  retryAfter: Schema.optionalKey(Schema.String),
  /** The beginning of its answer. */
  text: Schema.String,
}) {
  get transient() {
    return [...refusedUnhandled, ...ofGateway, 503].includes(this.status)
  }
  get notApplied() {
    return refusedUnhandled.includes(this.status)
  }
  get settled() {
    return !ofGateway.includes(this.status)
  }
  override get message() {
    const later = this.retryAfter === undefined ? "" : `; it may be asked again: Retry-After ${this.retryAfter}`
    return `${this.url} answered ${this.status}${later}${this.text === "" ? "" : `: ${this.text}`}`
  }
}

/** The answer's status was right, its content is not what was expected. */
export class HttpAnswerUnexpected extends Schema.TaggedError<HttpAnswerUnexpected>()("HttpAnswerUnexpected", {
  url: Schema.String,
  status: Schema.Int,
  problems: Schema.Array(Schema.String),
}) {
  readonly settled = true
  override get message() {
    return `${this.url} answered ${this.status}, but not what was expected: ${this.problems.join("; ")}`
  }
}

/** The answer's status was right, but its body is too large or cannot be kept. */
export class HttpBodyUnusable extends Schema.TaggedError<HttpBodyUnusable>()("HttpBodyUnusable", {
  url: Schema.String,
  status: Schema.Int,
  reason: Schema.String,
}) {
  readonly settled = true
  override get message() {
    return `${this.url} answered ${this.status}, but its body cannot be kept: ${this.reason}`
  }
}
