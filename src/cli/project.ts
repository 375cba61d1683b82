import { mkdirSync } from "node:fs"
import { cpus, hostname, totalmem } from "node:os"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { roots } from "../domain/config/storage.ts"
import type { Capacity } from "../domain/event.ts"
import type { EnvironmentName } from "../domain/names.ts"
import { parseSize } from "../domain/quantity.ts"
import * as EvidenceLedger from "../ledger/evidence-ledger.ts"
import * as LedgerKey from "../ledger/keys.ts"
import * as Ledger from "../ledger/ledger.ts"
import * as ArtifactsDirectory from "../services/artifacts-directory.ts"
import { AttemptFiles } from "../services/attempt-files.ts"
import { CacheIndex } from "../services/cache-index.ts"
import * as DuckDbEmbedded from "../services/duckdb-embedded.ts"
import * as Cordons from "../services/cordons.ts"
import * as Inbox from "../services/inbox.ts"
import * as Leases from "../services/leases-sqlite.ts"
import * as ModelFiles from "../services/model-files.ts"
import * as ModelRegistry from "../services/model-registry-sqlite.ts"
import * as Notifier from "../services/notifier-embedded.ts"
import * as ObjectStore from "../services/object-store-configured.ts"
import * as Processes from "../services/processes-local.ts"
import * as Secrets from "../services/secrets.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as Catalog from "../../tasks/catalog.ts"
import { root } from "./root.ts"
import { who } from "./who.ts"

/** The project that a command works on, found from the working folder. */
export const find = Effect.gen(function* () {
  const flags = yield* root
  const { project, home } = yield* WorkspaceFiles.findProject(process.cwd(), process.env.DANDORI_HOME)
  const env = Option.getOrElse(flags.env, () => process.env.SERVICE_ENV ?? "dev")
  return { project, home, env, flags }
})

/** What this machine offers to a run, by the resources section. */
export const capacityOf = ({ sections }: SettingsFiles.Configuration): Capacity => {
  const { machine, pools } = sections.resources
  return {
    cpu: machine.cpu === "auto" ? cpus().length : machine.cpu,
    memory: machine.memory === "auto" ? totalmem() : (parseSize(machine.memory) ?? totalmem()),
    gpu: 0,
    pools,
    attempts: 64,
  }
}

/** The ledger of a project: segment files, its key, its evidence. */
export const ledgerLayer = (home: string, env: EnvironmentName | string) => {
  mkdirSync(home, { recursive: true, mode: 0o700 })
  return LedgerKey.layer(home).pipe(
    Layer.provideMerge(
      Ledger.layerSegments({
        folder: `${home}/ledger`,
        author: { source: `dandori://${env}/${hostname()}`, authid: who(), authtype: "user" },
        flushIntervalMillis: 1_000,
      }),
    ),
  )
}

/** All services of the embedded default. The configuration is one that was loaded, or that a run was started with. */
export const services = (options: {
  readonly project: string
  readonly home: string
  readonly configuration: SettingsFiles.Configuration
}) => {
  const { project, home, configuration } = options
  const extraRoots = roots(configuration.sections.storage).map(([, path]) => path)
  const base = Layer.mergeAll(
    SettingsFiles.layerOf(configuration),
    WorkspaceFiles.layer({ project, home, extraRoots, allowUserPaths: true }),
    ArtifactsDirectory.layer(`${home}/artifacts`),
    ledgerLayer(home, configuration.env),
    AttemptFiles.layer(home, configuration.sections.limits),
    CacheIndex.layer(home),
    Inbox.layer(`${home}/inbox`),
    Cordons.layer(`${home}/cordons`),
    Leases.layer(home),
    Processes.layer({ folder: `${home}/processes` }),
    Secrets.layer({ project }),
    ObjectStore.layer(configuration.sections.storage),
    DuckDbEmbedded.layer,
    Catalog.layer(project),
  ).pipe(Layer.provideMerge(Layer.merge(NodeFileSystem.layer, NodePath.layer)))
  return Layer.mergeAll(EvidenceLedger.layer(home), Notifier.layer(), ModelRegistry.layerState, ModelFiles.layer).pipe(
    Layer.provideMerge(base),
  )
}
