import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Secrets } from "./secrets.ts"
import { Settings } from "./settings.ts"
import type { Signals } from "./signals.ts"
import type { Workspace } from "./workspace.ts"

/** The signals that the messaging section chooses: in the project, or in Redis. */
export const layer: Layer.Layer<Signals, never, Secrets | Settings | Workspace> = Layer.unwrap(
  Effect.flatMap(Settings, ({ sections }): Effect.Effect<Layer.Layer<Signals, never, Secrets | Settings | Workspace>> =>
    sections.messaging.backend === "redis"
      ? Effect.map(
          Effect.promise(() => import("./signals-redis.ts")),
          ({ layer }) => layer,
        )
      : Effect.map(
          Effect.promise(() => import("./signals-embedded.ts")),
          ({ layer }) => layer,
        ),
  ),
)
