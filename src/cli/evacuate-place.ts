import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { fixed } from "./init/files.ts"
import { line } from "../domain/config/problem.ts"
import * as Home from "../services/evacuation/home.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import { root } from "./root.ts"

/** The shipped configuration: the text of each file. */
const usual = new Map(fixed.filter(([path]) => path.startsWith("configs/")))

/** Where an evacuation takes place: what is known of the project, however little, and what had to be worked around. */
export interface Place {
  readonly project: string
  readonly projectHome: string
  /** Where this evacuation keeps its own records, its ledger among them. */
  readonly home: string
  readonly configuration: SettingsFiles.Configuration
  readonly degraded: ReadonlyArray<string>
}

/**
 * Finds the place of an evacuation. It needs no project, no readable configuration and no room in the project's home: the
 * working folder, the shipped values and another folder of this machine do.
 */
export const find = Effect.fn("EvacuatePlace.find")(function* (incident: string | undefined) {
  const flags = yield* root
  const env = Option.getOrElse(flags.env, () => process.env.SERVICE_ENV ?? "dev")
  const degraded: Array<string> = []
  const found = yield* WorkspaceFiles.findProject(process.cwd(), process.env.DANDORI_HOME).pipe(
    Effect.catch((error) => {
      degraded.push(`${error.message}; the working folder is taken for one`)
      const dandoriHome = process.env.DANDORI_HOME ?? ""
      const home = resolve(process.cwd(), dandoriHome === "" ? ".dandori" : dandoriHome)
      return Effect.succeed({ project: process.cwd(), home })
    }),
  )
  const { configuration, problems } = yield* SettingsFiles.salvage(found.project, env, usual)
  const missing = problems.filter(({ message }) => message === "is missing")
  if (missing.length > 0) {
    const names = missing.map(({ path }) => path).join(", ")
    degraded.push(`the configuration has no section ${names}; what ships is used in their place`)
  }
  for (const problem of problems) {
    if (!missing.includes(problem)) degraded.push(`${line(problem)}; what ships is used in its place`)
  }
  const home = yield* Home.choose(found.home, incident)
  degraded.push(...home.refused.map(({ path, reason }) => `${path} takes no records: ${reason}`))
  return { project: found.project, projectHome: found.home, home: home.path, configuration, degraded, flags }
})
