import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as OpenRuns from "../../../engine/open-runs.ts"
import { Workspace } from "../../../services/workspace.ts"
import { Api } from "../document.ts"
import { EventFeeds } from "../event-feed.ts"
import { EventStreams } from "../event-stream.ts"
import * as Begun from "../begun.ts"
import * as Problems from "../problems.ts"
import * as RunReading from "../run-reading.ts"
import * as Steering from "../steering.ts"

const usualLimit = 20

/** Answers about runs. */
export const runs = HttpApiBuilder.group(
  Api,
  "runs",
  Effect.fnUntraced(function* (handlers) {
    const feeds = yield* EventFeeds
    const streams = yield* EventStreams
    return handlers.handleAll({
      list: ({ query }) => RunReading.page(query.limit ?? usualLimit, query.before),
      show: ({ params }) => RunReading.detail(params.run),
      plan: ({ params }) => RunReading.plan(params.run),
      events: Effect.fnUntraced(function* ({ headers, params, query, request }) {
        const feed = yield* feeds.of(params.run).pipe(
          Effect.catchTag("StreamMissing", () => RunReading.neverThere(params.run)),
          Effect.catchTag("LedgerFailed", RunReading.unreadable),
          Effect.catchTag(
            ["FeedsFull", "HostUnready"],
            ({ _tag, message }) => new Problems.Unavailable({ code: _tag, detail: message }),
          ),
        )
        const end = feed.end()
        if (typeof end !== "string") {
          return yield* end._tag === "LedgerFailed"
            ? RunReading.unreadable(end)
            : new Problems.Conflict({ code: "StreamDamaged", detail: end.message })
        }
        const after = headers["last-event-id"] ?? query.after ?? 0
        // So that an EventSource that has seen the end does not connect again.
        if (end === "finished" && after >= feed.frames.length) return HttpServerResponse.empty({ status: 204 })
        return yield* streams.respond(request, feed, after)
      }),
      cancel: ({ params, payload }) => Steering.cancel(params.run, payload.reason),
      resolve: ({ params, payload }) => Steering.resolve(params.run, payload),
      retry: Effect.fnUntraced(function* ({ headers, params, payload }) {
        return Begun.answerOf(yield* Steering.retry(params.run, payload, headers["idempotency-key"]))
      }),
      resume: ({ params }) => Steering.resume(params.run),
    })
  }),
)

/** How long what waits for people is good for those who ask again, milliseconds: to find it, all open runs are read. */
const freshMillis = 1_000

/** Answers about agreement. */
export const approvals = HttpApiBuilder.group(
  Api,
  "approvals",
  Effect.fnUntraced(function* (handlers) {
    const { home } = yield* Workspace
    const waiting = Effect.gen(function* () {
      const open = yield* Effect.mapError(OpenRuns.list(home), RunReading.unreadable)
      const found = yield* Effect.forEach(open, (run) =>
        Effect.map(RunReading.factsOf(run), (facts) =>
          facts._tag === "Some" ? RunReading.approvalsOf(run, facts.value) : [],
        ),
      )
      return { approvals: found.flat() }
    })
    const recent = yield* Effect.cachedWithTTL(waiting, Duration.millis(freshMillis))
    return handlers.handleAll({
      list: () => recent,
      answer: ({ params, payload }) => Steering.answer(params.run, payload),
    })
  }),
)
