import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { MessagingSection } from "../domain/config/messaging.ts"
import type { Secrets } from "./secrets.ts"
import { Settings } from "./settings.ts"
import type { Signals } from "./signals.ts"
import type { Workspace } from "./workspace.ts"

/** The signals that a messaging section chooses: in the project, or in Redis. */
export const layerOf = (messaging: MessagingSection): Layer.Layer<Signals, never, Secrets | Workspace> =>
  Layer.unwrap(
    messaging.backend === "redis"
      ? Effect.map(
          Effect.promise(() => import("./signals-redis.ts")),
          ({ layer }): Layer.Layer<Signals, never, Secrets | Workspace> => layer(messaging),
        )
      : Effect.map(
          Effect.promise(() => import("./signals-embedded.ts")),
          ({ layer }): Layer.Layer<Signals, never, Secrets | Workspace> => layer(messaging),
        ),
  )

/** Those of the configuration. */
export const layer: Layer.Layer<Signals, never, Secrets | Settings | Workspace> = Layer.unwrap(
  Effect.map(Settings, ({ sections }) => layerOf(sections.messaging)),
)
