/** Where the steps of collecting come from that are kept elsewhere. */
import * as Effect from "effect/Effect"
import type { Collected } from "../../../src/domain/collected.ts"
import type { FileFailed } from "../../../src/services/durable-files.ts"
import type { Incidents, IncidentFolder } from "../../../src/services/evacuation/incidents.ts"
import type { Settings } from "../../../src/services/settings.ts"
import type { Workspace } from "../../../src/services/workspace.ts"

/** Looks for the files that are to be taken, and how each collector of files ended. */
export const takeInventory = (
  _folder: IncidentFolder,
): Effect.Effect<ReadonlyArray<Collected>, FileFailed, Settings | Workspace | Incidents> => Effect.succeed([])

/** Puts the captures of this call into `evidence.tar`. */
export const pack = (_folder: IncidentFolder): Effect.Effect<void, FileFailed> => Effect.void
