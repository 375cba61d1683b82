import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { EvacuationSection } from "../../../../src/domain/config/evacuation.ts"
import * as Inventory from "../../../../src/services/evacuation/sources/inventory.ts"
import * as Place from "../destination/place.ts"

export const take = (project: string, evacuation: EvacuationSection, deadline?: number) =>
  Effect.gen(function* () {
    const folder = yield* Place.incident({ began: 1, ...(deadline === undefined ? {} : { deadline }) })
    const endings = yield* Inventory.take(folder)
    const { path } = folder
    return {
      path,
      endings,
      files: Place.inventory(path),
      others: Place.notTaken(path),
      collected: Place.collected(path),
    }
  }).pipe(Effect.provide(Place.services(project, evacuation)))

export const pathsOf = (files: ReadonlyArray<{ readonly path: string }>) => files.map(({ path }) => path)
/** What was not taken, with the reason, by its path below `tree`. */
export const reasonsOf = (
  project: string,
  others: ReadonlyArray<{ readonly source: string; readonly reason: string }>,
) => Object.fromEntries(others.map(({ reason, source }) => [source.replace(`${join(project, "tree")}/`, ""), reason]))
