import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { MessagingSection } from "../../src/domain/config/messaging.ts"
import * as Secrets from "../../src/services/secrets.ts"
import type { Signals } from "../../src/services/signals.ts"
import * as SignalsConfigured from "../../src/services/signals-configured.ts"
import { PathRefused, Workspace } from "../../src/services/workspace.ts"

/** Where signals are: in a project's home, or in a Redis under names of the test's own. */
export interface Place {
  readonly home: string
  /** Distinguishes the key and the channel of this test from those of others on the same server. */
  readonly name: string
  /** Of a Redis; without it the signals are in the project. */
  readonly url?: string
  readonly subscribeTimeout?: string
}

/** The messaging section of a place. */
export const messaging = ({ name, subscribeTimeout = "5s", url }: Place): MessagingSection => ({
  backend: url === undefined ? "embedded" : "redis",
  url: "${env:REDIS_URL}",
  channels: {
    inference_requests: `${name}:requests`,
    inference_signals: `${name}:signals`,
    ops_events: `${name}:events`,
  },
  keys: { ops_flags: `${name}:flags`, worker_heartbeats: `${name}:heartbeats` },
  subscribe_timeout: subscribeTimeout,
  heartbeat_ttl: "60s",
})

/** Signals as one process has them: each use of it is a process of its own. */
export const layer = (place: Place): Layer.Layer<Signals> => {
  const surroundings = Layer.mergeAll(
    Layer.succeed(Workspace, {
      project: place.home,
      home: place.home,
      resolve: (path) => Effect.fail(new PathRefused({ path, reason: "this test has no files" })),
      display: (path) => path,
    }),
    Secrets.layer({ project: place.home, environment: { REDIS_URL: place.url } }),
  )
  return Layer.fresh(Layer.provide(SignalsConfigured.layerOf(messaging(place)), surroundings))
}
