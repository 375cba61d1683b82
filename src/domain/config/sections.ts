import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ApprovalsSection } from "./approvals.ts"
import { BacktestPolicySection } from "./backtest-policy.ts"
import { CorePolicySection } from "./core-policy.ts"
import { CostTableSection } from "./cost-table.ts"
import * as Daemon from "./daemon.ts"
import { DatabaseSection } from "./database.ts"
import { DqSection } from "./dq.ts"
import { EvacuationSection } from "./evacuation.ts"
import * as EvacuationUsual from "./evacuation-usual.ts"
import * as Exporters from "./exporters.ts"
import * as Ledger from "./ledger.ts"
import * as Limits from "./limits.ts"
import { MessagingSection } from "./messaging.ts"
import { NotificationsSection } from "./notifications.ts"
import { ResourcesSection } from "./resources.ts"
import { RetentionSection } from "./retention.ts"
import { SchedulesSection } from "./schedules.ts"
import { StorageSection } from "./storage.ts"
import { TrainingSection } from "./training.ts"
import { UniverseSection } from "./universe.ts"

/** The Schema of each section; a section is the file of its name under `configs/`. */
export const sections = {
  storage: StorageSection,
  training: TrainingSection,
  core_policy: CorePolicySection,
  backtest_policy: BacktestPolicySection,
  cost_table: CostTableSection,
  universe: UniverseSection,
  database: DatabaseSection,
  messaging: MessagingSection,
  notifications: NotificationsSection,
  retention: RetentionSection,
  schedules: SchedulesSection,
  resources: ResourcesSection,
  dq: DqSection,
  approvals: ApprovalsSection.pipe(Schema.withDecodingDefaultKey(Effect.succeed({ selfApproval: false }))),
  ledger: Ledger.LedgerSection.pipe(Schema.withDecodingDefaultKey(Effect.succeed(Ledger.usual))),
  limits: Limits.LimitsSection.pipe(Schema.withDecodingDefaultKey(Effect.succeed(Limits.usual))),
  daemon: Daemon.DaemonSection.pipe(Schema.withDecodingDefaultKey(Effect.succeed(Daemon.usual))),
  evacuation: EvacuationSection.pipe(Schema.withDecodingDefaultKey(Effect.succeed(EvacuationUsual.usual))),
  exporters: Exporters.ExportersSection.pipe(Schema.withDecodingDefaultKey(Effect.succeed(Exporters.none))),
}

/** Sections that a project may leave out: it has none of what they configure, or what is usual. */
export const optionalSections: ReadonlySet<string> = new Set([
  "approvals",
  "daemon",
  "evacuation",
  "exporters",
  "ledger",
  "limits",
])

/** The values of all sections. Secrets are references. */
export interface Sections {
  readonly storage: StorageSection
  readonly training: TrainingSection
  readonly core_policy: CorePolicySection
  readonly backtest_policy: BacktestPolicySection
  readonly cost_table: CostTableSection
  readonly universe: UniverseSection
  readonly database: DatabaseSection
  readonly messaging: MessagingSection
  readonly notifications: NotificationsSection
  readonly retention: RetentionSection
  readonly schedules: SchedulesSection
  readonly resources: ResourcesSection
  readonly dq: DqSection
  readonly approvals: ApprovalsSection
  readonly ledger: Ledger.LedgerSection
  readonly limits: Limits.LimitsSection
  readonly daemon: Daemon.DaemonSection
  readonly evacuation: EvacuationSection
  readonly exporters: Exporters.ExportersSection
}
