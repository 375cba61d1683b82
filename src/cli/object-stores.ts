import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as ObjectStoreConfigured from "../services/object-store-configured.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Readers from "./project-readers.ts"

/** Opens folders and `s3://` locations, by the configuration of the project at the working folder if there is one. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const found = Option.getOrUndefined(yield* Readers.findOptional)
    if (found === undefined) return ObjectStoreConfigured.layer({})
    const { sections } = yield* SettingsFiles.load(found.project, found.env)
    return ObjectStoreConfigured.layer(sections.storage)
  }),
)
