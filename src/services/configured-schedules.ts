import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ConfiguredSchedules, SchedulesUnknown, ofSection } from "../domain/configured-schedules.ts"

/** The schedules that a project's configuration names in an environment, read when the first pipeline names one. */
export const layer = (project: string, env: string): Layer.Layer<never> =>
  Layer.effect(
    ConfiguredSchedules,
    Effect.cached(
      Effect.gen(function* () {
        const { load } = yield* Effect.promise(() => import("./settings-files.ts"))
        const { sections } = yield* load(project, env)
        return ofSection(sections.schedules)
      }).pipe(Effect.mapError(({ message }) => new SchedulesUnknown({ reason: message }))),
    ),
  )
