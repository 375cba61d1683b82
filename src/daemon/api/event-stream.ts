import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Feed } from "./event-feed.ts"
import * as Problems from "./problems.ts"

/** How often a client hears that its stream still stands, milliseconds. */
const heartbeatMillis = 15_000
/** Most that is handed over at once, bytes. */
const mostBytes = 64 * 1024
/** How often it is looked for clients that do not read, milliseconds. */
const watchMillis = 1_000

const heartbeat = Buffer.from(": still here\n\n")

/** A stream to one client: since when it has not taken what was handed over, and how to drop it. */
interface Open {
  handed: number | undefined
  readonly drop: () => void
}

/** How many streams there may be, and how long a client may take to read what it was sent, milliseconds. */
export interface Limits {
  readonly streams: number
  readonly stallMillis: number
}

/** The open event streams: limited in number, and without those that do not read. */
export class EventStreams extends Context.Service<
  EventStreams,
  {
    /** The answer to a request, whose stream counts as open until the scope of the request closes. */
    readonly respond: (
      request: HttpServerRequest,
      feed: Feed,
      after: number,
    ) => Effect.Effect<HttpServerResponse.HttpServerResponse, Problems.Unavailable, Scope.Scope>
    readonly count: Effect.Effect<number>
    /** Ends all of them, and those that come later at their beginning. */
    readonly close: Effect.Effect<void>
  }
>()("dandori/daemon/api/EventStreams") {}

const headers = { "cache-control": "no-store", "x-accel-buffering": "no" }

/** Frames from a sequence on, as many as may go at once. */
const batch = (
  frames: ReadonlyArray<Uint8Array>,
  from: number,
): { readonly bytes: Uint8Array; readonly to: number } => {
  let to = from
  let bytes = 0
  while (to < frames.length && (to === from || bytes + frames[to].length <= mostBytes)) bytes += frames[to++].length
  return { bytes: to - from === 1 ? frames[from] : Buffer.concat(frames.slice(from, to)), to }
}

const make = Effect.fnUntraced(function* (limits: Limits) {
  const clock = yield* Clock.Clock
  const all = new Set<Open>()
  const closed = yield* Deferred.make<void>()
  yield* Effect.gen(function* () {
    while (true) {
      yield* Effect.sleep(watchMillis)
      const now = clock.currentTimeMillisUnsafe()
      for (const open of all) if (open.handed !== undefined && now - open.handed > limits.stallMillis) open.drop()
    }
  }).pipe(Effect.forkScoped)
  return EventStreams.of({
    count: Effect.sync(() => all.size),
    close: Effect.asVoid(Deferred.succeed(closed, undefined)),
    respond: Effect.fnUntraced(function* (request, feed, after) {
      if (all.size >= limits.streams) {
        const detail = `${limits.streams} event streams are open, which is the limit; try again later`
        return yield* new Problems.Unavailable({ code: "TooManyStreams", detail })
      }
      const response = NodeHttpServerRequest.toServerResponse(request)
      const open: Open = { handed: undefined, drop: () => response.destroy() }
      const stillHere = (from: number) => {
        open.handed = clock.currentTimeMillisUnsafe()
        return [heartbeat, from] as const
      }
      let isAnswered = false
      const next = Effect.fnUntraced(function* (from: number) {
        open.handed = undefined
        const isFirst = !isAnswered
        isAnswered = true
        while (true) {
          if (from < feed.frames.length) {
            const { bytes, to } = batch(feed.frames, from)
            open.handed = clock.currentTimeMillisUnsafe()
            return [bytes, to] as const
          }
          if (feed.end() !== "open") return
          // The head of an answer goes with its first bytes.
          if (isFirst) return stillHere(from)
          const came = yield* Effect.timeoutOption(
            Effect.raceFirst(feed.beyond(from), Deferred.await(closed)),
            heartbeatMillis,
          )
          if (Deferred.isDoneUnsafe(closed)) return
          if (Option.isNone(came)) return stillHere(from)
        }
      })
      yield* Effect.acquireRelease(
        Effect.sync(() => all.add(open)),
        () => Effect.sync(() => all.delete(open)),
      )
      return HttpServerResponse.stream(Stream.unfold(after, next), { contentType: "text/event-stream", headers })
    }),
  })
})

/** Streams within these limits. */
export const layer = (limits: Limits): Layer.Layer<EventStreams> => Layer.effect(EventStreams, make(limits))
