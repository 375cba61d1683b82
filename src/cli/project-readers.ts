import { join } from "node:path"
import { hostname } from "node:os"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import { root } from "./root.ts"
import { who } from "./who.ts"

/** The project that a command looks at. As `Project.find`, without importing what only a run needs. */
export const find = Effect.gen(function* () {
  const flags = yield* root
  const { project, home } = yield* WorkspaceFiles.findProject(process.cwd(), process.env.DANDORI_HOME)
  return { project, home, flags, env: Option.getOrElse(flags.env, () => process.env.SERVICE_ENV ?? "dev") }
})

/** The project at the working folder; none where there is none. */
export const findOptional = Effect.option(find)

/** The ledger of a home for reading: unlike `Project.ledgerLayer` it makes no key. */
export const ledger = (home: string, env: string) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("../ledger/ledger.ts")),
      ({ layerSegments }) =>
        layerSegments({
          folder: join(home, "ledger"),
          author: { source: `dandori://${env}/${hostname()}`, authid: who(), authtype: "user" },
          flushIntervalMillis: 1_000,
        }),
    ),
  )

/** The project's paths. On a command line any path is allowed. */
export const workspace = (project: string, home: string) =>
  WorkspaceFiles.layer({ project, home, extraRoots: [], allowUserPaths: true })

/** True when the home holds a state store; opening one makes it, which a command that only looks must not. */
export const hasState = Effect.fnUntraced(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.exists(join(home, "state.db")).pipe(Effect.orElseSucceed(() => false))
})

/** The registry in the state store of a home. */
export const registry = (project: string, home: string) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("../services/model-registry-sql.ts")),
      ({ layerState }) => Layer.provide(layerState, workspace(project, home)),
    ),
  )
