/** Whether a Redis takes commands: one connection, one PING. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { formatDuration } from "../domain/quantity.ts"

/** Redis was not reached, did not let us in, or did not answer. `place` is `host:port`. */
export class RedisSilent extends Schema.TaggedError<RedisSilent>()("RedisSilent", {
  place: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `Redis ${this.place} does not answer: ${this.reason}`
  }
}

const reasonOf = (cause: unknown): string => {
  const inner = cause instanceof AggregateError ? cause.errors[0] : cause
  return inner instanceof Error ? inner.message : String(inner)
}

/**
 * Connects by a `redis://` or `rediss://` URL and asks for a PONG; gives `host:port`. The URL's text is in no message. It
 * does not connect again by itself.
 */
export const ping = Effect.fn("RedisPing.ping")(function* (url: Redacted.Redacted<string>, timeoutMillis: number) {
  const text = Redacted.value(url)
  const known = URL.canParse(text) ? new URL(text) : undefined
  if (known === undefined || !/^rediss?:$/.test(known.protocol) || known.hostname === "") {
    return yield* new RedisSilent({ place: "of the url", reason: "the url is not redis://:password@host:6379/0" })
  }
  const place = `${known.hostname}:${known.port === "" ? 6379 : known.port}`
  const { Redis } = yield* Effect.promise(() => import("ioredis"))
  let lost: unknown
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const made = new Redis(text, {
        lazyConnect: true,
        enableReadyCheck: false,
        connectTimeout: timeoutMillis,
        maxRetriesPerRequest: 0,
        retryStrategy: () => null,
      })
      // What it only says by its event, like a refused connection or password, is the reason of what fails then.
      return made.on("error", (cause) => (lost = cause))
    }),
    (made) => Effect.sync(() => made.disconnect()),
  )
  yield* Effect.tryPromise({
    try: () => client.connect().then(() => client.ping()),
    catch: (cause) => new RedisSilent({ place, reason: reasonOf(lost ?? cause) }),
  }).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () =>
        Effect.fail(new RedisSilent({ place, reason: `nothing came within ${formatDuration(timeoutMillis)}` })),
    }),
  )
  return place
}, Effect.scoped)
