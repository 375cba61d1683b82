import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { withoutUrl } from "./http.ts"

/** The other side did not answer in time, could not be reached, or did not say 2xx. */
export class PostFailed extends Schema.TaggedError<PostFailed>()("PostFailed", {
  url: Schema.String,
  reason: Schema.String,
  /** What the other side answered, if it did. */
  status: Schema.optionalKey(Schema.Int),
}) {
  override get message() {
    return `${this.url} did not take it: ${this.reason}`
  }
}

/** JSON for a URL. */
export interface Post {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly timeoutMillis: number
}

/** A URL as it may be shown: what follows the path can be a secret. */
const shown = (url: string): string => {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}

/** The beginning of a text, on one line. */
export const brief = (text: string): string => text.replace(/\s+/g, " ").trim().slice(0, 200)

/** The runtime's words for a connection that failed, without the question at their end. */
const plain = ({ cause, message }: { readonly cause?: unknown; readonly message: string }): string =>
  brief(withoutUrl(cause instanceof Error ? cause.message : message)).replace(/\. [^.]*\?$/, "")

/** What the other side said, whatever its status. Header names are in lower case. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
}

/**
 * Posts JSON and succeeds with the answer, when there was one in time and it was whole. Redirects are not followed. `as` is
 * what messages call the other side: for a URL whose path is a secret.
 */
export const exchange = Effect.fn("HttpPost.exchange")(function* (
  { body, headers, timeoutMillis, url }: Post,
  as: string = shown(url),
): Effect.fn.Return<Answer, PostFailed, HttpClient.HttpClient> {
  const failed = (reason: string) => new PostFailed({ url: as, reason })
  const client = yield* HttpClient.HttpClient
  const request = HttpClientRequest.post(url, { headers }).pipe(HttpClientRequest.bodyText(body, "application/json"))
  return yield* client.execute(request).pipe(
    Effect.flatMap(({ headers, status, text }) => Effect.map(text, (text) => ({ headers, status, text }))),
    Effect.mapError((error) => failed(plain(error))),
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () => Effect.fail(failed(`no answer within ${timeoutMillis} ms`)),
    }),
  )
})

/** As `exchange`, but succeeds with the text of the answer, and only when the status is 2xx. */
export const post = Effect.fn("HttpPost.post")(function* (message: Post) {
  const { status, text } = yield* exchange(message)
  if (status >= 200 && status <= 299) return text
  return yield* new PostFailed({ url: shown(message.url), reason: `HTTP ${status} ${brief(text)}`.trim(), status })
})

/** HTTP by the runtime's own fetch. No header of ours goes along but those of the request. */
export const layer: Layer.Layer<HttpClient.HttpClient> = FetchHttpClient.layer.pipe(
  Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" })),
  Layer.provideMerge(Layer.succeed(HttpClient.TracerPropagationEnabled, false)),
)
