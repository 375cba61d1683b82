import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { MessagingSection } from "../domain/config/messaging.ts"
import type { Event } from "../domain/event.ts"
import type { EnvironmentName } from "../domain/names.ts"
import * as Secrets from "../services/secrets.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as SignalsConfigured from "../services/signals-configured.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as LedgerPlace from "./ledger-place.ts"
import * as ProjectReaders from "./project-readers.ts"

/** A project with its messaging section: all that a halt needs. */
export interface OpsPlace {
  readonly project: string
  readonly home: string
  readonly env: EnvironmentName
  readonly messaging: MessagingSection
}

/** The place of a command, and its flags. */
export const find = Effect.gen(function* () {
  const { env: name, flags, home, project } = yield* ProjectReaders.find
  const { env, messaging } = yield* SettingsFiles.loadMessaging(project, name)
  return { flags, place: { project, home, env, messaging } satisfies OpsPlace }
})

/** The signals of a place. */
export const signals = ({ home, messaging, project }: OpsPlace) =>
  SignalsConfigured.layerOf(messaging).pipe(
    Layer.provide(
      Layer.merge(
        Secrets.layer({ project }),
        WorkspaceFiles.layer({ project, home, extraRoots: [], allowUserPaths: true }),
      ),
    ),
  )

/** The ledger of a place, in its home or in a database. */
export const ledger = (place: OpsPlace) =>
  Layer.unwrap(Effect.as(WorkspaceFiles.makeHome(place.home), LedgerPlace.layer(place)))

/** Puts an event into the `system` stream; durable on return. */
export const record = Effect.fnUntraced(function* (place: OpsPlace, event: Event) {
  const { Ledger } = yield* Effect.promise(() => import("../ledger/ledger.ts"))
  yield* Effect.flatMap(Ledger, (books) => books.record("system", [event])).pipe(Effect.provide(ledger(place)))
})
