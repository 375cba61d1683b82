import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Exporter } from "../domain/config/exporters.ts"
import { roots } from "../domain/config/storage.ts"
import { parseDuration } from "../domain/quantity.ts"
import * as Delivery from "../exporters/delivery.ts"
import { ExportCursors } from "../services/export-cursors.ts"
import * as HttpPost from "../services/http-post.ts"
import * as Secrets from "../services/secrets.ts"
import type * as SettingsFiles from "../services/settings-files.ts"
import * as Sqlite from "../services/sqlite.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as Output from "./output.ts"
import * as Readers from "./project-readers.ts"

/** The project whose ledger is sent. */
export interface Place {
  readonly project: string
  readonly home: string
  readonly configuration: SettingsFiles.Configuration
}

/** How long the process of a run goes on sending after its end. */
const afterRunMillis = 5_000

/** Sends what is new to these exporters. */
export const send = (
  { configuration, home, project }: Place,
  exporters: ReadonlyArray<Exporter>,
  changed: { readonly boundMillis?: number; readonly skip?: string } = {},
) => {
  const { env, sections } = configuration
  const extraRoots = roots(sections.storage).map(([, path]) => path)
  const services = Layer.mergeAll(
    ExportCursors.layer.pipe(Layer.provide(Sqlite.layerState)),
    Secrets.layer({ project }),
    HttpPost.layer,
    Readers.ledger({ project, home, env }),
  ).pipe(Layer.provideMerge(WorkspaceFiles.layer({ project, home, extraRoots, allowUserPaths: false })))
  const timeoutMillis = parseDuration(sections.exporters.timeout) ?? afterRunMillis
  return Delivery.deliver({ env, exporters, timeoutMillis, ...changed }).pipe(Effect.provide(services))
}

/** Says what an exporter left. */
export const note = ({ exporter, problem }: Delivery.Delivered) =>
  problem === undefined
    ? Effect.void
    : Output.message(`Exporter ${exporter} is behind: ${problem}. Nothing is lost; dandori ledger send tries again.`)

/** Sends what is new after a run's end. What does not go is only said: it changes nothing of the run. */
export const afterRun = (place: Place) => {
  const { exporters } = place.configuration.sections.exporters
  return send(place, exporters, { boundMillis: afterRunMillis }).pipe(
    Effect.flatMap((delivered) => Effect.forEach(delivered, note)),
    Effect.catch(({ message }) => Output.message(`The exporters were left out: ${message}`)),
  )
}
