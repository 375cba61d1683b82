import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import type { Actor } from "../../domain/actor.ts"
import { type DaemonSection, bytesOf, millisOf } from "../../domain/config/daemon.ts"
import * as Admission from "./admission.ts"
import { Api } from "./document.ts"
import { health as monitor } from "./endpoints/system.ts"
import { EventFeeds } from "./event-feed.ts"
import * as EventStreams from "./event-stream.ts"
import * as Gate from "./gate.ts"
import { tokens } from "./handlers/access.ts"
import { hooks, pipelines, schedules } from "./handlers/pipelines.ts"
import { cordons, models } from "./handlers/registry.ts"
import { approvals, runs } from "./handlers/runs.ts"
import { health, metrics, self } from "./handlers/system.ts"
import * as Idempotency from "./idempotency.ts"
import * as Server from "./server.ts"

/** Where the API listens, by the section `daemon`, and who the user of the local socket is. */
export interface ServeOptions extends Pick<DaemonSection, "host" | "port" | "limits"> {
  readonly allowedHosts: ReadonlyArray<string>
  readonly localUser: Actor
}

/** Connections beside the event streams. */
const otherConnections = 1_000

/** The methods of each path, `:name` standing for one segment. */
const routes = (): ReadonlyArray<readonly [RegExp, ReadonlyArray<string>]> => {
  const endpoints = Object.values(Api.groups).flatMap((group) => Object.values(group.endpoints))
  return [...Map.groupBy(endpoints, ({ path }) => path)].map(([path, same]) => {
    const pattern = path.replaceAll(".", "\\.").replace(/:[^/]+/g, "[^/]+")
    const methods = same.map(({ method }) => method)
    return [new RegExp(`^${pattern}/?$`), methods.includes("GET") ? [...methods, "HEAD"] : methods] as const
  })
}

/**
 * Serves the API until the scope closes; gives the port of the network address, and how to serve it on a local socket,
 * too. At the end streams end at once, and other
 * requests have five seconds.
 */
export const serve = Effect.fn("Api.serve")(function* (options: ServeOptions) {
  const { allowedHosts, host, limits, localUser, port } = options
  const requestMillis = millisOf(limits.request_timeout)
  const known = routes()
  const own = yield* Layer.build(
    Layer.merge(EventStreams.layer({ streams: limits.streams, stallMillis: requestMillis }), Idempotency.layer),
  )
  const handlers = Layer.mergeAll(
    self,
    runs,
    approvals,
    pipelines,
    schedules,
    models,
    cordons,
    tokens,
    metrics,
    hooks,
    health,
  )
  const api = HttpApiBuilder.layer(Api).pipe(
    Layer.provide(handlers),
    Layer.provide([Admission.authorization, Admission.checked, EventFeeds.layer]),
    Layer.provide(Layer.succeed(Admission.LocalUser, localUser)),
    Layer.provide(Layer.succeedContext(own)),
    Layer.provide(NodeHttpServer.layerHttpServices),
  )
  const app = Gate.guard(Effect.provide(yield* HttpRouter.toHttpEffect(api), own), {
    allowedHosts: [host, ...allowedHosts],
    bodyBytes: bytesOf(limits.body),
    requestMillis,
    requestsPerMinute: limits.requests_per_minute,
    monitored: new Set(Object.values(monitor.endpoints).map(({ path }) => path)),
    methodsOf: (path) => known.find(([pattern]) => pattern.test(path))?.[1] ?? [],
  })
  const receiving = { requestMillis, connections: limits.streams + otherConnections }
  const bound = yield* Server.onNetwork(app, receiving, { host, port })
  yield* Effect.addFinalizer(() => Context.get(own, EventStreams.EventStreams).close)
  return { port: bound, onSocket: (path: string) => Server.onSocket(app, receiving, path) }
})
