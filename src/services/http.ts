/** One HTTP request and its answer, by the runtime's own fetch. */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { formatDuration } from "../domain/quantity.ts"
import { LifeSign } from "./life-sign.ts"

/** There is no connection to the server, so nothing was sent. */
export class HttpUnreachable extends Schema.TaggedError<HttpUnreachable>()("HttpUnreachable", {
  url: Schema.String,
  reason: Schema.String,
  transient: Schema.Boolean,
}) {
  readonly notApplied = true
  override get message() {
    return `${this.url} cannot be reached: ${this.reason}; start the server, open the way to it, or correct the url`
  }
}

/** The request was sent, or may have been, and no whole answer came: nobody here knows what the server did. */
export class HttpNoAnswer extends Schema.TaggedError<HttpNoAnswer>()("HttpNoAnswer", {
  url: Schema.String,
  reason: Schema.String,
}) {
  readonly transient = true
  override get message() {
    return `${this.url} gave no whole answer: ${this.reason}; it may have done what was asked, so look there before it is sent again`
  }
}

/** The server sent the request elsewhere, where it does not go: to another host, out of TLS, or round and round. */
export class HttpRedirectRefused extends Schema.TaggedError<HttpRedirectRefused>()("HttpRedirectRefused", {
  url: Schema.String,
  status: Schema.Int,
  reason: Schema.String,
}) {
  readonly settled = true
  override get message() {
    return `${this.url} answered ${this.status} and sent the request elsewhere: ${this.reason}; write the url that is meant`
  }
}

/** What is sent. `body` is sent as it is; its media type is in `headers`. */
export interface Request {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** For all of it: connecting, redirects, the answer's last byte. */
  readonly timeoutMillis: number
  /** Bytes of the answer's body that are taken, after decompression; the rest is not read. */
  readonly maxBytes: number
  /** Statuses that are answers even where they could be followed. */
  readonly isAnswer: (status: number) => boolean
}

/** What came. `whole` is false where the body has more than `maxBytes`. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
  readonly whole: boolean
}

/** A URL as it may be shown: what follows the path can be a secret. */
export const shown = (url: string): string => {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}

/** Codes of an error that came before there was a connection, and whether it may pass by itself. */
const unreached: Readonly<Record<string, boolean>> = {
  ECONNREFUSED: true,
  EHOSTUNREACH: true,
  ENETUNREACH: true,
  EADDRNOTAVAIL: true,
  EAI_AGAIN: true,
  ENOTFOUND: false,
  EPROTO: false,
}
const isCertificate = (code: string): boolean => /CERT|ALTNAME|ISSUER|SELF_SIGNED|^UNABLE_TO_/.test(code)

const mostRedirects = 5
const moved = new Set([301, 302, 303, 307, 308])

/** Words of the runtime without the whole URL that it may quote in them. */
export const withoutUrl = (words: string): string => words.replace(/( fetching)? "https?:\/\/[^"]*"/g, "")

/** The runtime's words, without the question or the hint at their end. */
const plain = (cause: unknown): string =>
  withoutUrl(cause instanceof Error ? cause.message : String(cause))
    .replace(/\s+/g, " ")
    .replace(/\. [A-Z][^.]*(\?|fetch\(\))$/, "")

const failure = (url: string) => (cause: unknown) => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  const reason = plain(cause)
  if (Object.hasOwn(unreached, code)) return new HttpUnreachable({ url, reason, transient: unreached[code] })
  if (isCertificate(code)) return new HttpUnreachable({ url, reason: `${code}: ${reason}`, transient: false })
  return new HttpNoAnswer({ url, reason })
}

/** Where a redirect leads, or why it is not followed. */
const targetOf = (response: Response, from: string, count: number): { readonly to: string } | { reason: string } => {
  const location = response.headers.get("location")
  if (location === null || !URL.canParse(location, from)) return { reason: "its Location header is no url" }
  const [source, to] = [new URL(from), new URL(location, from)]
  if (to.protocol !== "http:" && to.protocol !== "https:") return { reason: `it leads to ${to.protocol}` }
  if (to.host !== source.host) return { reason: `it leads to another host, ${to.host}` }
  if (source.protocol === "https:" && to.protocol === "http:") return { reason: "it leads out of TLS" }
  return count < mostRedirects ? { to: to.href } : { reason: `it was sent on ${mostRedirects} times` }
}

const read = Effect.fnUntraced(function* (response: Response, url: string, maxBytes: number) {
  const alive = yield* LifeSign
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  const reader = response.body?.getReader()
  while (reader !== undefined && bytes <= maxBytes) {
    const chunk = yield* Effect.tryPromise({ try: () => reader.read(), catch: failure(url) })
    if (chunk.done) break
    alive()
    chunks.push(chunk.value)
    bytes += chunk.value.length
  }
  const body = Buffer.concat(chunks)
  return { body: new Uint8Array(body.subarray(0, maxBytes)), whole: bytes <= maxBytes }
})

const exchange = Effect.fnUntraced(function* (
  request: Request,
): Effect.fn.Return<Answer, HttpUnreachable | HttpNoAnswer | HttpRedirectRefused, Scope.Scope> {
  const fetch = yield* FetchHttpClient.Fetch
  const { signal } = yield* Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (controller) => Effect.sync(() => controller.abort()),
  )
  const { body, headers, method } = request
  for (let url = request.url, count = 0; ; count++) {
    const name = shown(url)
    const response = yield* Effect.tryPromise({
      // A connection of its own for each request: one that is kept could be dead, and its loss would leave open what was sent.
      try: () =>
        fetch(url, {
          method,
          headers,
          redirect: "manual",
          keepalive: false,
          signal,
          ...(body === undefined ? {} : { body }),
        }),
      catch: failure(name),
    })
    const { status } = response
    const isFollowed = (method === "GET" || method === "HEAD") && moved.has(status) && !request.isAnswer(status)
    if (!isFollowed) {
      return { status, headers: response.headers, ...(yield* read(response, name, request.maxBytes)) }
    }
    const target = targetOf(response, url, count)
    if ("reason" in target) return yield* new HttpRedirectRefused({ url: name, status, reason: target.reason })
    yield* Effect.ignore(Effect.tryPromise(() => response.body?.cancel() ?? Promise.resolve()))
    url = target.to
  }
})

/**
 * Sends a request and reads its answer, whatever its status. GET and HEAD follow redirects (RFC 9110, section 15.4) on
 * the same host, at most 5; headers go along. An interruption closes the connection.
 */
export const send = Effect.fn("Http.send")(function* (request: Request) {
  const { timeoutMillis, url } = request
  return yield* Effect.scoped(exchange(request)).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () =>
        Effect.fail(
          new HttpNoAnswer({ url: shown(url), reason: `it took more than ${formatDuration(timeoutMillis)}` }),
        ),
    }),
  )
})
