import { resolve } from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { fixed } from "./init/files.ts"
import { line } from "../domain/config/problem.ts"
import * as Home from "../services/evacuation/incident/home.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import type { EnvironmentName } from "../domain/names.ts"
import * as LeasePlace from "./lease-place.ts"
import { root } from "./root.ts"

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

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

/** Why the records of an earlier evacuation in a home keep a new one from beginning: a ledger or a key that is damaged. */
const damage = (home: string, env: EnvironmentName): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    const Project = yield* Effect.promise(() => import("./project.ts"))
    const Root = yield* Effect.promise(() => import("../ledger/root.ts"))
    const place = { project: home, home, env }
    const files = Layer.merge(NodeFileSystem.layer, NodePath.layer)
    const records = Layer.merge(Project.ledgerLayer(place), LeasePlace.layer(place))
    yield* Effect.scoped(Effect.provide(Root.reconcile(), Layer.provideMerge(records, files)))
    return undefined
  }).pipe(Effect.catchCause((cause) => Effect.succeed(messageOf(Cause.squash(cause)))))

/**
 * Finds the place of an evacuation. It needs no project, no readable configuration and no room in the project's home: the
 * working folder, the shipped values and another folder of this machine do. `begins`: a run is to begin in its home, so
 * what lies there must not be damaged.
 */
export const find = Effect.fn("EvacuatePlace.find")(function* (incident: string | undefined, begins: boolean) {
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
  const { env: environment } = configuration
  const home = yield* Home.choose(found.home, incident, begins ? (path) => damage(path, environment) : undefined)
  degraded.push(...home.refused.map(({ path, reason }) => `${path} takes no records: ${reason}`))
  return { project: found.project, projectHome: found.home, home: home.path, configuration, degraded, flags }
})
