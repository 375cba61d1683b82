import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ChosenRung } from "../../../domain/chosen-rung.ts"
import { parseSize } from "../../../domain/quantity.ts"
import * as Sha256 from "../../../domain/sha256.ts"
import { parseLocation } from "../../object-store-s3.ts"
import { Settings } from "../../settings.ts"
import { Workspace } from "../../workspace.ts"
import type { Destination, DestinationFailed } from "./destination.ts"
import * as Directory from "./destination-directory.ts"
import * as S3 from "./destination-s3.ts"
import type { IncidentFolder } from "../incident/incidents.ts"
import * as RungList from "./rung-list.ts"
import type { Trial } from "./s3-trial.ts"

/** A small object that a rung is tried with; or what was seen when it was tried before. */
export type Tried = S3.Tried

/** A rung that can be opened. A folder compares what it reads back, and locks nothing. */
export interface Openable {
  readonly name: string
  readonly location: string
  readonly away: boolean
  readonly open: (
    tried: Tried,
  ) => Effect.Effect<Destination & { readonly trial: Trial }, DestinationFailed, Scope.Scope>
}

const folderTrial: Trial = { lock: undefined, digests: false }

/** What the objects of an incident's bundles begin with. */
export const prefixes = ({ incident }: IncidentFolder) => ({
  evidence: `incidents/${incident.id}/evidence`,
  snapshot: `snapshots/${incident.snapshot}`,
})

/**
 * The rungs of the ladder in their order, as they are opened. A rung that had another location when something was sent to
 * it has a new name.
 */
export const of = Effect.fnUntraced(function* (folder: IncidentFolder, known: ChosenRung["places"]) {
  const { evacuation, storage } = (yield* Settings).sections
  const { project } = yield* Workspace
  const openable = ({ location, ...rung }: RungList.Located): Openable => {
    const isOther = known[rung.name] !== undefined && known[rung.name] !== location
    const name = isOther ? `${rung.name}-${Sha256.of(location).slice(0, 8)}` : rung.name
    const bandwidth = parseSize(rung.bandwidth ?? "")
    const { away, lock, profile, s3 } = rung
    const common = { name, away, ...(bandwidth === undefined ? {} : { bandwidth }) }
    const place = parseLocation(location)
    if (typeof place === "string") {
      const lockRequired = lock?.required === true
      return {
        name,
        location,
        away,
        open: (tried) =>
          Effect.map(
            Directory.open({ ...common, root: location, lockRequired }, "probe" in tried ? tried.probe : undefined),
            (opened) => ({ ...opened, trial: folderTrial }),
          ),
      }
    }
    const options = { ...(profile === undefined ? {} : { profile }), ...(lock === undefined ? {} : { lock }) }
    const { evidence, snapshot } = prefixes(folder)
    return {
      name,
      location,
      away,
      open: (tried) =>
        S3.open({ ...common, ...place, ...options, section: s3 }, tried, [`${evidence}/`, `${snapshot}/`]),
    }
  }
  const found = yield* RungList.of({ destination: folder.call.destination, evacuation, storage, project })
  return found.map((rung): Openable | RungList.Unusable => ("problem" in rung ? rung : openable(rung)))
})
