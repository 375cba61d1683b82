import * as Layer from "effect/Layer"
import * as ConfiguredSchedules from "../services/configured-schedules.ts"
import * as Catalog from "../../tasks/catalog.ts"

/** What pipelines of a project are compiled with: its task types, and the schedules of its configuration in `env`. */
export const layer = (project: string, env: string) =>
  Layer.merge(Catalog.layer(project), ConfiguredSchedules.layer(project, env))
