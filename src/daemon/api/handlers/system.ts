import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as OpenApi from "effect/http-api/OpenApi"
import { Host } from "../../host.ts"
import { Caller } from "../authorization.ts"
import { Api } from "../document.ts"
import { EventStreams } from "../event-stream.ts"
import * as Problems from "../problems.ts"

/** Answers about the API itself. */
export const self = HttpApiBuilder.group(Api, "self", (handlers) =>
  handlers.handleAll({
    openapi: () => Effect.sync((): Readonly<Record<string, unknown>> => ({ ...OpenApi.fromApi(Api) })),
    whoami: () => Effect.map(Caller, ({ actor, role }) => ({ ...actor, role })),
  }),
)

/** Answers to a monitor. */
export const health = HttpApiBuilder.group(
  Api,
  "health",
  Effect.fnUntraced(function* (handlers) {
    const host = yield* Host
    return handlers.handleAll({
      livez: () => Effect.succeed({ status: "alive" } as const),
      readyz: Effect.fnUntraced(function* () {
        const { leader, ready } = yield* host.state
        if (ready) return { status: "ready", leader } as const
        return yield* new Problems.Unavailable({ code: "NotReady", detail: "The daemon takes no requests now" })
      }),
    })
  }),
)

/** Numbers. */
export const metrics = HttpApiBuilder.group(
  Api,
  "metrics",
  Effect.fnUntraced(function* (handlers) {
    const host = yield* Host
    const streams = yield* EventStreams
    return handlers.handleAll({ metrics: () => Effect.flatMap(streams.count, host.metrics) })
  }),
)
