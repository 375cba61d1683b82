import { mkdirSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { roots } from "../domain/config/storage.ts"
import type { Capacity } from "../domain/event.ts"
import { parseSize } from "../domain/quantity.ts"
import * as EvidenceLedger from "../ledger/evidence-ledger.ts"
import * as NamedBytes from "../ledger/named-bytes-ledger.ts"
import type { Ledger } from "../ledger/ledger.ts"
import * as LedgerKey from "../ledger/keys.ts"
import * as ArtifactsDirectory from "../services/artifacts-directory.ts"
import * as CloudSnapshots from "../services/cloud-snapshots-aws.ts"
import { AttemptFiles } from "../services/attempt-files.ts"
import { CacheIndex } from "../services/cache-index.ts"
import * as DuckDbEmbedded from "../services/duckdb-embedded.ts"
import * as Cordons from "../services/cordons.ts"
import * as Incidents from "../services/evacuation/incident/incidents.ts"
import * as Inbox from "../services/inbox.ts"
import * as ModelFiles from "../services/model-files.ts"
import * as ModelRegistry from "../services/model-registry-sql.ts"
import * as ObjectStore from "../services/object-store-configured.ts"
import * as Processes from "../services/processes-local.ts"
import * as Secrets from "../services/secrets.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Signals from "../services/signals-configured.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as Catalog from "../../tasks/catalog.ts"
import * as CordonPlace from "./cordon-place.ts"
import * as LeasePlace from "./lease-place.ts"
import * as LedgerPlace from "./ledger-place.ts"
import * as Notifications from "./notifications.ts"
import { root } from "./root.ts"

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

/** The ledger of a project where its configuration says that it is, its key, its evidence. */
export const ledgerLayer = (place: LedgerPlace.Place) => {
  mkdirSync(place.home, { recursive: true, mode: 0o700 })
  return LedgerKey.layer(place.home).pipe(Layer.provideMerge(LedgerPlace.layer(place)))
}

/** Where services are of, and with which configuration: one that was loaded, or that a run was started with. */
export interface Options {
  readonly project: string
  readonly home: string
  readonly configuration: SettingsFiles.Configuration
  /** The ledger and the inbox of the process, where runs of several configurations share them. */
  readonly shared?: Context.Context<Ledger | LedgerKey.LedgerKey | Inbox.Inbox>
  /** Whether inputs may name any path of the machine, as a person at a command line may. True where nothing is said. */
  readonly anyPath?: boolean
  /** Whose cordons, models and ledger an evacuation is about, where its records are in a home of their own. */
  readonly evacuates?: string
}

/** All services of a project. Those of an evacuation keep ledger, leases and cordons in files, whatever the project does. */
export const services = (options: Options) => {
  const { anyPath = true, project, home, configuration, evacuates, shared } = options
  const records =
    evacuates === undefined
      ? { project, home, env: configuration.env }
      : { project: home, home, env: configuration.env }
  const extraRoots = roots(configuration.sections.storage).map(([, path]) => path)
  const base = Layer.mergeAll(
    SettingsFiles.layerOf(configuration),
    WorkspaceFiles.layer({ project, home, extraRoots, allowUserPaths: anyPath }),
    ArtifactsDirectory.layer(`${home}/artifacts`),
    shared === undefined ? ledgerLayer(records) : Layer.succeedContext(shared),
    AttemptFiles.layer(home, configuration.sections.limits),
    CacheIndex.layer(home),
    shared === undefined ? Inbox.layer(`${home}/inbox`) : Layer.succeedContext(shared),
    evacuates === undefined ? CordonPlace.layerOf(records, configuration.sections) : Cordons.layer(`${home}/cordons`),
    Incidents.layer({ root: `${home}/incidents`, projectHome: evacuates ?? home }),
    LeasePlace.layer(records),
    Processes.layer({ folder: `${home}/processes` }),
    Secrets.layer({ project }),
    ObjectStore.layer(configuration.sections.storage),
    DuckDbEmbedded.layer,
    Catalog.layer(project),
  ).pipe(Layer.provideMerge(Layer.merge(NodeFileSystem.layer, NodePath.layer)))
  const upper = Layer.mergeAll(
    CloudSnapshots.layer(configuration.sections.storage),
    EvidenceLedger.layer(home),
    Notifications.layer,
    ModelRegistry.layerOf(configuration.sections.database),
    ModelFiles.layer,
    Signals.layer,
  )
  return NamedBytes.layer.pipe(Layer.provideMerge(upper), Layer.provideMerge(base))
}
