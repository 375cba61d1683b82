import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as LedgerPlace from "./ledger-place.ts"
import type { Place } from "./ledger-place.ts"
import { root } from "./root.ts"

/** The project that a command looks at. As `Project.find`, without importing what only a run needs. */
export const find = Effect.gen(function* () {
  const flags = yield* root
  const { project, home } = yield* WorkspaceFiles.findProject(process.cwd(), process.env.DANDORI_HOME)
  return { project, home, flags, env: Option.getOrElse(flags.env, () => process.env.SERVICE_ENV ?? "dev") }
})

/** The project at the working folder; none where there is none. */
export const findOptional = Effect.option(find)

/** The ledger of a project for reading: unlike `Project.ledgerLayer` it makes no key. */
export const ledger = LedgerPlace.layer

/** The project's paths. On a command line any path is allowed. */
export const workspace = (project: string, home: string) =>
  WorkspaceFiles.layer({ project, home, extraRoots: [], allowUserPaths: true })

/** Where an environment's registry is; embedded where the project has no configuration. */
export const database = Effect.fnUntraced(function* (project: string, env: string) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(join(project, "configs")).pipe(Effect.orElseSucceed(() => false)))) return undefined
  const { load } = yield* Effect.promise(() => import("../services/settings-files.ts"))
  const { sections } = yield* load(project, env)
  return sections.database.backend === "embedded" ? undefined : sections.database
})

/** True when there may be a registry to read. Opening the embedded one makes it, which a command that only looks must not. */
export const hasRegistry = Effect.fnUntraced(function* ({ env, home, project }: Place) {
  const fs = yield* FileSystem.FileSystem
  if (yield* fs.exists(join(home, "state.db")).pipe(Effect.orElseSucceed(() => false))) return true
  return (yield* database(project, env)) !== undefined
})

/** The registry of an environment. */
export const registry = ({ env, home, project }: Place) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { layerOf, layerState } = yield* Effect.promise(() => import("../services/model-registry-sql.ts"))
      const { layer: secrets } = yield* Effect.promise(() => import("../services/secrets.ts"))
      const section = yield* database(project, env)
      const place = Layer.merge(workspace(project, home), secrets({ project }))
      return Layer.provide(section === undefined ? layerState : layerOf(section), place)
    }),
  )
