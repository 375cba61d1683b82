import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import type { Artifacts } from "../services/artifacts.ts"
import type { DuckDb } from "../services/duckdb.ts"
import type { Incidents } from "../services/evacuation/incident/incidents.ts"
import type { Evidence } from "../services/evidence.ts"
import type { Holds } from "../services/holds.ts"
import type { ModelFiles } from "../services/model-files.ts"
import type { ModelRegistry } from "../services/model-registry.ts"
import type { NamedBytes } from "../services/named-bytes.ts"
import type { Notifier } from "../services/notifier.ts"
import type { ObjectStore } from "../services/object-store.ts"
import type { Processes } from "../services/processes.ts"
import type { Secrets } from "../services/secrets.ts"
import type { Settings } from "../services/settings.ts"
import type { Signals } from "../services/signals.ts"
import type { UnfinishedRuns } from "../services/unfinished-runs.ts"
import type { Workspace } from "../services/workspace.ts"

/** The services that a task type may require, besides `Attempt` and `Progress`, which each attempt gets of its own. */
export type TaskServices =
  | Artifacts
  | DuckDb
  | Evidence
  | FileSystem.FileSystem
  | Holds
  | Incidents
  | ModelFiles
  | ModelRegistry
  | NamedBytes
  | Notifier
  | ObjectStore
  | Path.Path
  | Processes
  | Secrets
  | Settings
  | Signals
  | UnfinishedRuns
  | Workspace
