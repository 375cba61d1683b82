import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

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

const brief = (text: string): string => text.replace(/\s+/g, " ").trim().slice(0, 200)

/** The runtime's words for a connection that failed, without the question at their end. */
const plain = ({ cause, message }: { readonly cause?: unknown; readonly message: string }): string =>
  brief(cause instanceof Error ? cause.message : message).replace(/\. [^.]*\?$/, "")

/** Posts JSON; succeeds with the text of the answer when the status is 2xx. Redirects are not followed. */
export const post = Effect.fn("HttpPost.post")(function* ({ body, headers, timeoutMillis, url }: Post) {
  const failed = (reason: string) => new PostFailed({ url: shown(url), reason })
  const client = yield* HttpClient.HttpClient
  const request = HttpClientRequest.post(url, { headers }).pipe(HttpClientRequest.bodyText(body, "application/json"))
  const { status, text } = yield* client.execute(request).pipe(
    Effect.flatMap((response) => Effect.map(response.text, (text) => ({ status: response.status, text }))),
    Effect.mapError((error) => failed(plain(error))),
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () => Effect.fail(failed(`no answer within ${timeoutMillis} ms`)),
    }),
  )
  if (status >= 200 && status <= 299) return text
  return yield* new PostFailed({ url: shown(url), reason: `HTTP ${status} ${brief(text)}`.trim(), status })
})

/** HTTP by the runtime's own fetch. No header of ours goes along but those of the request. */
export const layer: Layer.Layer<HttpClient.HttpClient> = FetchHttpClient.layer.pipe(
  Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" })),
  Layer.provideMerge(Layer.succeed(HttpClient.TracerPropagationEnabled, false)),
)
