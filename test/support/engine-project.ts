import { fileURLToPath } from "node:url"
import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Capacity, Entry } from "../../src/domain/event.ts"
import type { Plan } from "../../src/domain/plan.ts"
import type { AnyTaskType } from "../../src/domain/task-type.ts"
import * as Resume from "../../src/engine/resume.ts"
import * as Run from "../../src/engine/run.ts"
import * as EvidenceLedger from "../../src/ledger/evidence-ledger.ts"
import * as NamedBytes from "../../src/ledger/named-bytes-ledger.ts"
import * as LedgerKey from "../../src/ledger/keys.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as LedgerSegments from "../../src/ledger/ledger-segments.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"
import { AttemptFiles } from "../../src/services/attempt-files.ts"
import { CacheIndex } from "../../src/services/cache-index.ts"
import { Catalog } from "../../src/domain/catalog.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { CodeDigest } from "../../src/services/code-digest.ts"
import type { Leases } from "../../src/services/leases.ts"
import * as LeasesSqlite from "../../src/services/leases-sqlite.ts"
import { DuckDb } from "../../src/services/duckdb.ts"
import * as Incidents from "../../src/services/evacuation/incident/incidents.ts"
import * as Cordons from "../../src/services/cordons.ts"
import { Holds } from "../../src/services/holds.ts"
import * as Inbox from "../../src/services/inbox.ts"
import { ModelFiles } from "../../src/services/model-files.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import { Notifier } from "../../src/services/notifier.ts"
import { ObjectStore } from "../../src/services/object-store.ts"
import * as Processes from "../../src/services/processes-local.ts"
import * as Secrets from "../../src/services/secrets.ts"
import * as SettingsFiles from "../../src/services/settings-files.ts"
import { Signals } from "../../src/services/signals.ts"
import * as WorkspaceFiles from "../../src/services/workspace-files.ts"

/** A code digest that does not depend on the checkout. */
const digestOf = (text: string) => () => Sha256.of(text)

/** A project's folder for one test. */
export interface Project {
  readonly project: string
  readonly home: string
}

/** The project that lies in a folder. */
export const at = (project: string): Project => ({ project, home: join(project, ".dandori") })

/** An empty project that goes when the scope closes. */
export const temporary = Effect.acquireRelease(
  Effect.promise(async () => {
    const project = await Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "dandori-engine-")))
    await Fs.mkdir(join(project, ".dandori"))
    return at(project)
  }),
  ({ project }) => Effect.promise(() => Fs.rm(project, { recursive: true, force: true })),
)

const repository = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "")

/** The configuration that ships, for `dev`. */
export const configuration = SettingsFiles.load(repository, "dev")

/** A service that no task type of these tests uses. */
const unusable = <A extends object>(name: string): A =>
  new Proxy({} as A, {
    get: (_, key) => {
      throw new Error(`${name}.${String(key)} is not there in this test`)
    },
  })

/** What a test changes of a project's services. */
export interface Options {
  readonly types: ReadonlyArray<AnyTaskType>
  readonly settings?: SettingsFiles.Configuration
  readonly environment?: Readonly<Record<string, string>>
  readonly code?: string
  /** Others than those of the state store. */
  readonly leases?: Layer.Layer<Leases>
  /** Others than the files of the home. */
  readonly cordons?: Layer.Layer<Cordons.Cordons>
}

/** The embedded services of a project, with the given task types. */
export const services = ({ project, home }: Project, options: Options) => {
  const base = Layer.mergeAll(
    options.settings === undefined
      ? SettingsFiles.layer({ project: repository, env: "dev" })
      : SettingsFiles.layerOf(options.settings),
    WorkspaceFiles.layer({ project, home, extraRoots: [], allowUserPaths: false }),
    ArtifactsDirectory.layer(join(home, "artifacts")),
    LedgerKey.layer(home).pipe(
      Layer.provideMerge(
        LedgerSegments.layer({
          folder: join(home, "ledger"),
          author: { source: "dandori://dev/test", authid: "tester", authtype: "user" },
          flushIntervalMillis: 5,
        }),
      ),
    ),
    AttemptFiles.layer(home, options.settings?.sections.limits),
    CacheIndex.layer(home),
    Inbox.layer(join(home, "inbox")),
    options.cordons ?? Cordons.layer(join(home, "cordons")),
    Incidents.layer({ root: join(home, "incidents"), projectHome: home }),
    options.leases ?? LeasesSqlite.layer(home),
    Processes.layer({ folder: join(home, "processes") }),
    Secrets.layer({ project, environment: options.environment ?? {} }),
    Layer.succeed(Catalog, {
      names: options.types.map(({ type }) => type),
      load: (name) => Effect.succeed(options.types.find(({ type }) => type === name)),
    }),
    Layer.succeed(DuckDb, unusable("DuckDb")),
    Layer.succeed(ModelFiles, unusable("ModelFiles")),
    Layer.succeed(Holds, unusable("Holds")),
    Layer.succeed(ModelRegistry, unusable("ModelRegistry")),
    Layer.succeed(Notifier, unusable("Notifier")),
    Layer.succeed(ObjectStore, unusable("ObjectStore")),
    Layer.succeed(Signals, unusable("Signals")),
    Layer.succeed(CodeDigest, digestOf(options.code ?? "code")),
  ).pipe(Layer.provideMerge(NodeServices.layer))
  const upper = Layer.merge(EvidenceLedger.layer(home), NamedBytes.layer)
  return Layer.fresh(upper.pipe(Layer.provideMerge(base)))
}

export const capacity: Capacity = { cpu: 2, memory: 2 ** 30, gpu: 0, pools: { trainers: 1 }, attempts: 8 }

/** A request to run a plan, with what a test changes of it. */
export const request = (plan: Plan, changed: Partial<Run.RunRequest> = {}): Run.RunRequest => ({
  plan,
  params: {},
  env: "dev",
  environment: {},
  config: "{}",
  capacity,
  durability: "fsync",
  who: "tester",
  ...changed,
})

/** Resumes a run from what the ledger and the artifacts say of it. */
export const resume = Effect.fnUntraced(function* (
  run: string,
  changed: Partial<Parameters<typeof Resume.resume>[2]> = {},
) {
  const recalled = yield* Resume.recall(run)
  return yield* Resume.resume(run, recalled, { capacity, who: "tester", now: Date.now(), ...changed })
})

/** The entries of a run, which must be without fault. */
export const entriesOf = Effect.fnUntraced(function* (run: string) {
  const chain = yield* (yield* Ledger).read(StreamName.ofRun(run))
  if (chain.fault !== undefined) return yield* Effect.die(new Error(chain.fault.reason))
  return chain.entries
})

/** The data of a run's events of one type, e.g. `attempt.failed`. */
export const dataOf = (entries: ReadonlyArray<Entry>, type: string): ReadonlyArray<Record<string, unknown>> =>
  entries
    .filter((entry) => entry.type === `dev.dandori.${type}.v1`)
    .map((entry) => entry.data as Record<string, unknown>)

/** Type (short) and task of each event, in order. */
export const story = (entries: ReadonlyArray<Entry>): ReadonlyArray<string> =>
  entries.map(({ type, data }) => {
    const { task } = data as { readonly task?: string }
    const short = type.replace(/^dev\.dandori\.(.*)\.v1$/, "$1")
    return task === undefined ? short : `${short} ${task}`
  })
