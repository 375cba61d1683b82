import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { isAbsolute, join, relative, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { NotificationsSection } from "../../src/domain/config/notifications.ts"
import * as LedgerSection from "../../src/domain/config/ledger.ts"
import type { Sections } from "../../src/domain/config/sections.ts"
import type { StorageSection } from "../../src/domain/config/storage.ts"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import type { EnvironmentName } from "../../src/domain/names.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as CloudSnapshots from "../../src/services/cloud-snapshots-aws.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Evidence } from "../../src/services/evidence.ts"
import * as ModelRegistry from "../../src/services/model-registry-sql.ts"
import * as Processes from "../../src/services/processes-local.ts"
import { Progress } from "../../src/services/progress.ts"
import * as Secrets from "../../src/services/secrets.ts"
import * as ObjectStoreConfigured from "../../src/services/object-store-configured.ts"
import { Settings } from "../../src/services/settings.ts"
import { PathRefused, Workspace } from "../../src/services/workspace.ts"

const storage: StorageSection = {
  canonical_root: ".dandori/canonical",
  features_root: ".dandori/features",
  snapshots_root: ".dandori/snapshots",
  models_root: ".dandori/models",
  worm_root: ".dandori/worm",
  backups_root: ".dandori/backups",
}

const notifications: NotificationsSection = {
  timeout: "5s",
  channels: {
    ops: { routes: [{ to: "console" }, { to: "file", path: "alerts.ndjson" }] },
    file: { routes: [{ to: "file", path: "alerts.ndjson" }] },
    chat: {
      routes: [
        { to: "slack", channel: "#ml-ops" },
        { to: "file", path: "alerts.ndjson" },
      ],
    },
    pager: { routes: [{ to: "pagerduty" }] },
  },
  severities: { info: [], warning: [], critical: ["pager"] },
  slack: { webhook: "${env:SLACK_WEBHOOK_URL}" },
  pagerduty: {
    routing_key: "${env:PAGERDUTY_INTEGRATION_KEY}",
    source: "dandori",
    component: "ml",
    severity: { info: "info", warning: "warning", critical: "critical" },
  },
}

/** A project in a temporary folder that is removed with the scope. */
export const project = Effect.acquireRelease(
  Effect.promise(async () => {
    const root = await Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "dandori-project-")))
    await Fs.mkdir(join(root, ".dandori"))
    return root
  }),
  (root) =>
    Effect.promise(async () => {
      await Bun.$`chmod -R u+rwX ${root}`.quiet()
      await Fs.rm(root, { recursive: true, force: true })
    }),
)

const longestReal = async (path: string): Promise<string> => {
  const real = await Fs.realpath(path).catch(() => undefined)
  return real ?? join(await longestReal(resolve(path, "..")), relative(resolve(path, ".."), path))
}

/** What a test's configuration has of its own. */
export interface Configured {
  readonly env?: EnvironmentName
  readonly storage?: Partial<StorageSection>
  /** Collects what the attempt notes. */
  readonly notes?: Array<Readonly<Record<string, unknown>>>
}

/** Workspace, Settings and object stores of a project, without a configuration folder. */
export const place = (root: string, { env = "dev", storage: own = {} }: Configured = {}) =>
  Layer.mergeAll(
    Layer.succeed(Workspace, {
      project: root,
      home: join(root, ".dandori"),
      resolve: (path) =>
        Effect.promise(() => longestReal(resolve(root, path))).pipe(
          Effect.filterOrFail(
            (real) => !relative(root, real).startsWith("..") && !isAbsolute(relative(root, real)),
            () => new PathRefused({ path, reason: "it lies outside the project" }),
          ),
        ),
      display: (path) => (relative(root, path).startsWith("..") ? path : relative(root, path)),
    }),
    Layer.succeed(Settings, {
      env,
      sections: {
        storage: { ...storage, ...own },
        notifications,
        retention: { audit_years: 5 },
        database: { backend: "embedded" },
        messaging: { backend: "embedded" },
        ledger: LedgerSection.usual,
      } as Sections,
      digest: (section) => CanonicalJson.digest(section === "storage" ? storage : notifications),
    }),
    Secrets.layer({ project: root, environment: {} }),
    ObjectStoreConfigured.layer(own),
  )

/** What an attempt of a task of a run is given; `notes` collects what it notes. */
export const attempt = (root: string, ids: Configured & { readonly run?: string; readonly task?: string } = {}) => {
  const run = ids.run ?? "0190a000-0000-7000-8000-000000000001"
  const task = ids.task ?? "work"
  const scratch = join(root, ".dandori", "scratch", task)
  return Layer.mergeAll(
    Layer.effect(
      Attempt,
      Effect.promise(() => Fs.mkdir(scratch, { recursive: true })).pipe(
        Effect.as({
          run,
          pipeline: "test",
          task,
          attempt: 1,
          plan: Sha256.of("plan"),
          env: "dev" as const,
          idempotencyKey: `${run}/${task}`,
          intent: Sha256.of("intent"),
          runCreated: Date.UTC(2025, 0, 2, 3, 4, 5),
          who: "tester",
          requester: "tester",
          approvedBy: [],
          scratch,
          log: () => Effect.void,
          note: (facts) => Effect.sync(() => void ids.notes?.push(facts)),
        }),
      ),
    ),
    Layer.succeed(Progress, { report: () => Effect.void }),
    Layer.succeed(Evidence, {
      copyTo: () => Effect.die("there is no ledger here"),
      verifyFolder: () => Effect.die("there is no ledger here"),
      outputOf: () => Effect.die("there is no ledger here"),
      failureOf: () => Effect.die("there is no ledger here"),
      unreadable: () => Effect.succeed([]),
      receiptsFor: () => Effect.succeed([]),
      holds: () => Effect.succeed(true),
      head: Effect.succeed({ entries: 7, hash: Sha256.of("head") }),
      sign: () => Effect.die("no key here"),
      publicKey: Effect.die("no key here"),
    }),
    CloudSnapshots.layer(ids.storage ?? {}).pipe(
      Layer.provideMerge(Processes.layer({ folder: join(root, ".dandori", "processes") })),
    ),
    Layer.provide(ModelRegistry.layerState, place(root, ids)),
    place(root, ids),
  )
}
